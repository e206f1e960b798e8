"""Questions, frames and waves -> what the model takes, by the released models' rules."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from PIL import Image
from transformers import (
    BatchFeature,
    PreTrainedTokenizerBase,
    ProcessorMixin,
    Wav2Vec2FeatureExtractor,
    WhisperFeatureExtractor,
)

from model_adapters.avere.processing import encode_piece, pad

from .configuration import EmotionLlamaConfig, square

VIDEO_TAG = "<VideoHere>"
FEATURE_TAG = "<FeatureHere>"
SAMPLING_RATE = 16000
INSTRUCTIONS = {1: ("reason", "emotion", "reason_v2", "infer"), 2: ("emotion", "reason")}
"""Tags of the published instructions by version, the default first."""
_SLOTS = {1: f"<video>{VIDEO_TAG}</video> <feature>{FEATURE_TAG}</feature> ", 2: f"<Vid>{VIDEO_TAG}</Vid> "}
_TAGS = re.compile(f"({VIDEO_TAG}|{FEATURE_TAG})")
_DROPPED = re.compile(r"[.!\"()*#:;~]")
_CLIP = ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))
_IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


class EmotionLlamaProcessor(ProcessorMixin):
    """Tokenizer and media preparation; every size comes from `config`.

    tokenizer: Llama 2's. config: the model's `EmotionLlamaConfig`, or a dict of it.
    video_token, feature_token: the slots in a prompt, which no text may hold.
    """

    video_token, feature_token = VIDEO_TAG, FEATURE_TAG

    def __init__(self, tokenizer: PreTrainedTokenizerBase, config: EmotionLlamaConfig | dict[str, Any]) -> None:
        super().__init__(tokenizer)
        self.config = config if isinstance(config, EmotionLlamaConfig) else EmotionLlamaConfig(**config)
        if self.config.version == 1:
            self.feature_extractor = Wav2Vec2FeatureExtractor(do_normalize=True, return_attention_mask=True)
        else:
            self.feature_extractor = WhisperFeatureExtractor(feature_size=self.config.whisper_config.num_mel_bins)

    def prompt(self, question: str, media: bool, task: str, subtitle: str | None = None) -> str:
        """The published instruction around a question, in the dialogue form of Llama 2.

        media: whether there is a clip. task: the instruction's tag, as `reason` or `emotion`. subtitle: what the person
        in the clip says, for version 1; None leaves the sentence out, as the paper's EmotionLLaMA* does.
        Raises ValueError for a question or subtitle that holds a tag itself, and for a subtitle in version 2.
        """
        if _TAGS.search(question + (subtitle or "")):
            raise ValueError(f"a question must not hold {VIDEO_TAG} or {FEATURE_TAG}: {question!r}")
        slots = _SLOTS[self.config.version] if media else ""
        if self.config.version == 2:
            if subtitle is not None:
                raise ValueError("version 2 takes no subtitle")
            return f"[INST] {slots}[{task}] {question} [/INST]"
        sentence = "" if subtitle is None else f"The person in video says: {subtitle}. "
        return f"[INST] {slots}{sentence}[{task}] {question}  [/INST]"

    def encode_prompt(self, prompt: str) -> list[int]:
        """Ids of a prompt, its slots expanded to placeholders by the config's `placement`.

        Text between slots is tokenised piece by piece, so that every piece has SentencePiece's dummy prefix.
        """
        released, config = self.config.placement == "released", self.config
        tokens = {VIDEO_TAG: config.media_tokens}
        if config.version == 1 and not released:
            tokens = {VIDEO_TAG: config.image_tokens, FEATURE_TAG: config.feature_tokens}
        ids = [self.tokenizer.bos_token_id] * (2 if released else 1)
        for piece in re.split("(" + "|".join(tokens) + ")", prompt):
            ids += [config.media_token_id] * tokens[piece] if piece in tokens else self.encode_piece(piece)
        return ids

    def encode_piece(self, text: str) -> list[int]:
        """Ids of a text of its own, as an answer or the text between two slots."""
        return encode_piece(self.tokenizer, text)

    def encode_answer(self, text: str) -> list[int]:
        """Ids of an answer, in the form that the released model learned answers in, without the closing token."""
        return self.encode_piece(answer_form(text))

    def media(
        self, frames: np.ndarray | None, wave: np.ndarray | None, clip_features: torch.Tensor | None = None
    ) -> dict[str, torch.Tensor]:
        """One clip -> the model's inputs, each with a first dimension of 1; a medium that is missing is zeros.

        frames: uint8 (frames, height, width, 3): the clip's first frame, and in version 2 after it the frames for the
        video encoder. wave: 16 kHz, float32 (samples,). clip_features: version 1's (3, feature size): MAE, VideoMAE,
        audio; None: zeros, and audio is computed from the wave.
        """
        size = square(self.config.vision_config)[0]
        image = (
            torch.zeros(1, 3, size, size)
            if frames is None
            else pixels(frames[:1], size, _CLIP, Image.Resampling.BICUBIC)
        )
        if self.config.version == 2:
            return {"pixel_values": image} | self._video_and_audio(frames, wave)
        inputs = {"pixel_values": image, "clip_features": torch.zeros(1, 3, self.config.feature_size)}
        if clip_features is not None:
            return inputs | {"clip_features": clip_features[None].float()}
        if wave is not None:
            values = self.feature_extractor(wave, sampling_rate=SAMPLING_RATE, return_tensors="pt").input_values
            inputs |= {"input_values": values, "audio_lengths": torch.tensor([values.shape[1]])}
        return inputs

    def _video_and_audio(self, frames: np.ndarray | None, wave: np.ndarray | None) -> dict[str, torch.Tensor]:
        config = self.config
        size, whisper = square(config.video_config)[0], config.whisper_config
        video = torch.zeros(config.video_frames, 3, size, size)
        mel = torch.zeros(1, whisper.num_mel_bins, 2 * whisper.max_source_positions)
        if frames is not None:
            shown = frames[1:]
            filled = [*shown, *[shown[-1]] * (config.video_frames - len(shown))]
            video = pixels(np.stack(filled), size, _IMAGENET, Image.Resampling.BILINEAR)
        if wave is not None:
            features = self.feature_extractor(wave, sampling_rate=SAMPLING_RATE, return_tensors="pt").input_features
            mel = features[..., : mel.shape[-1]]
        given = torch.tensor([[frames is not None, wave is not None]], dtype=torch.float32)
        return {"pixel_values_videos": video[None], "input_features": mel, "media_given": given}

    def attention(self, ids: Sequence[int], video: bool, audio: bool) -> list[int]:
        """Which ids are attended to. Version 2's training masks the tokens of a missing medium; nothing else does."""
        mask = [1] * len(ids)
        if self.config.version == 2 and self.config.placement == "training" and self.config.media_token_id in ids:
            start, pooled = ids.index(self.config.media_token_id), self.config.pooled_tokens
            ends = np.cumsum([start + pooled, self.config.image_tokens, pooled, pooled])
            for place, given in enumerate((video, video, audio)):
                if not given:
                    mask[ends[place] : ends[place + 1]] = [0] * int(ends[place + 1] - ends[place])
        return mask

    def __call__(
        self,
        text: str | Sequence[str],
        videos: Sequence[np.ndarray | None] | None = None,
        audio: Sequence[np.ndarray | None] | None = None,
        clip_features: Sequence[torch.Tensor | None] | None = None,
        padding_side: str = "left",
        return_tensors: str = "pt",
    ) -> BatchFeature:
        """Prompts and, for each that has a slot, its clip's frames, wave and features (as in `media`) -> inputs."""
        rows = [self.encode_prompt(prompt) for prompt in ([text] if isinstance(text, str) else text)]
        clips = [row for row in rows if self.config.media_token_id in row]
        given = [list(one) if one else [None] * len(clips) for one in (videos, audio, clip_features)]
        media = iter(list(zip(*given, strict=True)))
        data: dict[str, Any] = pad(rows, self.tokenizer.unk_token_id, padding_side)
        prepared = []
        for number, row in enumerate(rows):
            if self.config.media_token_id in row:
                frames, wave, features = next(media)
                prepared.append(self.media(frames, wave, features))
                mask = torch.tensor(self.attention(row, frames is not None, wave is not None))
                data["attention_mask"][number, data["attention_mask"][number].bool()] = mask
        return BatchFeature(data | batch(prepared), tensor_type=return_tensors)


