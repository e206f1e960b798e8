"""What all our chat models share that answer single turns about a clip: arguments, requests, what is not offered.

How a question is answered is theirs: by transformers in this process, by an engine, by a server.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar, NamedTuple, NoReturn

from lmms_eval.api.instance import Instance
from lmms_eval.api.model import lmms

from emorealm_tasks import media
from emorealm_tasks.errors import stop
from emorealm_tasks.harness import media_log
from model_adapters import catalogue
from model_adapters.base import arguments
from model_adapters.base.frame_sampling import QWEN, Given, Sampling
from model_adapters.base.generation import generation_settings
from model_adapters.base.media_refs import ClipFiles
from model_adapters.base.requests import Ask, from_messages


class ChatRequest(NamedTuple):
    """One request, as a model is asked it."""

    ask: Ask
    clip: ClipFiles
    """What of the clip the model is given."""
    generation: dict[str, Any]
    """How to generate (`generation_settings`)."""
    until: str | list[str] | None
    """Where the answer is cut."""
    task: str


class ChatAV(lmms):
    """A chat model; its arguments say what of a clip it is given.

    system: system prompt, text or the name of a file. modalities: `av`, `a` or `v`; default all that it takes.
    fps, frames: frames a second of video and the most there are; fps=0 always takes `frames`.
    max_errors: the share of requests, 0 to 1, that may fail.
    """

    is_simple = False
    name: ClassVar[str]
    sampling: Sampling = QWEN
    default_system: ClassVar[str | None] = None

    def __init__(
        self,
        system: str | None = None,
        modalities: str | None = None,
        fps: float | None = None,
        frames: int | None = None,
        max_errors: float = 0.01,
    ) -> None:
        super().__init__()
        self.max_errors = arguments.number("max_errors", max_errors, 0.0, 1.0, self.name)
        self.system = self._resolve_system_prompt(system) or self.default_system
        self.sees, self.hears = self._modalities(modalities)
        self._set_sampling(fps, frames)
        self._logged: set[ClipFiles] = set()
        self._reported: set[str] = set()

    def ways(self) -> dict[str, Any]:
        """How clips and questions are put to the model, for the run's record (`harness.request_settings`)."""
        given = "a" * self.hears + "v" * self.sees
        of_video = {"fps": self.sampling.fps, "frames": self.sampling.most, "least_frames": self.sampling.least}
        return {"system": self.system, "modalities": given, **of_video}

    def read_request(self, instance: Instance) -> ChatRequest:
        """A request, without the media that this model is not given."""
        to_messages, settings, doc_id, task, split = instance.args[1:6]
        ask = from_messages(to_messages(self.task_dict[task][split][doc_id]), instance.task_name, self.name)
        clip = ClipFiles(ask.clip.video if self.sees else None, ask.clip.audio if self.hears else None)
        return ChatRequest(ask, clip, generation_settings(settings), settings.get("until"), task)

    def loglikelihood(self, requests: list[Instance]) -> NoReturn:
        """Not offered: these models answer in words."""
        stop(f"{self.name}: task {requests[0].task_name} asks for likelihoods; {self.name} answers in words only")

    def generate_until_multi_round(self, requests: list[Instance]) -> NoReturn:
        """Not offered: single turns only."""
        stop(f"{self.name}: task {requests[0].task_name} is a dialogue of several rounds; it answers single turns only")

    def log_media(self, clip: ClipFiles, times: Sequence[float], audio_seconds: float) -> None:
        """Write to the media log, once a clip of the task, what of it the model was given."""
        if clip not in self._logged:
            self._logged.add(clip)
            media_log.append(
                {
                    "clip": clip.video,
                    "audio": clip.audio,
                    "frames": len(times),
                    "times": list(times),
                    "audio_seconds": audio_seconds,
                }
            )

    def log_given(self, clip: ClipFiles, given: Given, rate: int) -> None:
        """As `log_media`, of what was decoded; `rate`: Hz of its waveform."""
        times = given.seen.times.tolist() if given.seen else []
        self.log_media(clip, times, 0.0 if given.heard is None else len(given.heard) / rate)

    @staticmethod
    def said(error: Exception) -> str:
        """What went wrong with a request, on one line."""
        said = arguments.first_line(error)
        return said if isinstance(error, media.MediaError) else f"{type(error).__name__}: {said}"

    def _modalities(self, wanted: str | None) -> tuple[bool, bool]:
        entry = catalogue.find(self.name)
        if wanted is None:
            return entry.sees, entry.hears
        arguments.one_of("modalities", wanted, ("av", "a", "v"), self.name)
        if ("v" in wanted and not entry.sees) or ("a" in wanted and not entry.hears):
            stop(f"{self.name}: modalities={wanted}: it can only {'see' if entry.sees else 'hear'}")
        return "v" in wanted, "a" in wanted

    def _set_sampling(self, fps: float | None, frames: int | None) -> None:
        if fps is not None:
            self.sampling = replace(self.sampling, fps=arguments.number("fps", fps, 0.0, 240.0, self.name))
        if frames is not None:
            most = int(arguments.number("frames", frames, 1, 10_000, self.name))
            self.sampling = replace(self.sampling, most=most, least=min(self.sampling.least, most))
