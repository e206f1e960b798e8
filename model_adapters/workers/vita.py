"""VITA-1.5: github.com/VITA-MLLM/VITA.

As its video_audio_demo.py does: one frame a second, 4 to 16 of them (the repository's constant), template
qwen2p5_instruct, greedy. The model's sound slot was made for a spoken question: `sound=clip` (default) puts the clip's
own sound there, after the written question, which the demo never does and which the paper does not describe;
`sound=none` leaves VITA deaf, as it is in lmms-eval.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import protocol

if TYPE_CHECKING:
    import torch
    from PIL.Image import Image as Picture

FRAMES_LEAST = 4
STATE_MARKS = "\u261e\u261c\u261f"  # pointing hands with which VITA starts: answered, spoken question, no question


class Vita(protocol.Worker):
    """Picture and, off the demo's path, sound."""

    model = "VITA-1.5"
    modalities: tuple[str, ...] = ("video", "audio", "video+audio", "text")
    packages = ("torch", "transformers", "decord", "torchaudio")
    defaults: ClassVar[dict[str, str | None]] = {"sound": "clip"}

    def load(self) -> None:
        """Load the checkpoint with the repository's `load_pretrained_model`."""
        if self.options["sound"] not in ("clip", "none"):
            raise protocol.Refusal(f"sound={self.options['sound']}: use clip or none")
        if self.options["sound"] == "none":
            self.modalities = ("video", "text")
        checkpoint = self.needs_checkpoint("the folder of VITA-MLLM/VITA-1.5, its two encoders beside it")
        import torch
        from vita.model.builder import load_pretrained_model
        from vita.util.mm_utils import get_model_name_from_path
        from vita.util.utils import disable_torch_init

        disable_torch_init()
        name = get_model_name_from_path(checkpoint)
        self.tokenizer, self.network, _, _ = load_pretrained_model(checkpoint, None, name, "qwen2p5_instruct")
        self.network.resize_token_embeddings(len(self.tokenizer))
        tower = self.network.get_vision_tower()
        if not tower.is_loaded:
            tower.load_model()
        self.image_processor = tower.image_processor
        encoder = self.network.get_audio_encoder()
        encoder.to(dtype=torch.float16)
        self.audio_processor = encoder.audio_processor
        self.network.eval()

    def answer(self, request: protocol.Request) -> tuple[str, dict[str, float]]:
        """One greedy answer."""
        import torch
        from vita.util.mm_utils import KeywordsStoppingCriteria

        images = self._picture(request.video)
        media_used = request.media(len(images))
        ids, stop = self._prompt(request, len(images))
        with torch.inference_mode():
            output = self.network.generate(
                ids,
                images=images,
                audios=self._sound(request.audio),
                do_sample=False,
                num_beams=1,
                output_scores=True,
                return_dict_in_generate=True,
                max_new_tokens=request.max_new_tokens,
                use_cache=True,
                stopping_criteria=[KeywordsStoppingCriteria([stop], self.tokenizer, ids)],
                shared_v_pid_stride=None,
            )
        text = self.tokenizer.batch_decode(output.sequences, skip_special_tokens=False)[0].strip()
        text = text[: -len(stop)] if text.endswith(stop) else text
        return text.lstrip(STATE_MARKS).strip(), media_used

    def _prompt(self, request: protocol.Request, frames: int) -> tuple[torch.Tensor, str]:
        """Token ids (1, length) on the GPU, and the template's stop string."""
        from vita.constants import DEFAULT_AUDIO_TOKEN, DEFAULT_IMAGE_TOKEN, IMAGE_TOKEN_INDEX
        from vita.conversation import SeparatorStyle, conv_templates
        from vita.util.mm_utils import tokenizer_image_audio_token, tokenizer_image_token

        question = f"{DEFAULT_IMAGE_TOKEN * frames}\n{request.prompt}" if request.video else request.prompt
        question += DEFAULT_AUDIO_TOKEN if request.audio else ""
        conversation = conv_templates["qwen2p5_instruct"].copy()
        conversation.append_message(conversation.roles[0], question)
        conversation.append_message(conversation.roles[1], None)
        prompt = conversation.get_prompt("video" if request.video else "lang")
        tokenize = tokenizer_image_audio_token if request.audio else tokenizer_image_token
        ids = tokenize(prompt, self.tokenizer, IMAGE_TOKEN_INDEX, return_tensors="pt").unsqueeze(0).cuda()
        two = conversation.sep_style == SeparatorStyle.TWO
        return ids, conversation.sep2 if two else conversation.sep

    def _picture(self, path: str | None) -> torch.Tensor:
        """Pixels (frames, 3, side, side) in half precision; one blank image where there is no picture."""
        import torch

        if not path:
            return torch.zeros((1, 3, 448, 448), dtype=torch.float16).cuda()
        from decord import VideoReader, cpu
        from PIL import Image
        from vita.constants import MAX_IMAGE_LENGTH

        reader = VideoReader(path, ctx=cpu(0))
        numbers = list(range(0, len(reader), max(1, round(float(reader.get_avg_fps())))))
        count = min(max(len(numbers), FRAMES_LEAST), MAX_IMAGE_LENGTH)
        if count != len(numbers):
            numbers = [numbers[int(i * (len(numbers) - 1) / (count - 1))] for i in range(count)]
        frames = [Image.fromarray(frame) for frame in reader.get_batch(numbers).asnumpy()]
        if getattr(self.network.config, "image_aspect_ratio", None) == "pad":
            frames = [self._square(frame) for frame in frames]
        pixels = [self.image_processor.preprocess(frame, return_tensors="pt")["pixel_values"][0] for frame in frames]
        return torch.stack(pixels).half().cuda()

    def _square(self, frame: Picture) -> Picture:
        """The frame in the middle of a square of the encoder's mean colour."""
        from PIL import Image

        side = max(frame.size)
        square = Image.new(frame.mode, (side, side), tuple(int(x * 255) for x in self.image_processor.image_mean))
        square.paste(frame, ((side - frame.width) // 2, (side - frame.height) // 2))
        return square

    def _sound(self, path: str | None) -> dict[str, torch.Tensor]:
        """The sound's features and lengths; a silent stand-in that no tag refers to where there is no sound."""
        import torch

        features, tokens = self.audio_processor.process(path) if path else (torch.zeros(400, 80), 60)
        return {
            "audios": features.unsqueeze(0).half().cuda(),
            "lengths": torch.tensor([features.shape[0]]).half().cuda(),
            "lengths_for_llm": torch.tensor([tokens]).cuda(),
        }


if __name__ == "__main__":
    raise SystemExit(protocol.run(Vita))