def answer_form(text: str) -> str:
    """An answer as the published training has it: lower case, without full stops and most other marks.

    It also cuts answers after 200 words; here they stay whole.
    """
    return " ".join(_DROPPED.sub(" ", text.lower()).split())


def pixels(
    frames: np.ndarray, size: int, normal: tuple[Sequence[float], Sequence[float]], how: Image.Resampling
) -> torch.Tensor:
    """uint8 (frames, height, width, 3) -> normalised float32 (frames, 3, size, size); the aspect ratio is not kept."""
    resized = np.stack([np.asarray(Image.fromarray(frame).resize((size, size), how)) for frame in frames])
    values = torch.from_numpy(resized).permute(0, 3, 1, 2).float() / 255
    mean, deviation = (torch.tensor(one)[:, None, None] for one in normal)
    return (values - mean) / deviation


def batch(clips: Sequence[Mapping[str, torch.Tensor]]) -> dict[str, torch.Tensor]:
    """Inputs of single clips -> of a batch; waves are padded with 0 on the right, missing ones have length 0."""
    if not clips:
        return {}
    waves = [clip["input_values"] if "input_values" in clip else torch.zeros(1, 0) for clip in clips]
    longest = max(wave.shape[1] for wave in waves)
    plain = [name for name in clips[0] if name not in ("input_values", "audio_lengths")]
    joined = {name: torch.cat([clip[name] for clip in clips]) for name in plain}
    if longest:
        joined["input_values"] = torch.cat([torch.nn.functional.pad(w, (0, longest - w.shape[1])) for w in waves])
        joined["audio_lengths"] = torch.tensor([wave.shape[1] for wave in waves])
    return joined
