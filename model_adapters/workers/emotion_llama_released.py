"""Emotion-LLaMA: github.com/ZebangCheng/Emotion-LLaMA.

As its app_EmotionLlamaClient.py does: the first frame, HuBERT's last layer averaged over the sound, and zeros where the
features of MAE and VideoMAE belong, whose extractors are no part of the repository. No transcript is given. `Chat`
samples always, here `generate` is greedy, and the language model is not cut to 8 bits.
"""

from __future__ import annotations

import argparse
import functools
import importlib
import os
from typing import Any, ClassVar

import protocol

CONFIGURATION = os.path.join("eval_configs", "demo.yaml")
HUBERT = os.path.join("checkpoints", "transformer", "chinese-hubert-large")
SLOTS = "<video><VideoHere></video> <feature><FeatureHere></feature>"


class EmotionLlama(protocol.Worker):
    """A picture with its sound, through the demo's `Chat`."""

    model = "Emotion-LLaMA"
    modalities = ("video+audio",)
    packages = ("torch", "transformers", "peft", "opencv-python")
    defaults: ClassVar[dict[str, str | None]] = {"llama": None}

    def load(self) -> None:
        """Build the demo's model; HuBERT is looked for where the repository wants it."""
        checkpoint = self.needs_checkpoint("Emoation_LLaMA.pth, which the repository's README links to")
        if not os.path.isdir(HUBERT):
            raise protocol.Refusal(f"{os.path.abspath(HUBERT)}: put TencentGameMate/chinese-hubert-large there")
        config = importlib.import_module("minigpt4.common.config")
        registry = importlib.import_module("minigpt4.common.registry").registry
        self.conversation: Any = importlib.import_module("minigpt4.conversation.conversation")
        for part in ("datasets.builders", "models", "processors", "runners", "tasks"):  # they register themselves
            importlib.import_module(f"minigpt4.{part}")
        chosen = {"llama_model": self.options["llama"], "ckpt": checkpoint, "low_resource": False}
        settings = [f"model.{name}={value}" for name, value in chosen.items()]
        read = config.Config(argparse.Namespace(cfg_path=CONFIGURATION, options=settings))
        network = registry.get_model_class(read.model_cfg.arch).from_config(read.model_cfg).to("cuda").eval()
        look = read.datasets_cfg.feature_face_caption.vis_processor.train
        processor = registry.get_processor_class(look.name).from_config(look)
        self.chat = self.conversation.Chat(network, processor, device="cuda")
        protocol.greedy(network.llama_model)
        self._keep_hubert()

    def answer(self, request: protocol.Request) -> tuple[str, dict[str, float]]:
        """One greedy answer."""
        media_used = request.media(frames=1)
        import soundfile

        sound = soundfile.read(request.audio)
        self.conversation.extract_audio_from_video = lambda _: sound  # it would write audio.wav beside other workers'
        state = self.conversation.Conversation(
            system="",
            roles=("<s>[INST] ", " [/INST]"),
            messages=[],
            offset=2,
            sep_style=self.conversation.SeparatorStyle.SINGLE,
            sep="",
        )
        state.append_message(state.roles[0], SLOTS)
        self.chat.ask(request.prompt, state)
        embedded = [request.video]
        self.chat.encode_img(embedded)
        text, _ = self.chat.answer(
            conv=state, img_list=embedded, temperature=0.2, max_new_tokens=request.max_new_tokens, max_length=2000
        )
        return text, media_used

    def _keep_hubert(self) -> None:
        """Load HuBERT once: the repository reads it from disk again for every question."""
        import transformers

        owners: tuple[Any, ...] = (transformers.HubertModel, self.conversation.Wav2Vec2FeatureExtractor)
        for owner in owners:
            owner.from_pretrained = functools.lru_cache(maxsize=None)(owner.from_pretrained)


if __name__ == "__main__":
    raise SystemExit(protocol.run(EmotionLlama))
