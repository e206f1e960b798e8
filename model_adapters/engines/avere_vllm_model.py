"""AVERE as a model of vLLM: towers and projectors are those of `model_adapters.avere`, the Llama is vLLM's own.

Media come prepared, as `model_adapters.avere.clips.decode` makes them: pixels (frames, 3, size, size) and log-mel
(bins, mel frames), with prompts whose placeholders are expanded. So vLLM's processor has nothing left to do but to say
where the embeddings go. A prompt may hold one video and one sound.

vLLM needs no tokenizer for it (`skip_tokenizer_init=True`): the placeholders' ids lie behind the vocabulary, where vLLM
looks for none, and AVERE's texts are tokenised piece by piece.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import nn
from transformers import BatchFeature

from model_adapters.avere.configuration import AvereConfig
from model_adapters.avere.modeling import AvereTowers

try:
    from vllm.config import VllmConfig
    from vllm.model_executor.models.interfaces import SupportsLoRA, SupportsMultiModal
    from vllm.model_executor.models.module_mapping import MultiModelKeys
    from vllm.model_executor.models.utils import (
        AutoWeightsLoader,
        WeightsMapper,
        init_vllm_registered_model,
        maybe_prefix,
    )
    from vllm.multimodal import MULTIMODAL_REGISTRY
    from vllm.multimodal.inputs import MultiModalFieldConfig
    from vllm.multimodal.parse import MultiModalDataParser, ProcessorBatchItems
    from vllm.multimodal.processing import (
        BaseDummyInputsBuilder,
        BaseMultiModalProcessor,
        BaseProcessingInfo,
        ProcessorInputs,
        PromptReplacement,
    )
except ImportError as error:
    raise ImportError(f"{__name__}: a module for vLLM, which cannot be imported ({error})") from error

_FIELDS = {"video": "pixel_values_videos", "audio": "input_features"}
"""vLLM's modalities, and what AVERE calls their input."""


class PreparedMedia(ProcessorBatchItems):
    """Tensors of one modality, which the encoder takes as they are."""


class PreparedMediaParser(MultiModalDataParser):
    """Takes a tensor a clip; None where vLLM knows it by its identity."""

    def _get_subparsers(self) -> Mapping[str, Any]:
        return {modality: lambda data, modality=modality: PreparedMedia(data, modality) for modality in _FIELDS}


def stacked(videos: Sequence[torch.Tensor] = (), audio: Sequence[torch.Tensor] = (), **_: object) -> BatchFeature:
    """Tensors of clips -> the model's inputs, a row each: what vLLM calls a processor."""
    given = zip(_FIELDS.values(), (videos, audio), strict=True)
    return BatchFeature({name: torch.stack(list(rows)) for name, rows in given if len(rows)})


class AvereProcessingInfo(BaseProcessingInfo):
    """What vLLM asks of a model before it prepares media."""

    def get_hf_config(self) -> AvereConfig:
        """The checkpoint's."""
        return self.ctx.get_hf_config(AvereConfig)

    def get_hf_processor(self, **_: object) -> Any:
        """See `stacked`."""
        return stacked

    def get_data_parser(self) -> PreparedMediaParser:
        """See `PreparedMediaParser`."""
        return PreparedMediaParser()

    def get_supported_mm_limits(self) -> Mapping[str, int | None]:
        """One of each."""
        return dict.fromkeys(_FIELDS, 1)

    def get_mm_max_tokens_per_item(self, seq_len: int, mm_counts: Mapping[str, int]) -> Mapping[str, int]:
        """Placeholders of each medium, which are the same for all clips."""
        config = self.get_hf_config()
        return {"video": config.video_tokens, "audio": config.audio_tokens}


class AvereDummyInputs(BaseDummyInputsBuilder):
    """Black frames and silence, with which vLLM measures how much memory a clip takes."""

    def get_dummy_text(self, mm_counts: Mapping[str, int]) -> str:
        """None: there is no tokenizer."""
        return ""

    def get_dummy_mm_data(self, seq_len: int, mm_counts: Mapping[str, int], mm_options: Any) -> dict[str, Any]:
        """As many media as asked for."""
        config = self.info.get_hf_config()
        vision, audio = config.vision_config, config.audio_config
        shapes = {
            "video": (vision.num_frames, 3, vision.image_size, vision.image_size),
            "audio": (audio.num_mel_bins, 2 * audio.max_source_positions),  # the encoder halves the mel frames
        }
        return {modality: [torch.zeros(shapes[modality])] * count for modality, count in mm_counts.items() if count}


