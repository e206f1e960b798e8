"""OneLLM-7B: github.com/csuhan/OneLLM.

The released code takes one modality a question. The paper prepends "the multimodal representations" to the prompt
(D.4), so with `media=both` (default) the encoders' tokens follow each other, each between its own start and end tags,
in the place where the released code puts those of one modality; `media=video` and `media=audio` are the released way.
Everything else is as released: 15 crops of 5 frames, 10 s of sound, template v1; decoding is greedy (temperature 0).
"""

from __future__ import annotations

import os
import tempfile
from typing import TYPE_CHECKING, Any, ClassVar

import protocol

if TYPE_CHECKING:
    import torch

BOTH = "video_audio"


class OneLlm(protocol.Worker):
    """Picture and sound, or one of them, through `MetaModel.generate`."""

    model = "OneLLM-7B"
    modalities: tuple[str, ...] = ("video", "audio", "video+audio", "text")
    packages = ("torch", "fairscale", "flash-attn", "open_clip_torch")
    defaults: ClassVar[dict[str, str | None]] = {
        "media": "both",
        "tokenizer": os.path.join("config", "llama2", "tokenizer.model"),
    }

    def load(self) -> None:
        """Build the model in half precision, alone in its process group, and load the weights."""
        checkpoint = self.needs_checkpoint("consolidated.00-of-01.pth of csuhan/OneLLM-7B")
        if self.options["media"] not in ("both", "video", "audio"):
            raise protocol.Refusal(f"media={self.options['media']}: use both, video or audio")
        if self.options["media"] != "both":
            self.modalities = (self.options["media"], "text")
        import torch
        from fairscale.nn.model_parallel import initialize
        from model.meta import MetaModel
        from util.misc import default_tensor_type

        with tempfile.TemporaryDirectory() as meeting:  # a file, not a port: several workers share a machine
            address = f"file://{os.path.join(meeting, 'group')}"
            torch.distributed.init_process_group(backend="nccl", rank=0, world_size=1, init_method=address)
            initialize.initialize_model_parallel(1)  # its groups meet over the same file
        torch.cuda.set_device(0)
        with default_tensor_type(dtype=torch.float16, device="cuda"):
            network = MetaModel("onellm", os.path.join("config", "llama2", "7B.json"), None, self.options["tokenizer"])
        weights = torch.load(checkpoint, map_location="cpu", weights_only=True)
        network.load_state_dict(weights, strict=False)
        self.network = network.half().cuda().eval()
        _take_both(self.network.llma)

    def answer(self, request: protocol.Request) -> tuple[str, dict[str, float]]:
        """One greedy answer."""
        import torch
        from data.conversation_lib import conv_templates

        media_used = request.media(frames=5, at_most=10.24)
        video = _read_video(request.video) if request.video else None
        audio = _read_audio(request.audio) if request.audio else None
        media: Any
        media, modal = (video, "video") if audio is None else (audio, "audio")
        if video is not None and audio is not None:
            media, modal = (video, audio), BOTH
        conversation = conv_templates["v1"].copy()
        conversation.append_message(conversation.roles[0], request.prompt)
        conversation.append_message(conversation.roles[1], None)
        prompt = conversation.get_prompt()
        with torch.no_grad(), torch.cuda.amp.autocast(dtype=torch.float16):
            reply = self.network.generate([prompt], media, request.max_new_tokens, temperature=0.0, modal=[modal])[0]
        return reply[len(prompt) :].split("###")[0].strip(), media_used


def _take_both(network: Any) -> None:
    """Let `encode_image` take a pair (picture, sound) as the modality BOTH.

    The caller puts BOTH's start tag before what it returns and BOTH's end tag after it, so BOTH starts as a picture
    does and ends as a sound does.
    """
    import torch

    network.start_tag[BOTH], network.end_tag[BOTH] = network.start_tag["video"], network.end_tag["audio"]
    encode = network.encode_image

    def encode_image(media: Any, modal: str = "image") -> torch.Tensor:
        if modal != BOTH:
            return encode(media, modal)
        between = [network.end_tag["video"], network.start_tag["audio"]]
        return torch.cat([encode(media[0], "video"), *between, encode(media[1], "audio")], dim=1)

    network.encode_image = encode_image


def _read_video(path: str) -> torch.Tensor:
    """Crops (1, 15, 3, 224, 224) in half precision on the GPU."""
    from data import video_utils

    crops = video_utils.load_and_transform_video_data(path, path, clip_duration=1, clips_per_video=5)
    return crops[:, :, 0][None].cuda().half()


def _read_audio(path: str) -> torch.Tensor:
    """Filter banks (1, 1, 128, 1024) in half precision on the GPU."""
    from data.data_utils import make_audio_features

    return make_audio_features(path, mel_bins=128).transpose(0, 1)[None][None].cuda().half()


if __name__ == "__main__":
    raise SystemExit(protocol.run(OneLlm))
