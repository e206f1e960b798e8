"""A question and its clip -> what a processor of transformers is called with; evaluation and training share it."""

from collections.abc import Sequence
from typing import Any

import torch
from transformers import BatchFeature, ProcessorMixin
from transformers.video_utils import VideoMetadata

from model_adapters.base.frame_sampling import ClipMedia


def templated(processor: ProcessorMixin, blocks: Sequence[str], text: str, system: str | None) -> str:
    """A checkpoint's own chat template around media blocks (`video`, `audio`), the text after them."""
    content = [{"type": kind} for kind in blocks] + [{"type": "text", "text": text}]
    messages: list[dict[str, Any]] = [{"role": "user", "content": content}]
    if system:
        messages.insert(0, {"role": "system", "content": [{"type": "text", "text": system}]})
    return processor.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)


def omni_inputs(
    processor: ProcessorMixin, prompt: str, clip_media: ClipMedia, rate: int, interleave: bool
) -> BatchFeature:
    """An omni model's inputs: frames with the rate they were really sampled at, so that sound is aligned with them.

    rate: Hz of the waveform. interleave: the sound has no block in the prompt and belongs into the video's.
    """
    arguments: dict[str, Any] = {}
    if clip_media.video:
        frames = torch.from_numpy(clip_media.video.frames).permute(0, 3, 1, 2)
        arguments |= {"videos": [frames], "fps": clip_media.video.fps, "do_sample_frames": False}
    if clip_media.audio is not None:
        arguments |= {"audio": [clip_media.audio], "sampling_rate": rate}
    if clip_media.video and clip_media.audio is not None and interleave:
        arguments |= interleaving(processor)
    return processor(text=[prompt], return_tensors="pt", **arguments)


def picture_inputs(processor: ProcessorMixin, prompt: str, clip_media: ClipMedia) -> BatchFeature:
    """A seeing model's inputs: the sampled frames, none dropped again, with the rate they were really sampled at."""
    arguments: dict[str, Any] = {}
    if clip_media.video:
        count, fps = len(clip_media.video.frames), clip_media.video.fps
        metadata = VideoMetadata(
            total_num_frames=count, fps=fps, duration=count / fps, frames_indices=list(range(count))
        )
        frames = torch.from_numpy(clip_media.video.frames).permute(0, 3, 1, 2)
        arguments = {"videos": [frames], "video_metadata": [metadata], "do_sample_frames": False}
    return processor(text=[prompt], return_tensors="pt", **arguments)


def sound_inputs(processor: ProcessorMixin, prompt: str, clip_media: ClipMedia, rate: int) -> BatchFeature:
    """A hearing model's inputs. rate: Hz of the waveform, that of the feature extractor."""
    arguments: dict[str, Any] = {}
    if clip_media.audio is not None:
        arguments = {"audio": [clip_media.audio], "sampling_rate": rate}
    return processor(text=[prompt], return_tensors="pt", **arguments)


def picture_limits(processor: ProcessorMixin) -> dict[str, int] | None:
    """How large a processor makes a video's frames, as its files say it; None for one that sees no video."""
    size = getattr(getattr(processor, "video_processor", None), "size", None)
    return None if size is None else {name: value for name, value in dict(size).items() if value is not None}


def interleaving(processor: ProcessorMixin) -> dict[str, Any]:
    """What tells a processor that the one sound belongs into the one video: transformers 5.23 renamed it."""
    if hasattr(processor, "load_audio_from_video"):
        return {"load_audio_from_video": True, "audio_from_video_indices": [0]}
    return {"use_audio_in_video": True}