class AvereMultiModalProcessor(BaseMultiModalProcessor):
    """Finds the expanded placeholders of prepared media."""

    requires_tokenizer = False

    def get_dummy_inputs(self, seq_len: int, mm_counts: Mapping[str, int], mm_options: Any) -> ProcessorInputs:
        """The media of `AvereDummyInputs` and their placeholders."""
        media = self.dummy_inputs.get_dummy_mm_data(seq_len, mm_counts, mm_options)
        places = _placeholders(self.info.get_hf_config())
        ids = [id_ for modality in media for id_ in places[modality]]
        return ProcessorInputs(prompt=ids, mm_data_items=self.info.parse_mm_data(media, validate=False))

    def _get_mm_fields_config(self, hf_inputs: BatchFeature, hf_processor_mm_kwargs: Any) -> Mapping[str, Any]:
        return {name: MultiModalFieldConfig.batched(modality) for modality, name in _FIELDS.items()}

    def _get_prompt_updates(self, mm_items: Any, hf_processor_mm_kwargs: Any, out_mm_kwargs: Any) -> Sequence[Any]:
        places = _placeholders(self.info.get_hf_config())
        return [
            PromptReplacement(modality=modality, target=ids, replacement=ids)
            for modality, ids in places.items()
            if modality in mm_items
        ]


def _placeholders(config: AvereConfig) -> dict[str, list[int]]:
    """What stands for a medium in a prompt."""
    return {
        "video": [config.video_token_id] * config.video_tokens,
        "audio": [config.audio_token_id] * config.audio_tokens,
    }


@MULTIMODAL_REGISTRY.register_processor(
    AvereMultiModalProcessor, info=AvereProcessingInfo, dummy_inputs=AvereDummyInputs
)
class AvereForVLLM(nn.Module, AvereTowers, SupportsMultiModal, SupportsLoRA):
    """See the module; weights are the checkpoint's. LoRA works on the language model."""

    hf_to_vllm_mapper = WeightsMapper(
        orig_to_new_prefix={
            "model.language_model.": "language_model.model.",
            "lm_head.": "language_model.lm_head.",
            "model.": "",
        }
    )
    packed_modules_mapping = {  # noqa: RUF012 - vLLM reads a dict
        "qkv_proj": ["q_proj", "k_proj", "v_proj"],
        "gate_up_proj": ["gate_proj", "up_proj"],
    }

    def __init__(self, *, vllm_config: VllmConfig, prefix: str = "") -> None:
        super().__init__()
        self.config = config = vllm_config.model_config.hf_config
        own: Any = self  # vLLM's classes have no types here
        with own._mark_tower_model(vllm_config, set(_FIELDS)):
            self.add_towers(config)
        with own._mark_language_model(vllm_config):
            self.language_model = init_vllm_registered_model(
                vllm_config=vllm_config,
                hf_config=config.text_config,
                prefix=maybe_prefix(prefix, "language_model"),
                architectures=["LlamaForCausalLM"],
            )
        media_ids = [config.video_token_id, config.audio_token_id]
        own.configure_mm_token_handling(config.text_config.vocab_size, media_ids)

    def embed_multimodal(
        self,
        pixel_values_videos: torch.Tensor | None = None,
        input_features: torch.Tensor | None = None,
        **_: object,
    ) -> list[torch.Tensor]:
        """Embeddings (tokens, hidden) of each medium; see `AvereTowers` for what goes in."""
        embeddings: list[torch.Tensor] = []
        weight = self.audio_tower.conv1.weight
        if pixel_values_videos is not None:
            embeddings += self.get_video_features(pixel_values_videos.to(weight))
        if input_features is not None:
            embeddings += self.get_audio_features(input_features.to(weight))
        return embeddings

    def forward(
        self,
        input_ids: torch.Tensor | None,
        positions: torch.Tensor,
        intermediate_tensors: Any = None,
        inputs_embeds: torch.Tensor | None = None,
        **_: object,
    ) -> Any:
        """Hidden states of the language model."""
        return self.language_model.model(input_ids, positions, intermediate_tensors, inputs_embeds=inputs_embeds)

    def compute_logits(self, hidden_states: torch.Tensor) -> torch.Tensor | None:
        """Of the language model's head."""
        return self.language_model.compute_logits(hidden_states)

    def get_mm_mapping(self) -> MultiModelKeys:
        """Which modules are which part."""
        return MultiModelKeys.from_string_field(
            language_model="language_model.",
            connector=["video_projector.", "audio_projector."],
            tower_model=["video_tower.", "audio_tower."],
        )

    def load_weights(self, weights: Iterable[tuple[str, torch.Tensor]]) -> set[str]:
        """Load a checkpoint's tensors; the names of those that found a place."""
        return AutoWeightsLoader(self).load_weights(weights, mapper=self.hf_to_vllm_mapper)
