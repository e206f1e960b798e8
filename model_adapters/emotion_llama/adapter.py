"""Emotion-LLaMA and Emotion-LLaMA-v2 as models of lmms-eval: chat tasks, the likelihood of options, attention.

The prompt is the published one (`EmotionLlamaProcessor.prompt`): no chat template, no system text, no subtitle. Which
placement of the tokens, instruction and features were used is part of a run's record (`asked`). An option is scored in
the form that the released model learned answers in (`answer_form`): "A" as "a".
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

import torch
from torch import Tensor

from emorealm_tasks import settings
from emorealm_tasks.errors import stop
from model_adapters.base import arguments
from model_adapters.base.frame_sampling import ClipMedia, Sampling
from model_adapters.base.media_refs import ClipFiles
from model_adapters.base.requests import ClipQuestion
from model_adapters.in_process.attending import AttendingChat
from model_adapters.in_process.base import Arguments
from model_adapters.in_process.likelihood import ScoringChat

from . import clips, given_features
from .attention import kinds_of
from .classes import EmotionLlamaForConditionalGeneration, EmotionLlamaProcessor
from .configuration import PLACEMENTS
from .processing import INSTRUCTIONS

_OF_THE_DEMO = (
    "worker",
    "python",
    "repo",
    "checkpoint",
    "options",
    "env",
    "timeout",
    "start_timeout",
    "retries",
    "log",
)
_DEMO = "--model external_worker --model_args worker=emotion_llama_released,..."


class EmotionLlama(ScoringChat, AttendingChat):
    """Version 1. See `InProcessChat`; its weights are those of `pretrained`, else of EMOREALM_EMOTION_LLAMA.

    features: which stand beside the image (`given_features`). placement: of the tokens, `released` or `training`.
    Default for both: the folder's own (its config.json). instruction: the prompt's tag, one of INSTRUCTIONS.
    """

    name = "emotion_llama"
    version: ClassVar[int] = 1
    """Of the weights that the class answers with."""
    model_class = EmotionLlamaForConditionalGeneration
    processor_class = EmotionLlamaProcessor
    model_types = ("emotion_llama",)
    own_arguments: ClassVar[tuple[str, ...]] = ("features", "placement", "instruction")
    refused_arguments: ClassVar[tuple[str, ...]] = ("system", "fps", "frames")
    templated = False
    sampling = Sampling(fps=0.0, most=1)
    processor: EmotionLlamaProcessor
    """The folder's, whose config has the placement in use."""

    def __init__(
        self,
        features: str | None = None,
        placement: str | None = None,
        instruction: str | None = None,
        **model_args: Any,
    ) -> None:
        for argument in _OF_THE_DEMO:
            if argument in model_args:
                stop(f"{self.name}: {argument}= is an argument of the released demo, which is {_DEMO}")
        if placement is not None:
            arguments.one_of("placement", placement, PLACEMENTS, self.name)
        self.instruction = instruction or INSTRUCTIONS[self.version][0]
        arguments.one_of("instruction", self.instruction, INSTRUCTIONS[self.version], self.name)
        if features is not None:
            given_features.find(features, self.name)  # a mistake shows before the weights are loaded
        self._features, self._placement = features, placement
        pretrained = model_args.pop("pretrained", None) or settings.load().emotion_llama
        super().__init__(pretrained=str(pretrained) if pretrained else None, **model_args)

    def _load(self, checkpoint: str, chosen: Arguments) -> None:
        """As the base, with the placement and the features that an argument names."""
        super()._load(checkpoint, chosen)
        config = self.processor.config
        features = self._features or config.features
        self._features_of = given_features.find(features, self.name)
        self.features = given_features.kind(features)
        self.fingerprint += given_features.stamp(features)
        if config.version != self.version:
            other = EmotionLlamaV2 if self.version == 1 else EmotionLlama
            stop(f"{self.name}: {checkpoint} is version {config.version}; use --model {other.name}")
        config.placement = self._placement or config.placement
        self.sampling = replace(self.sampling, most=clips.frame_count(config))

    def ways(self) -> dict[str, Any]:
        """As `InProcessChat.ways`, and what the prompt and the features are made by."""
        own = {"version": self.version, "placement": self.processor.config.placement}
        return super().ways() | own | {"instruction": self.instruction, "features": self.features}

    def prompt(self, question: ClipQuestion, clip: ClipFiles) -> str:
        """The published instruction. Raises ValueError for a question that holds a tag of its slots."""
        return self.processor.prompt(question.text, bool(clip.media), self.instruction)

    def decode(self, clip: ClipFiles, sampling: Sampling) -> ClipMedia:
        """The first frame, in version 2 those for the video encoder after it, and the sound. Raises MediaError."""
        return clips.read(clip, self.processor.config)

    def inputs(self, question: ClipQuestion, clip: ClipFiles) -> tuple[Mapping[str, Tensor], ClipMedia]:
        """As `InProcessChat.inputs`, with the clip's features. Raises MediaError, ValueError (see `prompt`)."""
        decoded = self.reader(clip)
        features = self._features_of(clip) if clip.media else None
        return self.process(self.prompt(question, clip), decoded, features), decoded

    def process(self, prompt: str, clip_media: ClipMedia, features: torch.Tensor | None = None) -> Mapping[str, Tensor]:
        """The processor's inputs; features: (3, feature size), None = those of `demo`."""
        frames = clip_media.video.frames if clip_media.video else None
        if frames is None and clip_media.audio is None:
            return self.processor([prompt])
        return self.processor([prompt], [frames], [clip_media.audio], [features])

    def option_ids(self, option: str) -> list[int]:
        """Ids of an option's text in the form of an answer."""
        return self.processor.encode_answer(option)

    def token_kinds(self, ids: Tensor) -> Tensor:
        """By the order of the clip's tokens, which all have one id. Raises ValueError for a prompt without a clip."""
        return kinds_of(ids, self.processor.config)


class EmotionLlamaV2(EmotionLlama):
    """Version 2, which computes all of its features itself."""

    name = "emotion_llama_v2"
    version = 2
    own_arguments = ("placement", "instruction")

    def __init__(self, placement: str | None = None, instruction: str | None = None, **model_args: Any) -> None:
        super().__init__(placement=placement, instruction=instruction, **model_args)
        self.features = "own"
