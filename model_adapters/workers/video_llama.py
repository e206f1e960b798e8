"""Video-LLaMA, the first, on Vicuna-7B v0: github.com/DAMO-NLP-SG/Video-LLaMA (the paper: D.4).

As its demo_audiovideo.py does with sound: 8 frames, eight 2 s pieces of sound, its own two-branch prompt, default
conversation. `Chat` samples always, here `generate` is greedy; it takes the sound out of the mp4 and goes on without
where that fails, here it gets the sound that is asked about, and an unreadable one is an error.
"""

from __future__ import annotations

import argparse
import importlib
import io
import os
from typing import Any, ClassVar

import protocol

CONFIGURATION = os.path.join("eval_configs", "video_llama_eval_withaudio.yaml")
FRAMES, PIECES, PIECE_SECONDS = 8, 8, 2


class VideoLlama(protocol.Worker):
    """Picture, alone or with sound, through the demo's `Chat`."""

    model = "Video-LLaMA-7B"
    modalities = ("video", "video+audio")
    packages = ("torch", "transformers", "peft", "decord")
    defaults: ClassVar[dict[str, str | None]] = {"llama": None, "imagebind": None, "audio_branch": None}

    def load(self) -> None:
        """Build the model of the audiovisual configuration, with both branches' weights."""
        checkpoint = self.needs_checkpoint("finetune-vicuna7b-v2.pth of DAMO-NLP-SG/Video-LLaMA-Series")
        config = importlib.import_module("video_llama.common.config")
        registry = importlib.import_module("video_llama.common.registry").registry
        self.conversation: Any = importlib.import_module("video_llama.conversation.conversation_video")
        for part in ("datasets.builders", "models", "processors", "runners", "tasks"):  # they register themselves
            importlib.import_module(f"video_llama.{part}")
        chosen = {
            "llama_model": self.options["llama"],
            "imagebind_ckpt_path": self.options["imagebind"],
            "ckpt": checkpoint,
            "ckpt_2": self.options["audio_branch"],
            "equip_audio_branch": True,
        }
        settings = [f"model.{name}={value}" for name, value in chosen.items()]
        read = config.Config(argparse.Namespace(cfg_path=_configuration(), options=settings))
        read.model_cfg.device_8bit = 0
        network = registry.get_model_class(read.model_cfg.arch).from_config(read.model_cfg).to("cuda:0").eval()
        look = read.datasets_cfg.webvid.vis_processor.train
        processor = registry.get_processor_class(look.name).from_config(look)
        self.chat = self.conversation.Chat(network, processor, device="cuda:0")
        self.hear = self.conversation.load_and_transform_audio_data
        protocol.greedy(network.llama_model)

    def answer(self, request: protocol.Request) -> tuple[str, dict[str, float]]:
        """One greedy answer."""
        media_used = request.media(FRAMES, at_most=PIECES * PIECE_SECONDS)
        state = self.conversation.default_conversation.copy()
        state.system = ""
        embedded: list[Any] = []
        if request.audio:
            sound = self.hear([request.audio], "cpu", clips_per_video=PIECES)  # here an error would reach the user
            self.conversation.load_and_transform_audio_data = lambda *_, **__: sound
            self.chat.upload_video(request.video, state, embedded)
        else:
            self.chat.upload_video_without_audio(request.video, state, embedded)
        self.chat.ask(request.prompt, state)
        text, _ = self.chat.answer(
            conv=state,
            img_list=embedded,
            num_beams=1,
            temperature=1.0,
            max_new_tokens=request.max_new_tokens,
            max_length=2000,
        )
        return text, media_used


def _configuration() -> io.StringIO:
    """The released configuration without its language model: that line is no YAML, and the option names the model."""
    with open(CONFIGURATION, encoding="utf-8") as file:
        return io.StringIO("".join(line for line in file if not line.lstrip().startswith("llama_model:")))


if __name__ == "__main__":
    raise SystemExit(protocol.run(VideoLlama))
