"""PandaGPT-7B, 1,024 tokens: github.com/yxuansu/PandaGPT, its folder `code` (the paper: D.4).

ImageBind turns picture and sound into one vector each, and their sum is the one token the language model gets. The
repository samples always, here `generate` is greedy. It ends an answer by cutting off the last two tokens, taken for
its stop mark; an answer that `max_new_tokens` ends loses two words' worth, so two tokens more are asked for.
"""

from __future__ import annotations

import os
import sys
from typing import ClassVar

import protocol

STOP_TOKENS = 2


class PandaGpt(protocol.Worker):
    """Picture, sound or their sum, through `OpenLLAMAPEFTModel.generate`."""

    model = "PandaGPT-7B"
    modalities = ("video", "audio", "video+audio")
    packages = ("torch", "transformers", "peft", "pytorchvideo")
    defaults: ClassVar[dict[str, str | None]] = {"vicuna": None, "imagebind": None}

    def load(self) -> None:
        """Build the model on Vicuna-7B v0 and ImageBind, and load PandaGPT's own weights into it."""
        checkpoint = self.needs_checkpoint("pytorch_model.pt of openllmplayground/pandagpt_7b_max_len_1024")
        if self.repo and os.path.isdir(os.path.join(self.repo, "code")):
            os.chdir(os.path.join(self.repo, "code"))
            sys.path.insert(0, os.getcwd())
        import torch
        from model.openllama import OpenLLAMAPEFTModel

        network = OpenLLAMAPEFTModel(
            model="openllama_peft",
            imagebind_ckpt_path=self.options["imagebind"],
            vicuna_ckpt_path=self.options["vicuna"],
            delta_ckpt_path=checkpoint,
            stage=2,
            max_tgt_len=1024,
            lora_r=32,
            lora_alpha=32,
            lora_dropout=0.1,
        )
        weights = torch.load(checkpoint, map_location="cpu", weights_only=True)
        network.load_state_dict(weights, strict=False)
        self.network = network.eval().half().cuda()
        protocol.greedy(self.network.llama_model)

    def answer(self, request: protocol.Request) -> tuple[str, dict[str, float]]:
        """One greedy answer."""
        media_used = request.media(frames=10, at_most=6)  # 5 clips of 2 frames; 3 clips of 2 s
        text = self.network.generate(
            {
                "prompt": request.prompt,
                "image_paths": [],
                "audio_paths": [request.audio] if request.audio else [],
                "video_paths": [request.video] if request.video else [],
                "thermal_paths": [],
                "top_p": 0.9,
                "temperature": 1.0,
                "max_tgt_len": request.max_new_tokens + STOP_TOKENS,
                "modality_embeds": [],
            }
        )
        return text.strip(), media_used


if __name__ == "__main__":
    raise SystemExit(protocol.run(PandaGpt))
