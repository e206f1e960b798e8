"""Every model family that can be trained: the one table. It imports nothing heavy."""

from dataclasses import dataclass

from avem_train.backbones.lora_targets import ATTENTION, NAMES
from model_adapters import catalogue


@dataclass(frozen=True)
class Family:
    """A family of models."""

    model_types: tuple[str, ...]
    """`model_type` in config.json."""
    backbone: str
    """Import path of its class, see `base.Backbone`."""
    processor: str
    """Import path of what makes the model's inputs."""
    adapter: str
    """The harness's `--model` for what was trained."""
    whole: tuple[str, ...] = ()
    """Modules that are never quantised, beside encoders, projectors and the head."""
    adapted: tuple[str, ...] = NAMES
    """The linear layers that LoRA can adapt, of `lora_targets.NAMES`."""
    not_adapted: str | None = None
    """A regular expression for modules that PEFT must be told to leave alone."""

    @property
    def media(self) -> tuple[str, ...]:
        """Which of "video" and "audio" the model takes."""
        model = catalogue.find(self.adapter)
        return ("video",) * model.sees + ("audio",) * model.hears


FAMILIES = (
    Family(
        ("avere",),
        backbone="avem_train.backbones.avere.AvereBackbone",
        processor="model_adapters.avere.AvereProcessor",
        adapter="avere",
    ),
    Family(
        ("emotion_llama",),
        backbone="avem_train.backbones.emotion_llama.EmotionLlamaBackbone",
        processor="model_adapters.emotion_llama.EmotionLlamaProcessor",
        adapter="emotion_llama",
        whole=("q_proj", "v_proj"),  # where its released LoRA stands, which would be lost
    ),
    Family(
        ("qwen2_5_omni", "qwen2_5_omni_thinker"),
        backbone="avem_train.backbones.qwen_omni.QwenOmniBackbone",
        processor="transformers.Qwen2_5OmniProcessor",
        adapter="qwen2_5_omni_av",
    ),
    Family(
        ("qwen3_omni_moe", "qwen3_omni_moe_thinker"),
        backbone="avem_train.backbones.qwen3_omni.Qwen3OmniBackbone",
        processor="transformers.Qwen3OmniMoeProcessor",
        adapter="qwen3_omni_av",
        adapted=ATTENTION,  # experts are no linear layers: PEFT would put adapters on all of them at once
        not_adapted=r".*\b(visual|audio_tower)\b.*",  # of a model with experts PEFT knows targets by their last name
    ),
    Family(
        ("qwen2_5_vl",),
        backbone="avem_train.backbones.qwen2_5_vl.Qwen25VLBackbone",
        processor="transformers.Qwen2_5_VLProcessor",
        adapter="qwen2_5_vl_av",
    ),
    Family(
        ("qwen2_audio",),
        backbone="avem_train.backbones.qwen2_audio.Qwen2AudioBackbone",
        processor="transformers.Qwen2AudioProcessor",
        adapter="qwen2_audio_av",
    ),
)
BY_TYPE = {model_type: family for family in FAMILIES for model_type in family.model_types}
"""`model_type` -> its family."""
