"""The released AVERE-7B: github.com/ihp-lab/AVERE.

As its evaluate/avere_inference.py does: 8 frames, then the sound, then the question, template llava_v1, no key-value
cache, half precision. It mirrors every other picture at random and samples at temperature 0.1;
`faithful=no` (default) does neither, `faithful=yes` both, with draws that do not depend on the order of questions.
The backbones must lie under ./backbones of the checkout. Its own benchmarks allow 5 new tokens.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import protocol

if TYPE_CHECKING:
    import torch

TEMPLATE = "llava_v1"


class AvereOfficial(protocol.Worker):
    """Picture, sound or both, through the released loader, processors and `generate`."""

    model = "AVERE-7B (released code)"
    modalities = ("video", "audio", "video+audio")
    packages = ("torch", "transformers", "pytorchvideo", "decord")
    defaults: ClassVar[dict[str, str | None]] = {"faithful": "no"}

    def load(self) -> None:
        """Load the checkpoint with the released `load_pretrained_model`."""
        if self.options["faithful"] not in ("yes", "no"):
            raise protocol.Refusal(f"faithful={self.options['faithful']}: use yes or no")
        checkpoint = self.needs_checkpoint("the folder of chaubeyG/AVERE-7B")
        from avere.mm_utils import get_model_name_from_path
        from avere.model.builder import load_pretrained_model
        from avere.utils import disable_torch_init

        disable_torch_init()
        self.tokenizer, self.network, processors, _ = load_pretrained_model(
            checkpoint, None, get_model_name_from_path(checkpoint), False, False, device="cuda", cache_dir="cache_dir"
        )
        self.network.eval()
        self.see, self.hear = processors["video"], processors["speech"]
        self.sampling = {"do_sample": True, "temperature": 0.1}
        if self.options["faithful"] == "no":
            self.sampling = {"do_sample": False}
            _never_mirror(self.see.transform)

    def answer(self, request: protocol.Request) -> tuple[str, dict[str, float]]:
        """One answer."""
        import torch
        from avere.mm_utils import KeywordsStoppingCriteria

        frames = self.network.get_video_tower().config.num_frames
        media_used = request.media(frames, at_most=30)
        ids, stop = self._prompt(request, frames)
        with torch.inference_mode():
            output = self.network.generate(
                ids,
                images=self._tensors(self.see, request.video, "pixel_values"),
                audios=self._tensors(self.hear, request.audio, "spectrogram"),
                max_new_tokens=request.max_new_tokens,
                use_cache=False,
                stopping_criteria=[KeywordsStoppingCriteria([stop], self.tokenizer, ids)],
                **self.sampling,
            )
        text = self.tokenizer.decode(output[0, ids.shape[1] :], skip_special_tokens=True).strip()
        return (text[: -len(stop)] if text.endswith(stop) else text).strip(), media_used

    def _prompt(self, request: protocol.Request, frames: int) -> tuple[torch.Tensor, str]:
        """Released ids (1, length) on the GPU in the order of the released evaluation, and the stop string."""
        from avere import mm_utils
        from avere.constants import AUDIO_TOKEN_INDEX, DEFAULT_AUDIO_TOKEN, DEFAULT_IMAGE_TOKEN, IMAGE_TOKEN_INDEX
        from avere.conversation import SeparatorStyle, conv_templates

        picture = f"{DEFAULT_IMAGE_TOKEN * frames}\n" if request.video else ""
        sound = f"{DEFAULT_AUDIO_TOKEN}\n" if request.audio else ""
        conversation = conv_templates[TEMPLATE].copy()
        conversation.append_message(conversation.roles[0], picture + sound + request.prompt)
        conversation.append_message(conversation.roles[1], None)
        prompt = conversation.get_prompt()
        if request.video and request.audio:
            ids = mm_utils.tokenizer_audio_and_image_token(prompt, self.tokenizer, return_tensors="pt")
        elif request.video:
            ids = mm_utils.tokenizer_image_token(prompt, self.tokenizer, IMAGE_TOKEN_INDEX, return_tensors="pt")
        else:
            ids = mm_utils.tokenizer_audio_token(prompt, self.tokenizer, AUDIO_TOKEN_INDEX, return_tensors="pt")
        two = conversation.sep_style == SeparatorStyle.TWO
        return ids.unsqueeze(0).cuda(), conversation.sep2 if two else conversation.sep

    def _tensors(self, processor: Any, path: str | None, key: str) -> list[torch.Tensor] | None:
        """One medium's tensors in half precision on the model's device; None without a path."""
        import torch

        if not path:
            return None
        tensors = processor([path], return_tensors="pt")[key]
        return [one.to(self.network.device, dtype=torch.float16) for one in tensors]


def _never_mirror(transform: Any) -> None:
    """Take the random mirroring out of the released video transform."""
    steps = getattr(transform, "_transform", transform)  # the pytorchvideo backend wraps them
    steps.transforms = [step for step in steps.transforms if "HorizontalFlip" not in type(step).__name__]


if __name__ == "__main__":
    raise SystemExit(protocol.run(AvereOfficial))
