"""The base of our chat models, which answer single turns about a clip: arguments, requests, the media log.

Subclasses answer the questions: with transformers in this process, with an engine, or through a server.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, NamedTuple, NoReturn

from lmms_eval.api.instance import Instance
from lmms_eval.api.model import lmms

from emorealm_tasks import media
from emorealm_tasks.errors import stop
from model_adapters import catalogue
from model_adapters.base import arguments
from model_adapters.base.frame_sampling import QWEN, ClipMedia, Sampling
from model_adapters.base.generation import generation_settings
from model_adapters.base.media_notes import MediaNotes
from model_adapters.base.media_refs import ClipFiles
from model_adapters.base.requests import ClipQuestion, from_messages, from_visuals


@dataclass(frozen=True)
class ChatArguments:
    """The `--model_args` that every chat model takes."""

    system: str | None = None
    """System prompt, text or the name of a file; default the paper's."""
    modalities: str | None = None
    """`av`, `a` or `v`; default all that the model takes."""
    fps: float | None = None
    """Frames a second of video, 0 = always `frames`; default the model's own."""
    frames: int | None = None
    """The most frames; default the model's own."""
    max_errors: float = 0.01
    """The share of requests, 0 to 1, that may fail."""


class ChatRequest(NamedTuple):
    """One request to a model."""

    question: ClipQuestion
    """The question, with all media that the task sends."""
    clip: ClipFiles
    """The media that the model is given."""
    generation: dict[str, Any]
    """How to generate (`generation_settings`)."""
    until: str | list[str] | None
    """Where the answer is cut."""
    task: str
    """The task's name."""


class ChatAV(lmms):
    """A chat model. Subclasses take their arguments as a dataclass that extends `ChatArguments`."""

    is_simple = False
    name: ClassVar[str]
    """Name for `--model`, and in messages."""
    sampling: Sampling = QWEN
    """Which frames of a clip are taken, where no argument says so."""
    default_system: ClassVar[str | None] = None
    """System prompt where none is given; None = none."""

    def __init__(self, chosen: ChatArguments) -> None:
        super().__init__()
        self.max_errors = arguments.number("max_errors", chosen.max_errors, 0.0, 1.0, self.name)
        self.system = self._resolve_system_prompt(chosen.system) or self.default_system
        self.sees, self.hears = self._modalities(chosen.modalities)
        self._set_sampling(chosen.fps, chosen.frames)
        self._media_notes = MediaNotes()
        self._reported: set[str] = set()

    def ways(self) -> dict[str, Any]:
        """How clips and questions are put to the model, for the run's record (`harness.request_settings`)."""
        modalities = "a" * self.hears + "v" * self.sees
        of_video = {"fps": self.sampling.fps, "frames": self.sampling.most, "least_frames": self.sampling.least}
        return {"system": self.system, "modalities": modalities, **of_video}

    def read_request(self, instance: Instance) -> ChatRequest:
        """A request, without the media that this model is not given."""
        to_messages, settings, doc_id, task, split = instance.args[1:6]
        question = from_messages(to_messages(self.task_dict[task][split][doc_id]), instance.task_name, self.name)
        return ChatRequest(
            question, self.given(question.clip), generation_settings(settings), settings.get("until"), task
        )

    def option_request(self, instance: Instance) -> ChatRequest:
        """A simple request (context, option, visuals) as a question, without the media this model is not given."""
        context, _, to_visual, doc_id, task, split = instance.args
        visuals = to_visual(self.task_dict[task][split][doc_id])
        question = from_visuals(context, visuals, instance.task_name, self.name)
        return ChatRequest(question, self.given(question.clip), {}, None, task)

    def given(self, clip: ClipFiles) -> ClipFiles:
        """The media of a clip that this model is given."""
        return ClipFiles(clip.video if self.sees else None, clip.audio if self.hears else None)

    def loglikelihood(self, requests: list[Instance]) -> list[tuple[float, bool]]:
        """Not offered: these models answer in words."""
        stop(f"{self.name}: task {requests[0].task_name} asks for likelihoods; {self.name} answers in words only")

    def generate_until_multi_round(self, requests: list[Instance]) -> NoReturn:
        """Not offered: single turns only."""
        stop(f"{self.name}: task {requests[0].task_name} is a dialogue of several rounds; it answers single turns only")

    def log_media(self, clip: ClipFiles, times: Sequence[float], audio_seconds: float) -> None:
        """Write to the media log which media the model was given, once for each clip of a task."""
        self._media_notes.add(clip, len(times), times, audio_seconds)

    def log_clip_media(self, clip: ClipFiles, clip_media: ClipMedia, rate: int) -> None:
        """As `log_media`, of what was decoded; `rate`: Hz of its waveform."""
        times = clip_media.video.times.tolist() if clip_media.video else []
        self.log_media(clip, times, 0.0 if clip_media.audio is None else len(clip_media.audio) / rate)

    @staticmethod
    def failure_text(error: Exception) -> str:
        """What went wrong with a request, on one line."""
        reason = arguments.first_line(error)
        return reason if isinstance(error, media.MediaError) else f"{type(error).__name__}: {reason}"

    def _modalities(self, modalities: str | None) -> tuple[bool, bool]:
        entry = catalogue.find(self.name)
        if modalities is None:
            return entry.sees, entry.hears
        arguments.one_of("modalities", modalities, ("av", "a", "v"), self.name)
        if ("v" in modalities and not entry.sees) or ("a" in modalities and not entry.hears):
            stop(f"{self.name}: modalities={modalities}: it can only {'see' if entry.sees else 'hear'}")
        return "v" in modalities, "a" in modalities

    def _set_sampling(self, fps: float | None, frames: int | None) -> None:
        if fps is not None:
            self.sampling = replace(self.sampling, fps=arguments.number("fps", fps, 0.0, 240.0, self.name))
        if frames is not None:
            most = int(arguments.number("frames", frames, 1, 10_000, self.name))
            self.sampling = replace(self.sampling, most=most, least=min(self.sampling.least, most))
