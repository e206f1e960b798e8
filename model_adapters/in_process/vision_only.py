"""Models that only see: the sound of a clip is never decoded, whatever the task hands over."""

from collections.abc import Mapping

from torch import Tensor
from transformers import (
    InternVLForConditionalGeneration,
    InternVLProcessor,
    Qwen2_5_VLForConditionalGeneration,
    Qwen2_5_VLProcessor,
    VideoLlama3ForConditionalGeneration,
    VideoLlama3Processor,
)

from model_adapters.base.frame_sampling import ClipMedia, Sampling
from model_adapters.in_process.base import InProcessChat
from model_adapters.in_process.prompts import picture_inputs

_INTERN_SYSTEM = (
    "你是书生·万象，英文名是InternVL，是由上海人工智能实验室、清华大学及多家合作单位联合开发的多模态大语言模型。"
)


class VisionOnlyAV(InProcessChat):
    """See `InProcessChat`."""

    def process(self, prompt: str, clip_media: ClipMedia) -> Mapping[str, Tensor]:
        """The sampled frames, with the rate they were really sampled at."""
        return picture_inputs(self.processor, prompt, clip_media)


class VideoLlama3AV(VisionOnlyAV):
    """VideoLLaMA3 with its default system prompt (Appendix D.4), one frame a second, 180 at most.

    Its published 7B weights need code of their own; this class takes them in transformers' layout.
    """

    name = "videollama3_av"
    model_class = VideoLlama3ForConditionalGeneration
    processor_class = VideoLlama3Processor
    model_types = ("video_llama_3",)
    sampling = Sampling(fps=1.0, most=180, least=1)


class Qwen25VLAV(VisionOnlyAV):
    """Qwen2.5-VL with its default system prompt (Appendix D.4); two frames a second, as officially."""

    name = "qwen2_5_vl_av"
    model_class = Qwen2_5_VLForConditionalGeneration
    processor_class = Qwen2_5_VLProcessor
    model_types = ("qwen2_5_vl",)


class InternVL35AV(VisionOnlyAV):
    """InternVL3.5 with its official code's system prompt and number of frames, eight; evenly spaced over the clip."""

    name = "internvl3_5_av"
    model_class = InternVLForConditionalGeneration
    processor_class = InternVLProcessor
    model_types = ("internvl",)
    sampling = Sampling(fps=0.0, most=8)
    default_system = _INTERN_SYSTEM
