"""The base of all chat models that transformers runs in this process: arguments, batches, answers, failures.

A family says which classes it is made of, what its processor is called with, and how many frames it takes by default;
everything else is here. Decoding is greedy unless the task asks for more. An exception is never an answer: a batch that
fails is tried again question by question, the questions at fault are answered `[LMMS_EVAL_REQUEST_FAILED ...]`, and the
run stops with a non-zero code once more than `max_errors` of its requests failed.
"""

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import ClassVar, NamedTuple

import torch
from lmms_eval.api.instance import GenerationResult, Instance, TokenCounts
from lmms_eval.api.model import lmms
from loguru import logger
from torch import Tensor
from tqdm import tqdm
from transformers import PreTrainedModel, ProcessorMixin

from emorealm_tasks import media, media_log
from emorealm_tasks.errors import stop
from model_adapters import arguments, catalogue, contrastive
from model_adapters.asking import Ask, from_messages
from model_adapters.clip import Clip
from model_adapters.failures import ErrorBudget, cut

from . import loading
from .batches import batches, generation_settings
from .clips import ClipReader, Given, Sampling
from .collate import collate

_AHEAD = 2  # batches prepared while the model works on one
ARGUMENTS = (
    "pretrained",
    "batch_size",
    "device",
    "device_map",
    "dtype",
    "attn_implementation",
    "system",
    "modalities",
    "fps",
    "frames",
    "max_errors",
)
_MEDIA_INPUTS = ("pixel_values", "pixel_values_videos", "input_features")


class Asked(NamedTuple):
    """One request: what is asked, what of its clip this model takes, and how to generate."""

    ask: Ask
    clip: Clip
    generation: dict
    until: str | list[str] | None


