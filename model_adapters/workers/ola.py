"""Ola-7B: github.com/Ola-Omni/Ola.

As its inference/infer.py does: 64 frames, sound in 30 s pieces (25 at most), template qwen_1_5, resolutions through the
environment before the first import. That script samples at temperature 0.2; here decoding is greedy. Whisper's
large-v3.pt and the BEATs weights must lie in the root of the checkout, which is the working directory.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import protocol

if TYPE_CHECKING:
    import torch

RESOLUTIONS = {
    "LOWRES_RESIZE": "384x32",
    "HIGHRES_BASE": "0x32",
    "VIDEO_RESIZE": "0x64",
    "VIDEO_MAXRES": "480",
    "VIDEO_MINRES": "288",
    "MAXRES": "1536",
    "MINRES": "0",
    "FORCE_NO_DOWNSAMPLE": "1",
    "LOAD_VISION_EARLY": "1",
    "PAD2STRIDE": "1",
}
FRAMES, PIECE, PIECES = 64, 480000, 25  # frames; samples a piece of sound (30 s); pieces
PAD_ID = 151643


class Ola(protocol.Worker):
    """Picture, sound, both or text, through the repository's tokenizers and `generate`."""

    model = "Ola-7B"
    modalities = ("video", "audio", "video+audio", "text")
    packages = ("torch", "transformers", "openai-whisper", "decord")

    def load(self) -> None:
        """Load the checkpoint with the repository's `load_pretrained_model`."""
        checkpoint = self.needs_checkpoint("the folder of THUdyh/Ola-7b or that hub id")
        os.environ.update(RESOLUTIONS)
        from ola.model.builder import load_pretrained_model

        self.tokenizer, network, self.image_processor, _ = load_pretrained_model(checkpoint, None)
        self.network = network.to("cuda").eval().bfloat16()
        self.image_processor.do_resize = False
        self.image_processor.do_center_crop = False

    def answer(self, request: protocol.Request) -> tuple[str, dict[str, float]]:
        """One greedy answer."""
        import torch
        from ola.mm_utils import KeywordsStoppingCriteria

        media_used = request.media(FRAMES, at_most=30 * PIECES)
        ids, stop = self._prompt(request)
        with torch.inference_mode():
            output = self.network.generate(
                inputs=ids,
                **self._picture(request.video),
                **self._sound(request.audio),
                attention_mask=ids.ne(PAD_ID).long(),
                use_cache=True,
                stopping_criteria=[KeywordsStoppingCriteria([stop], self.tokenizer, ids)],
                do_sample=False,
                num_beams=1,
                max_new_tokens=request.max_new_tokens,
            )
        text = self.tokenizer.batch_decode(output, skip_special_tokens=True)[0].strip()
        return (text[: -len(stop)] if text.endswith(stop) else text).strip(), media_used

    def _prompt(self, request: protocol.Request) -> tuple[torch.Tensor, str]:
        """Token ids (1, length) on the GPU, and the template's stop string."""
        from ola.constants import DEFAULT_IMAGE_TOKEN, DEFAULT_SPEECH_TOKEN, IMAGE_TOKEN_INDEX, SPEECH_TOKEN_INDEX
        from ola.conversation import SeparatorStyle, conv_templates
        from ola.datasets import preprocess

        tags = (DEFAULT_SPEECH_TOKEN if request.audio else "") + (DEFAULT_IMAGE_TOKEN if request.video else "")
        conversation = conv_templates["qwen_1_5"].copy()
        conversation.append_message(conversation.roles[0], f"{tags}\n{request.prompt}" if tags else request.prompt)
        conversation.append_message(conversation.roles[1], None)
        tokenize, index = preprocess.tokenizer_image_token, IMAGE_TOKEN_INDEX
        if request.audio and request.video:
            tokenize = preprocess.tokenizer_speech_image_token
        elif request.audio:
            tokenize, index = preprocess.tokenizer_speech_token, SPEECH_TOKEN_INDEX
        ids = tokenize(conversation.get_prompt(), self.tokenizer, index, return_tensors="pt").unsqueeze(0).to("cuda")
        two = conversation.sep_style == SeparatorStyle.TWO
        return ids, conversation.sep2 if two else conversation.sep

    def _picture(self, path: str | None) -> dict[str, list[Any]]:
        """The picture's share of `generate`'s arguments; without one a blank image that no tag refers to."""
        import torch

        if not path:
            blank = [torch.zeros(1, 3, 224, 224, dtype=torch.bfloat16, device="cuda")]
            return {"images": blank, "images_highres": blank, "image_sizes": [(224, 224)], "modalities": ["text"]}
        import numpy
        from decord import VideoReader, cpu
        from ola.mm_utils import process_anyres_video
        from PIL import Image

        reader = VideoReader(path, ctx=cpu(0))
        numbers = numpy.linspace(0, len(reader) - 1, FRAMES, dtype=int).tolist()
        frames = [Image.fromarray(frame) for frame in reader.get_batch(numbers).asnumpy()]
        pixels = [process_anyres_video(frame, self.image_processor).unsqueeze(0) for frame in frames]
        video = torch.cat(pixels, dim=0).bfloat16().to("cuda")
        # one sample of 64 frames, as in training; handed over bare they are 64 samples, and the first alone is used
        return {"images": [video], "images_highres": [video], "modalities": ["video"]}

    def _sound(self, path: str | None) -> dict[str, list[torch.Tensor]]:
        """The sound's share of `generate`'s arguments; without one a silent piece that no tag refers to."""
        import torch

        if not path:
            mels, waves = torch.zeros(1, 3000, 128), torch.zeros(1, PIECE)
        else:
            import librosa
            import whisper

            wave, _ = librosa.load(path, sr=16000)
            starts = range(0, len(wave), PIECE)[:PIECES]
            pieces = [whisper.pad_or_trim(wave[start : start + PIECE].astype("float32")) for start in starts]
            mels = torch.stack([whisper.log_mel_spectrogram(piece, n_mels=128).permute(1, 0) for piece in pieces])
            waves = torch.stack([torch.from_numpy(piece) for piece in pieces])
        return {
            "speech": [mels.bfloat16().to("cuda")],
            "speech_lengths": [torch.LongTensor([mels.shape[1]] * mels.shape[0]).to("cuda")],
            "speech_chunks": [torch.LongTensor([mels.shape[0]]).to("cuda")],
            "speech_wav": [waves.to("cuda")],
        }


if __name__ == "__main__":
    raise SystemExit(protocol.run(Ola))
