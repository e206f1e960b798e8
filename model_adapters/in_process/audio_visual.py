"""Models that see and hear at once: the thinkers of Qwen2.5-Omni and Qwen3-Omni, which answer in text.

By default a clip's sound is interleaved with its picture in time (`interleave=true`: the official code's
use_audio_in_video), wherever the file with the sound lies; `interleave=false` puts it in a block of its own after the
video. A trained model is asked as it was trained, unless an argument says otherwise (see `answering`). The whole model
with its talker is never loaded: a thinker reads its own part of the same checkpoint.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

from torch import Tensor
from transformers import (
    Qwen2_5OmniProcessor,
    Qwen2_5OmniThinkerForConditionalGeneration,
    Qwen3OmniMoeProcessor,
    Qwen3OmniMoeThinkerForConditionalGeneration,
)

from emorealm_tasks.errors import stop
from model_adapters.base import attention, training_prompt
from model_adapters.base.frame_sampling import ClipMedia
from model_adapters.base.media_refs import ClipFiles
from model_adapters.base.system_prompts import QWEN_OMNI
from model_adapters.in_process.attending import AttendingChat
from model_adapters.in_process.prompts import omni_inputs


class OmniAV(AttendingChat):
    """See `AttendingChat`.

    interleave: whether sound and picture are interleaved in time, as the official code does; default as it was trained,
    else true.
    """

    own_arguments: ClassVar[tuple[str, ...]] = ("interleave",)

    def __init__(self, interleave: bool | None = None, **model_args: Any) -> None:
        if not isinstance(interleave, bool | None):
            stop(f"{self.name}: interleave={interleave!r}; use true or false")
        training_prompt.require(self.name, model_args.get("pretrained"), interleave=interleave)
        super().__init__(**model_args)
        default = self.trained.interleave if self.trained else True
        self.interleave = default if interleave is None else interleave

    def ways(self) -> dict[str, Any]:
        """As `InProcessChat.ways`, and whether sound and picture are interleaved."""
        return super().ways() | {"interleave": self.interleave}

    def blocks(self, clip: ClipFiles) -> list[str]:
        """Interleaved sound has no block of its own: it stands in the video's."""
        return ["video"] if self._interleaved(clip) else super().blocks(clip)

    def process(self, prompt: str, clip_media: ClipMedia) -> Mapping[str, Tensor]:
        """What the processor makes of both at once, aligned in time."""
        return omni_inputs(self.processor, prompt, clip_media, self.reader.sampling.rate, self.interleave)

    def forward_settings(self, clip: ClipFiles) -> dict[str, Any]:
        """The positions must be computed the way the prompt was laid out."""
        return {"use_audio_in_video": self._interleaved(clip)}

    def token_kinds(self, ids: Tensor) -> Tensor:
        """Each medium has a token of its own."""
        return attention.kinds_of(ids, self.model.config.video_token_id, self.model.config.audio_token_id)

    def _interleaved(self, clip: ClipFiles) -> bool:
        return self.interleave and clip.video is not None and clip.audio is not None


class Qwen25OmniAV(OmniAV):
    """Qwen2.5-Omni with the paper's system prompt, its default (Appendix D.4); frames as officially."""

    name = "qwen2_5_omni_av"
    model_class = Qwen2_5OmniThinkerForConditionalGeneration
    processor_class = Qwen2_5OmniProcessor
    model_types = ("qwen2_5_omni", "qwen2_5_omni_thinker")
    default_system = QWEN_OMNI


class Qwen3OmniAV(OmniAV):
    """Qwen3-Omni; not in the paper, asked without a system prompt as its card advises."""

    name = "qwen3_omni_av"
    model_class = Qwen3OmniMoeThinkerForConditionalGeneration
    processor_class = Qwen3OmniMoeProcessor
    model_types = ("qwen3_omni_moe", "qwen3_omni_moe_thinker")
