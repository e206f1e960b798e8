"""The base of all chat models that transformers runs in this process: arguments, batches, answers, failures.

A family says which classes it is made of, what its processor is called with, and how many frames it takes by default;
everything else is here. Decoding is greedy unless the task asks for more. An exception is never an answer: a batch that
fails is tried again question by question, the questions at fault are answered `[LMMS_EVAL_REQUEST_FAILED ...]`, and the
run stops with a non-zero code once more than `max_errors` of its requests failed.
"""

from abc import abstractmethod
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from functools import partial
from itertools import islice
from typing import Any, ClassVar

import torch
from lmms_eval.api.instance import GenerationResult, Instance, TokenCounts
from loguru import logger
from torch import Tensor
from tqdm import tqdm
from transformers import PreTrainedModel, ProcessorMixin

from emorealm_tasks import media
from emorealm_tasks.errors import stop
from emorealm_tasks.harness import request_settings, response_cache
from model_adapters import catalogue
from model_adapters.base import arguments, finite, training_prompt
from model_adapters.base.chat import ChatArguments, ChatAV, ChatRequest
from model_adapters.base.failures import ErrorBudget, cut
from model_adapters.base.frame_sampling import ClipMedia, ClipReader, Sampling, read
from model_adapters.base.media_refs import ClipFiles
from model_adapters.base.requests import ClipQuestion
from model_adapters.decoding import contrastive
from model_adapters.in_process import loading

from .batches import batches
from .collate import collate
from .prompts import picture_limits, templated

_AHEAD = 2  # batches prepared while the model works on one
Prepared = tuple[Mapping[str, Tensor], ClipMedia] | Exception
"""The inputs of a question and the media in them, or why there are none."""
Rows = Mapping[int, Mapping[str, Tensor]]
"""The inputs of each question that could be read, by the question's number."""
Work = Callable[[Rows], list[Any]]
"""What the model is asked to do with some rows at once: a result for each row, in their order."""
_MEDIA_INPUTS = ("pixel_values", "pixel_values_videos", "input_features", "input_values")


@dataclass(frozen=True)
class Arguments(ChatArguments):
    """The `--model_args` of every model here, beside those of `ChatArguments` and of contrastive decoding."""

    pretrained: str | None = None
    """Hub id or folder, also one with adapters alone, as training leaves it; default the catalogue's checkpoint."""
    batch_size: int | str = 1
    """Questions at once (--batch_size); `auto` is 16."""
    device: str | None = None
    """`auto` is this process's GPU, else the CPU."""
    device_map: str | dict[str, int | str] | None = None
    """As in transformers; `auto` spreads one model over several GPUs, in a single process."""
    dtype: str = "auto"
    """`auto` is bfloat16 on a GPU, float32 on the CPU."""
    attn_implementation: str | None = None
    """As in transformers (flash_attention_2 is the paper's where it says so)."""
    fps: float | None = None
    """Frames a second of video, 0 = always `frames`; default as in training, where a model's folder says how."""
    frames: int | None = None
    """The most frames; default as for `fps`."""