class InProcessChat(lmms):
    """A chat model; subclasses fill in the class attributes and `process`.

    pretrained: hub id or folder; default the published checkpoint (see the catalogue).
    batch_size: questions at once (--batch_size); `auto` is 16.
    device, dtype: `auto` is this process's GPU in bfloat16, else the CPU in float32. device_map: as in transformers;
    `auto` spreads one model over several GPUs, in a single process.
    attn_implementation: as in transformers (flash_attention_2 is the paper's where it says so).
    system: system prompt, text or the name of a file; default the paper's.
    modalities: `av`, `a` or `v`: what the model may be given; default all that it takes.
    fps, frames: frames a second of video and the most there are; fps=0 always takes `frames`.
    max_errors: the share of requests, 0 to 1, that may fail.
    vcd_alpha, vcd_beta, vcd_step, vcd_modalities: contrastive decoding, off without vcd_alpha (see `contrastive`).
    """

    is_simple = False
    name: ClassVar[str]
    model_class: ClassVar[type[PreTrainedModel]]
    processor_class: ClassVar[type[ProcessorMixin]]
    model_types: ClassVar[tuple[str, ...]]
    sampling: Sampling = Sampling(fps=2.0, most=768, least=4, multiple=2)
    default_system: ClassVar[str | None] = None
    own_arguments: ClassVar[tuple[str, ...]] = ()
    """Arguments of a family beyond those of the base."""

    def __init__(
        self,
        pretrained: str | None = None,
        batch_size: int | str = 1,
        device: str | None = None,
        device_map: str | dict[str, int | str] | None = None,
        dtype: str = "auto",
        attn_implementation: str | None = None,
        system: str | None = None,
        modalities: str | None = None,
        fps: float | None = None,
        frames: int | None = None,
        max_errors: float = 0.01,
        **unknown: object,
    ) -> None:
        super().__init__()
        self.contrast = contrastive.from_arguments(unknown, self.name)
        known = (*ARGUMENTS, *contrastive.ARGUMENTS, *self.own_arguments)
        arguments.refuse_unknown(unknown, known, self.name)
        entry = catalogue.find(self.name)
        self.device = arguments.choose_device(device, self.name)
        self.batch_size = arguments.batch_size(batch_size, self.name)
        self.max_errors = arguments.number("max_errors", max_errors, 0.0, 1.0, self.name)
        self.system = self._resolve_system_prompt(system) or self.default_system
        self.sees, self.hears = self._modalities(modalities, entry)
        self._set_sampling(fps, frames)
        checkpoint = pretrained or entry.checkpoint
        if not checkpoint:
            stop(f"{self.name}: name its weights with pretrained=...: {entry.note}")
        self.model, self.processor = loading.load(
            self.name,
            self.model_class,
            self.processor_class,
            checkpoint,
            self.model_types,
            dtype=arguments.choose_dtype(dtype, self.device, self.name),
            attn_implementation=attn_implementation,
            device_map=device_map,
        )
        self.fingerprint = loading.identify(checkpoint, self.model)
        self.model = loading.place(self.model, self.device, device_map)
        self.tokenizer = self.processor.tokenizer
        pad = self.tokenizer.pad_token_id
        self.pad = self.tokenizer.eos_token_id if pad is None else pad
        extractor = getattr(self.processor, "feature_extractor", None)
        rate = extractor.sampling_rate if extractor else media.AUDIO_RATE
        self.reader = ClipReader(replace(self.sampling, rate=rate))
        self._logged: set[Clip] = set()
        self._reported: set[str] = set()

    @abstractmethod
    def process(self, prompt: str, given: Given) -> Mapping[str, Tensor]:
        """The model's inputs for one question: what the family's own processor makes of a prompt and media."""

    def forward_settings(self, clip: Clip) -> dict:
        """What `forward` must be told about clips with these modalities, the same for a whole batch."""
        return {}

    def generate_until(self, requests: list[Instance]) -> list[GenerationResult]:
        """An answer to each request."""
        asked = [self.asked(request) for request in requests]
        answers: list[GenerationResult | None] = [None] * len(asked)
        budget = ErrorBudget(self.name, self.max_errors, len(asked), self._reported, "")
        with tqdm(total=len(asked), disable=self.rank != 0, desc=self.name) as progress:
            for numbers, prepared in self._prepared(asked):
                for number, answer in zip(numbers, self._answer(asked, numbers, prepared), strict=True):
                    if isinstance(answer, Exception):
                        answer = GenerationResult(budget.spend(self._said(answer)))
                    answers[number] = answer
                progress.update(len(numbers))
        return answers

    def loglikelihood(self, requests: list[Instance]) -> list[tuple[float, bool]]:
        """Not offered: these models answer in words."""
        stop(f"{self.name}: task {requests[0].task_name} asks for likelihoods; {self.name} answers in words only")

    def generate_until_multi_round(self, requests: list[Instance]) -> list[str]:
        """Not offered: single turns only."""
        stop(f"{self.name}: task {requests[0].task_name} is a dialogue of several rounds; it answers single turns only")

    def prompt(self, ask: Ask, clip: Clip) -> str:
        """The checkpoint's own chat template around the media that are given, the text behind them."""
        content = [{"type": kind} for kind in self.blocks(clip)] + [{"type": "text", "text": ask.text}]
        messages = [{"role": "user", "content": content}]
        if self.system:
            messages.insert(0, {"role": "system", "content": [{"type": "text", "text": self.system}]})
        return self.processor.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)

    def blocks(self, clip: Clip) -> list[str]:
        """Kinds of the media blocks in the prompt, in order."""
        return [medium.kind for medium in clip.media]

    def inputs(self, ask: Ask, clip: Clip) -> tuple[Mapping[str, Tensor], Given]:
        """The model's inputs for one question, on the CPU, and the media they were made of. Raises MediaError."""
        given = self.reader(clip)
        return self.process(self.prompt(ask, clip), given), given

    def batch(self, rows: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
        """Rows as one batch on the model's device; pixels and mel features in its dtype, positions exact."""
        joined = collate(rows, self.pad)
        dtypes = dict.fromkeys(_MEDIA_INPUTS, self.model.dtype)
        return {name: value.to(self.model.device, dtypes.get(name)) for name, value in joined.items()}

    def _modalities(self, wanted: str | None, entry: catalogue.Model) -> tuple[bool, bool]:
        if wanted is None:
            return entry.sees, entry.hears
        arguments.one_of("modalities", wanted, ("av", "a", "v"), self.name)
        if ("v" in wanted and not entry.sees) or ("a" in wanted and not entry.hears):
            stop(f"{self.name}: modalities={wanted}: it can only {'see' if entry.sees else 'hear'}")
        return "v" in wanted, "a" in wanted

    def _set_sampling(self, fps: float | None, frames: int | None) -> None:
        given = {}
        if fps is not None:
            given["fps"] = arguments.number("fps", fps, 0.0, 240.0, self.name)
        if frames is not None:
            given["most"] = int(arguments.number("frames", frames, 1, 10_000, self.name))
            given["least"] = min(self.sampling.least, given["most"])
        self.sampling = replace(self.sampling, **given)

    def asked(self, request: Instance) -> Asked:
        """A request, without the media that this model does not take."""
        to_messages, settings, doc_id, task, split = request.args[1:6]
        ask = from_messages(to_messages(self.task_dict[task][split][doc_id]), request.task_name, self.name)
        clip = Clip(ask.clip.video if self.sees else None, ask.clip.audio if self.hears else None)
        generation = generation_settings(settings)
        if self.contrast and (generation["do_sample"] or generation["num_beams"] > 1):
            stop(f"{self.name}: task {request.task_name} asks for sampling or beams; vcd_alpha decodes greedily")
        return Asked(ask, clip, generation, settings.get("until"))

    def _prepared(self, asked: Sequence[Asked]) -> Iterator[tuple[list[int], list]]:
        """Numbers of each batch and, for each, its inputs or why there are none; made ahead by one thread."""
        pending = batches([(one.clip, one.generation) for one in asked], self.batch_size)
        pool = ThreadPoolExecutor(1, thread_name_prefix="prepare")
        try:
            jobs = [(numbers, None) for numbers in pending]
            for position, (numbers, _) in enumerate(jobs):
                for ahead in range(position, min(position + 1 + _AHEAD, len(jobs))):
                    if jobs[ahead][1] is None:
                        jobs[ahead] = jobs[ahead][0], pool.submit(self._prepare, [asked[n] for n in jobs[ahead][0]])
                yield numbers, jobs[position][1].result()
                jobs[position] = numbers, ()  # drops the inputs
        finally:
            pool.shutdown(wait=False, cancel_futures=True)

    def _prepare(self, asked: Sequence[Asked]) -> list:
        prepared = []
        for one in asked:
            try:
                prepared.append(self.inputs(one.ask, one.clip))
            except Exception as error:  # counted and reported by the caller
                prepared.append(error)
        return prepared

    def _answer(self, asked: Sequence[Asked], numbers: Sequence[int], prepared: Sequence) -> list:
        """A result or an exception for each number."""
        answers = dict(zip(numbers, prepared, strict=True))
        ready = [number for number in numbers if not isinstance(answers[number], Exception)]
        for number in ready:
            self._log_media(asked[number], answers[number][1])
        rows = {number: answers[number][0] for number in ready}
        answers |= self._generate(asked, rows) if rows else {}
        return [answers[number] for number in numbers]

    def _generate(self, asked: Sequence[Asked], rows: Mapping[int, Mapping[str, Tensor]]) -> dict:
        """Results by number. What fails together is tried alone, so that a question fails for its own reasons."""
        first = asked[next(iter(rows))]
        try:
            contrast = self.contrast if first.clip.media else None
            noised = [contrast.noised(row) for row in rows.values()] if contrast else []
            inputs = self.batch([*rows.values(), *noised])
            return dict(zip(rows, self._continue(inputs, first, [asked[n].until for n in rows]), strict=True))
        except Exception as error:
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
            if len(rows) == 1:
                return dict.fromkeys(rows, error)
            logger.warning(f"{self.name}: {len(rows)} questions at once failed ({self._said(error)}); one by one now")
        return {number: result for n, row in rows.items() for number, result in self._generate(asked, {n: row}).items()}

    @torch.inference_mode()
    def _continue(self, inputs: dict[str, Tensor], like: Asked, untils: Sequence) -> list[GenerationResult]:
        """Generate for a batch whose questions share `like`'s modalities and settings."""
        start = inputs["input_ids"].shape[1]
        told = {**self.forward_settings(like.clip), **like.generation}
        if len(inputs["input_ids"]) > len(untils):
            told["logits_processor"] = [self.contrast]
        ids = self.model.generate(**inputs, **told, pad_token_id=self.pad)[: len(untils)]
        results = []
        lengths = inputs["attention_mask"].sum(1).tolist()[: len(untils)]
        for row, until, asked_for in zip(ids[:, start:], untils, lengths, strict=True):
            text = self.tokenizer.decode(row, skip_special_tokens=True)
            results.append(GenerationResult(cut(text, until), TokenCounts(asked_for, int((row != self.pad).sum()))))
        return results

    def _log_media(self, asked: Asked, given: Given) -> None:
        """Tell the side file, once a clip, what of it the model was given."""
        if asked.ask.clip in self._logged:
            return
        self._logged.add(asked.ask.clip)
        times = given.seen.times.tolist() if given.seen else []
        seconds = 0.0 if given.heard is None else len(given.heard) / self.reader.sampling.rate
        said = {"frames": len(times), "times": times, "audio_seconds": seconds}
        media_log.append({"clip": asked.ask.clip.video, "audio": asked.ask.clip.audio, **said})

    def _said(self, error: Exception) -> str:
        said = arguments.first_line(error)
        return said if isinstance(error, media.MediaError) else f"{type(error).__name__}: {said}"
