"""Questions, frames and waves -> what the model takes, by the released model's rules."""

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch.nn.functional import interpolate
from transformers import BatchFeature, PreTrainedTokenizerBase, ProcessorMixin, WhisperFeatureExtractor

from .configuration import AvereConfig

VIDEO_TAG = "<image>"
AUDIO_TAG = "<audio>"
SAMPLING_RATE = 16000
SYSTEM = (
    "A chat between a curious human and an artificial intelligence assistant. "
    "The assistant gives helpful, detailed, and polite answers to the human's questions."
)
_TAGS = re.compile(f"({VIDEO_TAG}|{AUDIO_TAG})")
_MEAN = (0.48145466, 0.4578275, 0.40821073)
_STD = (0.26862954, 0.26130258, 0.27577711)


class AvereProcessor(ProcessorMixin):
    """Tokenizer and media preparation; every size comes from `config`.

    tokenizer: a Llama tokenizer with byte fallback.
    config: the model's `AvereConfig`, or a dict of it.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, config: AvereConfig | dict[str, Any]) -> None:
        super().__init__(tokenizer)
        self.config = config if isinstance(config, AvereConfig) else AvereConfig(**config)
        self.log_mel = WhisperFeatureExtractor(
            feature_size=self.config.audio_config.num_mel_bins,
            sampling_rate=SAMPLING_RATE,
            chunk_length=self.config.audio_config.window_seconds,
        )

    def prompt(self, question: str, video: bool, audio: bool) -> str:
        """The `llava_v1` inference template around media tags and a question, in the evaluation's order.

        Raises ValueError for a question that holds a media tag itself.
        """
        if _TAGS.search(question):
            raise ValueError(f"a question must not hold {VIDEO_TAG} or {AUDIO_TAG}: {question!r}")
        media = VIDEO_TAG * self.config.vision_config.num_frames + "\n" if video else ""
        media += AUDIO_TAG + "\n" if audio else ""
        return f"{SYSTEM} USER: {media}{question} ASSISTANT:"

    def encode_prompt(self, prompt: str) -> list[int]:
        """Ids of a prompt, BOS first, each `<image>` and `<audio>` expanded to its placeholders.

        The text between tags is tokenised piece by piece, so that every piece carries SentencePiece's dummy prefix: in
        one pass the ids would come out one or two short.
        """
        placeholders = {
            VIDEO_TAG: [self.config.video_token_id] * self.config.vision_config.tokens_per_frame,
            AUDIO_TAG: [self.config.audio_token_id] * self.config.audio_tokens,
        }
        ids = [self.tokenizer.bos_token_id]
        for piece in _TAGS.split(prompt):
            ids += placeholders.get(piece) or encode_piece(self.tokenizer, piece)
        return ids

    def pixel_values(self, frames: np.ndarray) -> torch.Tensor:
        """uint8 frames (frames, height, width, 3) -> float32 (frames, 3, image_size, image_size).

        Bilinear to the short side (the long side is rounded down), then cropped at the centre (halves of a pixel to
        even), then normalised: released in another order, but what is linear may come last, where pixels are fewest.
        The released random flip is left out.
        """
        size = self.config.vision_config.image_size
        height, width = frames.shape[1:3]
        short = min(height, width)
        resized = [size if side == short else int(side / short * size) for side in (height, width)]
        top, left = (round((side - size) / 2) for side in resized)
        pictures = []
        for frame in frames:  # one by one: all of a 1080p clip as floats are 200 MB, and take four times as long
            pixels = torch.from_numpy(np.ascontiguousarray(frame)).permute(2, 0, 1).float()
            if resized != [height, width]:  # rounded down, a long side may lose a pixel where the short one is right
                pixels = interpolate(pixels[None], size=resized, mode="bilinear", align_corners=False)[0]
            pictures.append(pixels[:, top : top + size, left : left + size])
        pixels = torch.stack(pictures) / 255
        return (pixels - torch.tensor(_MEAN)[:, None, None]) / torch.tensor(_STD)[:, None, None]

    def input_features(self, wave: np.ndarray) -> torch.Tensor:
        """A 16 kHz wave in [-1, 1], float32 (samples,) -> log-mel (bins, mel frames).

        Shorter waves are padded with silence to the configured window, longer ones are cut. Raises ValueError for an
        empty wave.
        """
        if len(wave) == 0:
            raise ValueError("the wave has no samples")
        features = self.log_mel(wave, sampling_rate=SAMPLING_RATE, return_tensors="pt")
        return features.input_features[0]

    def __call__(
        self,
        text: str | Sequence[str],
        videos: Sequence[np.ndarray] | None = None,
        audio: Sequence[np.ndarray] | None = None,
        padding_side: str = "left",
        return_tensors: str = "pt",
    ) -> BatchFeature:
        """Prompts with media tags, and their media -> the model's inputs.

        videos: uint8 frames (frames, height, width, 3), one for each prompt that shows a video, in order.
        audio: 16 kHz waves, one for each prompt that has a sound, in order.
        """
        rows = [self.encode_prompt(prompt) for prompt in ([text] if isinstance(text, str) else text)]
        data: dict[str, Any] = pad(rows, self.config.text_config.pad_token_id or 0, padding_side)
        if videos:
            data["pixel_values_videos"] = torch.stack([self.pixel_values(frames) for frames in videos])
        if audio:
            data["input_features"] = torch.stack([self.input_features(wave) for wave in audio])
        return BatchFeature(data, tensor_type=return_tensors)


def encode_piece(tokenizer: Any, text: str) -> list[int]:
    """Ids of a text of its own, as the released SentencePiece gives them, without special tokens."""
    # SentencePiece prefixes every text; the converted tokenizer leaves out one that starts with a space
    text = text.replace("▁", " ")
    text = " " + text if text.startswith(" ") else text
    ids: list[int] = tokenizer.encode(text, add_special_tokens=False)
    return ids


def pad(rows: Sequence[Sequence[int]], pad_id: int, side: str = "left") -> dict[str, torch.Tensor]:
    """Rows of ids -> `input_ids` and `attention_mask`, both (rows, longest)."""
    width = max(map(len, rows))

    def fill(row: Sequence[int], value: int) -> list[int]:
        filler = [value] * (width - len(row))
        return [*filler, *row] if side == "left" else [*row, *filler]

    return {
        "input_ids": torch.tensor([fill(row, pad_id) for row in rows]),
        "attention_mask": torch.tensor([fill([1] * len(row), 0) for row in rows]),
    }