class InProcessChat(ChatAV):
    """A chat model; subclasses fill in the class attributes and `process`. See `Arguments` for its arguments."""

    model_class: ClassVar[type[PreTrainedModel]]
    """Loads the weights."""
    processor_class: ClassVar[type[ProcessorMixin]]
    """Loads what prepares their inputs."""
    model_types: ClassVar[tuple[str, ...]]
    """The `model_type`s of transformers' configs that the class can load."""
    own_arguments: ClassVar[tuple[str, ...]] = ()
    """Arguments of a family beyond those of the base."""
    refused_arguments: ClassVar[tuple[str, ...]] = ()
    """Arguments of the base that mean nothing to a family."""
    templated: ClassVar[bool] = True
    """Whether prompts come from the checkpoint's chat template."""

    def __init__(self, **model_args: Any) -> None:
        self.contrast = contrastive.from_arguments(model_args, self.name)
        others = (*contrastive.ARGUMENTS, *self.own_arguments)
        chosen = arguments.parse(Arguments, model_args, self.name, others, self.refused_arguments)
        entry = catalogue.find(self.name)
        checkpoint = chosen.pretrained or entry.checkpoint
        if not checkpoint:
            stop(f"{self.name}: name its weights with pretrained=...: {entry.note}")
        frames = {name: getattr(chosen, name) for name in ("fps", "frames") if name not in self.refused_arguments}
        training_prompt.require(self.name, checkpoint, **frames)
        self.trained = self._as_trained(checkpoint)
        super().__init__(chosen)
        self.device = arguments.choose_device(chosen.device, self.name)
        self.batch_size = arguments.batch_size(chosen.batch_size, self.name)
        self._load(checkpoint, chosen)
        self.tokenizer = self.processor.tokenizer
        pad = self.tokenizer.pad_token_id
        self.pad = self.tokenizer.eos_token_id if pad is None else pad
        extractor = getattr(self.processor, "feature_extractor", None)
        rate = extractor.sampling_rate if extractor else media.AUDIO_RATE
        self.reader = ClipReader(replace(self.sampling, rate=rate), self.decode)

    def _load(self, checkpoint: str, chosen: Arguments) -> None:
        self.model, self.processor, self.fingerprint = self.loaded(checkpoint, chosen)

    def loaded(self, checkpoint: str, chosen: Arguments) -> tuple[Any, Any, str]:
        """Model, processor, and which weights they are."""
        weights = loading.find(self.name, checkpoint)
        model, processor = loading.load(
            self.name,
            self.model_class,
            self.processor_class,
            weights,
            self.model_types,
            self.templated,
            dtype=arguments.choose_dtype(chosen.dtype, self.device, self.name),
            attn_implementation=chosen.attn_implementation,
            device_map=chosen.device_map,
        )
        return loading.place(model, self.device, chosen.device_map), processor, loading.identify(weights)

    def decode(self, clip: ClipFiles, sampling: Sampling) -> ClipMedia:
        """The frames and the sound of a clip. Raises MediaError."""
        return read(clip, sampling)

    @abstractmethod
    def process(self, prompt: str, clip_media: ClipMedia) -> Mapping[str, Tensor]:
        """The model's inputs for one question: what the family's own processor makes of a prompt and media."""

    def _as_trained(self, checkpoint: str) -> training_prompt.Answering | None:
        """How the model was asked in training, by its folder; logged once. Its sampling becomes the default."""
        trained = training_prompt.read(checkpoint)
        if trained:
            self.sampling = trained.sampling(self.sampling)
            logger.info(f"{self.name}: {checkpoint} is asked as it was trained, where no argument differs: {trained}")
        return trained

    def forward_settings(self, clip: ClipFiles) -> dict[str, Any]:
        """Arguments of `forward` for clips with these modalities, the same for a whole batch."""
        return {}

    def generate_until(self, requests: list[Instance]) -> list[GenerationResult]:
        """An answer to each request."""
        request_settings.note(self.ways())
        chats = [self.read_request(request) for request in requests]
        answers: list[GenerationResult | None] = [None] * len(chats)
        budget = ErrorBudget(self.name, self.max_errors, len(chats), self._reported, "")
        work = partial(self._generate, chats)
        with tqdm(total=len(chats), disable=self.rank != 0, desc=self.name) as progress:
            for numbers, prepared in self._prepared(chats):
                for number, answer in zip(numbers, self._answer(chats, numbers, prepared, work), strict=True):
                    if isinstance(answer, Exception):
                        answer = GenerationResult(budget.spend(self.failure_text(answer)))
                    answers[number] = answer
                    response_cache.keep(requests[number], answer)
                progress.update(len(numbers))
        return answers

    def ways(self) -> dict[str, Any]:
        """As `ChatAV.ways`, with the whole prompt about a clip, and what the weights are computed in."""
        clip = ClipFiles("video" if self.sees else None, "audio" if self.hears else None)
        prompt = self.prompt(ClipQuestion(clip, "{question}"), clip)
        contrast = asdict(self.contrast) if self.contrast else None
        return super().ways() | {
            "prompt": prompt,
            "picture": picture_limits(self.processor),
            "contrastive": contrast,
            "dtype": arguments.dtype_name(self.model.dtype),
        }

    def prompt(self, question: ClipQuestion, clip: ClipFiles) -> str:
        """The checkpoint's own chat template around the media that are given, the text after them."""
        return templated(self.processor, self.blocks(clip), question.text, self.system)

    def blocks(self, clip: ClipFiles) -> list[str]:
        """Kinds of the media blocks in the prompt, in order."""
        return [medium.kind for medium in clip.media]

    def inputs(self, question: ClipQuestion, clip: ClipFiles) -> tuple[Mapping[str, Tensor], ClipMedia]:
        """The model's inputs for one question, on the CPU, and the media they were made of. Raises MediaError."""
        decoded = self.reader(clip)
        return self.process(self.prompt(question, clip), decoded), decoded

    def batch(self, rows: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
        """Rows as one batch on the model's device; pixels and mel features in its dtype, positions exact."""
        padded = collate(rows, self.pad)
        dtypes = dict.fromkeys(_MEDIA_INPUTS, self.model.dtype)
        return {name: value.to(self.model.device, dtypes.get(name)) for name, value in padded.items()}

    def read_request(self, instance: Instance) -> ChatRequest:
        """As `ChatAV.read_request`; stops where contrastive decoding cannot do what a task asks for."""
        request = super().read_request(instance)
        if self.contrast and (request.generation["do_sample"] or request.generation["num_beams"] > 1):
            stop(f"{self.name}: task {request.task} asks for sampling or beams; vcd_alpha decodes greedily")
        return request

    def _prepared(self, chats: Sequence[ChatRequest]) -> Iterator[tuple[list[int], list[Prepared]]]:
        """Numbers of each batch and, for each, its inputs or why there are none; made ahead by one thread."""
        pending = batches([(one.clip, one.generation) for one in chats], self.batch_size)
        pool = ThreadPoolExecutor(1, thread_name_prefix="prepare")
        try:
            waiting = iter(pending)
            jobs = deque(pool.submit(self._prepare, [chats[n] for n in ahead]) for ahead in islice(waiting, _AHEAD))
            for numbers in pending:
                jobs.extend(pool.submit(self._prepare, [chats[n] for n in ahead]) for ahead in islice(waiting, 1))
                yield numbers, jobs.popleft().result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)

    def _prepare(self, chats: Sequence[ChatRequest]) -> list[Prepared]:
        prepared: list[Prepared] = []
        for one in chats:
            try:
                prepared.append(self.inputs(one.question, one.clip))
            except Exception as error:  # counted and reported by the caller
                prepared.append(error)
        return prepared

    def _answer(
        self, chats: Sequence[ChatRequest], numbers: Sequence[int], prepared: Sequence[Prepared], work: Work
    ) -> list[Any]:
        """A result or an exception for each number."""
        answers: dict[int, Any] = {}
        rows: dict[int, Mapping[str, Tensor]] = {}
        for number, one in zip(numbers, prepared, strict=True):
            if isinstance(one, Exception):
                answers[number] = one
            else:
                rows[number], decoded = one
                self.log_clip_media(chats[number].question.clip, decoded, self.reader.sampling.rate)
        answers |= self._together(rows, work) if rows else {}
        return [answers[number] for number in numbers]

    def _together(self, rows: Rows, work: Work) -> dict[int, Any]:
        """Results by number. What fails together is tried alone, so that a question fails for its own reasons."""
        try:
            return dict(zip(rows, work(rows), strict=True))
        except Exception as error:
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
            if len(rows) == 1:
                return dict.fromkeys(rows, error)
            logger.warning(
                f"{self.name}: {len(rows)} questions at once failed ({self.failure_text(error)}); one by one now"
            )
        return {number: result for n, row in rows.items() for number, result in self._together({n: row}, work).items()}

    def _generate(self, chats: Sequence[ChatRequest], rows: Rows) -> list[GenerationResult]:
        """An answer for each row."""
        first = chats[next(iter(rows))]
        contrast = self.contrast if first.clip.media else None
        noised = [contrast.noised(row, first.clip.kinds) for row in rows.values()] if contrast else []
        return self._continue(self.batch([*rows.values(), *noised]), first, [chats[n].until for n in rows])

    @torch.inference_mode()
    def _continue(self, inputs: dict[str, Tensor], like: ChatRequest, untils: Sequence[Any]) -> list[GenerationResult]:
        """Generate for a batch whose questions share `like`'s modalities and settings."""
        start = inputs["input_ids"].shape[1]
        settings = {**self.forward_settings(like.clip), **like.generation, "logits_processor": [finite.check]}
        if len(inputs["input_ids"]) > len(untils):
            settings["logits_processor"].append(self.contrast)
        generate: Any = self.model.generate  # of the family's class, not of PreTrainedModel
        ids = generate(**inputs, **settings, pad_token_id=self.pad)[: len(untils)]
        results = []
        lengths = inputs["attention_mask"].sum(1).tolist()[: len(untils)]
        for row, until, asked_for in zip(ids[:, start:], untils, lengths, strict=True):
            text = self.tokenizer.decode(row, skip_special_tokens=True)
            results.append(GenerationResult(cut(text, until), TokenCounts(asked_for, int((row != self.pad).sum()))))
        return results
