"""AVERE as models of lmms-eval: `AvereChat` answers chat tasks, `AvereLikelihood` scores the options of simple ones.

Decoding is greedy and draws nothing at random: in float32 the answers are the same at every batch size. lmms-eval hands
over all requests of a run at once; they are regrouped by clip (see `runner`). A clip that cannot be read costs its own
questions only: they are answered `[LMMS_EVAL_REQUEST_FAILED ...]`, which no reader of answers takes for a letter, and
the run stops with a non-zero code once more than `max_errors` of its requests failed that way.
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

import torch
from lmms_eval.api.instance import GenerationResult, Instance, TokenCounts
from lmms_eval.api.model import lmms
from loguru import logger
from torch import Tensor
from tqdm import tqdm

from emorealm_tasks.errors import stop
from emorealm_tasks.harness import request_settings, response_cache
from emorealm_tasks.media import MediaError
from model_adapters.base import arguments, attention, dry_run, liger
from model_adapters.base.failures import ErrorBudget, cut
from model_adapters.base.media_notes import MediaNotes
from model_adapters.base.media_refs import ClipFiles
from model_adapters.base.requests import ClipQuestion, from_messages, from_visuals
from model_adapters.decoding import contrastive, modality_adaptive

from . import folders, loading
from .adaptive import AdaptiveRunner
from .clips import MediaEncoder
from .runner import Encoder, Failure, Question, Runner

Result = TypeVar("Result")
_OWNER = "avere"
_LIGER = "avere: liger=true"
_DEFAULT_NEW_TOKENS = 512


@dataclass(frozen=True)
class Arguments:
    """`--model_args` of both classes; `contrastive` lists those of contrastive decoding."""

    pretrained: str | None = None
    """A converted folder, or one that training wrote; default EMOREALM_AVERE, else the embedded avere-nano."""
    batch_size: int | str = 1
    """Rows through the language model at once, 1.3 GiB each at 7B in bfloat16 (--batch_size); `auto` is 16."""
    device: str | None = None
    """`auto` is this process's GPU, else the CPU."""
    dtype: str = "auto"
    """`auto` is bfloat16 on a GPU, float32 on the CPU."""
    attn_implementation: str | None = None
    """As in transformers."""
    liger: bool = False
    """Use Liger's kernels in the language model; needs liger-kernel and a GPU."""
    adapter: str | None = None
    """A LoRA folder that works on the weights."""
    nano_anyway: bool = False
    """Let the embedded avere-nano answer other tasks than the mini ones."""
    max_errors: float = 0.01
    """The share of requests, 0 to 1, that may fail."""
    feature_cache_gb: float = 2.0
    """Host memory for features of clips that a later call may ask for."""


class _Avere(lmms):
    """What both classes share: arguments (see `Arguments`), the model, and answering lists of questions."""

    def __init__(self, **model_args: Any) -> None:
        super().__init__()
        self.adaptive = modality_adaptive.from_arguments(model_args, _OWNER)
        contrast = contrastive.from_arguments(model_args, _OWNER)
        chosen = arguments.parse(Arguments, model_args, _OWNER, (*contrastive.ARGUMENTS, *modality_adaptive.ARGUMENTS))
        weights = folders.find_weights(chosen.pretrained)
        self.device = arguments.choose_device(chosen.device, _OWNER)
        self.max_errors = arguments.number("max_errors", chosen.max_errors, 0.0, 1.0, _OWNER)
        cache_gb = arguments.number("feature_cache_gb", chosen.feature_cache_gb, 0.0, float("inf"), _OWNER)
        rows = arguments.batch_size(chosen.batch_size, _OWNER)
        self.nano_only = weights.embedded and not chosen.nano_anyway
        self.model, self.processor, self.fingerprint = self.loaded(weights, chosen)
        self.encoder: Encoder = MediaEncoder(self.model, self.processor, int(cache_gb * 2**30))
        self.runner = self._runner(rows, contrast)
        self._media_notes = MediaNotes()
        self._reported: set[str] = set()

    def _runner(self, rows: int, contrast: contrastive.Contrast | None) -> Runner:
        tokenizer = self.processor.tokenizer
        if not self.adaptive:
            return Runner(self.encoder, rows, tokenizer.eos_token_id, contrast)
        words = [tokenizer.encode(word, add_special_tokens=False)[0] for word in modality_adaptive.WORDS]
        return AdaptiveRunner(self.encoder, rows, tokenizer.eos_token_id, self.adaptive, words)

    def loaded(self, weights: folders.Weights, chosen: Arguments) -> tuple[Any, Any, str]:
        """Model, processor, and which weights they are, which is noted."""
        if weights.embedded:
            logger.warning("avere: no weights are named, so the embedded avere-nano answers (not AVERE-7B)")
        dtype = arguments.choose_dtype(chosen.dtype, self.device, _OWNER)
        adapter = folders.chosen_adapter(weights, chosen.adapter)
        processor = loading.load_processor(weights.folder)
        if chosen.liger:
            liger.check(_LIGER, self.device.type == "cuda")
        dry_run.ends_here()
        model = loading.load_model(weights.folder, self.device, dtype, chosen.attn_implementation, adapter)
        if chosen.liger:
            liger.apply(model, _LIGER)
        return model, processor, folders.note(weights, adapter)

    def ways(self) -> dict[str, Any]:
        """How clips and questions are put to the model, for the run's record (`harness.request_settings`)."""
        contrast = self.runner.contrast
        return {
            "prompt": self.processor.prompt("{question}", video=True, audio=True),
            "frames": self.processor.config.vision_config.num_frames,
            "contrastive": asdict(contrast) if contrast else None,
            "dtype": arguments.dtype_name(self.model.dtype),
        } | ({"modality_adaptive": asdict(self.adaptive)} if self.adaptive else {})

    def clean(self) -> None:
        """Free the model, the decoding threads and the features."""
        self.encoder.close()
        del self.runner, self.encoder
        super().clean()

    def loglikelihood(self, requests: list[Instance]) -> list[tuple[float, bool]]:
        """(summed log-probability in nats, whether greedy decoding gives it) of each option; -inf on failure.

        The chat class has it too: our likelihood tasks send simple requests to whichever class is loaded.
        """
        self._refuse_foreign(requests)
        if self.runner.contrast or self.adaptive:
            name = "mad_gamma" if self.adaptive else "vcd_alpha"
            stop(f"avere: task {requests[0].task_name} asks for likelihoods; {name} changes answers in words only")
        clip_questions = []
        for request in requests:
            context, continuation, to_visual = request.args[:3]
            clip_questions.append(
                (from_visuals(context, to_visual(self._doc(request)), request.task_name, _OWNER), continuation)
            )
        return self._score(requests, clip_questions)

    def generate_until_multi_round(self, requests: list[Instance]) -> list[str]:
        """Not offered: AVERE answers single turns."""
        stop(f"avere: task {requests[0].task_name} is a dialogue of several rounds; avere answers single turns only")

    def attention_shares(self, question: ClipQuestion) -> Tensor:
        """Attention to picture and sound where the answer begins: (layers, heads, 2). Raises MediaError."""
        ids = torch.tensor([self.processor.encode_prompt(self._prompt(question))], device=self.model.device)
        features = self.encoder.encode(question.clip.media)
        for medium in question.clip.media:
            if medium not in features:
                raise MediaError(self.encoder.failures[medium])
        inputs = {f"{medium.kind}_features": features[medium][None] for medium in question.clip.media}
        kinds = attention.kinds_of(ids[0], self.model.config.video_token_id, self.model.config.audio_token_id)
        return attention.shares(self.model, kinds, input_ids=ids, **inputs)

    def _prompt(self, question: ClipQuestion) -> str:
        try:
            return self.processor.prompt(
                question.text, video=question.clip.video is not None, audio=question.clip.audio is not None
            )
        except ValueError as error:
            stop(f"avere: {error}")

    def _beside(self, question: ClipQuestion) -> tuple[Question, ...]:
        """What modality-adaptive decoding asks beside a question about both media; nothing without it."""
        video, audio = question.clip.video, question.clip.audio
        if not self.adaptive or video is None or audio is None:
            return ()
        asked = [question._replace(clip=ClipFiles(*files)) for files in ((video, None), (None, audio), (None, None))]
        asked.append(question._replace(text=modality_adaptive.QUERY + question.text))
        return tuple(Question(one.clip, self.processor.encode_prompt(self._prompt(one))) for one in asked)

    def _continue(
        self, requests: Sequence[Instance], clip_questions: Sequence[tuple[ClipQuestion, dict[str, Any]]]
    ) -> list[GenerationResult]:
        """Answer every request in order, which is (ask, generation settings)."""
        request_settings.note(self.ways())
        questions = [
            Question(
                question.clip,
                self.processor.encode_prompt(self._prompt(question)),
                limit=_limit(settings, request.task_name),
                beside=self._beside(question),
            )
            for request, (question, settings) in zip(requests, clip_questions, strict=True)
        ]
        answers: list[GenerationResult] = [GenerationResult("")] * len(clip_questions)
        budget = self._budget(len(questions))
        for number, result in self._progress(self.runner.generate(questions), len(questions)):
            if isinstance(result, Failure):
                answers[number] = GenerationResult(budget.spend(result.message))
                continue
            self._log_media(questions[number].clip)
            text = self.processor.tokenizer.decode(result, skip_special_tokens=True).strip()
            text = cut(text, clip_questions[number][1].get("until"))
            answers[number] = GenerationResult(text, TokenCounts(len(questions[number].ids), len(result)))
            response_cache.keep(requests[number], answers[number])
        return answers

    def _score(
        self, requests: Sequence[Instance], clip_questions: Sequence[tuple[ClipQuestion, str]]
    ) -> list[tuple[float, bool]]:
        """Score every request in order, which is (ask, continuation); -inf where that fails."""
        request_settings.note(self.ways())
        questions = []
        for question, continuation in clip_questions:
            prompt = self._prompt(question)
            ids = self.processor.encode_prompt(prompt)
            joined_ids = self.processor.encode_prompt(prompt + continuation)
            questions.append(Question(question.clip, ids, option=joined_ids[len(ids) :]))
        scores = [(float("-inf"), False)] * len(clip_questions)
        budget = self._budget(len(questions))
        for number, result in self._progress(self.runner.score(questions), len(questions)):
            if isinstance(result, Failure):
                budget.spend(result.message)
                continue
            self._log_media(questions[number].clip)
            scores[number] = result
            response_cache.keep(requests[number], result)
        return scores

    def _progress(self, results: Iterable[Result], total: int) -> "tqdm[Result]":
        return tqdm(results, total=total, disable=self.rank != 0, desc="avere")

    def _budget(self, total: int) -> ErrorBudget:
        return ErrorBudget(_OWNER, self.max_errors, total, self._reported, "")

    def _log_media(self, clip: ClipFiles) -> None:
        """Write to the media log, once a clip, what of it the model was given."""
        facts = {key: value for medium in clip.media for key, value in self.encoder.media_facts[medium].items()}
        self._media_notes.add(clip, facts.get("frames", 0), facts.get("times", []), facts.get("audio_seconds", 0.0))

    def _refuse_foreign(self, requests: Sequence[Instance]) -> None:
        """Stop when the embedded model is asked what it was not made for."""
        if self.nano_only:
            folders.refuse_foreign(_OWNER, [request.task_name for request in requests])

    def _doc(self, request: Instance) -> dict[str, Any]:
        doc_id, task, split = request.args[-3:]
        return self.task_dict[task][split][doc_id]


class AvereChat(_Avere):
    """Chat tasks: video, audio and text items in one user turn."""

    is_simple = False

    def generate_until(self, requests: list[Instance]) -> list[GenerationResult]:
        """A greedy answer to each request."""
        self._refuse_foreign(requests)
        clip_questions = []
        for request in requests:
            to_messages, settings = request.args[1], request.args[2]
            clip_questions.append((from_messages(to_messages(self._doc(request)), request.task_name, _OWNER), settings))
        return self._continue(requests, clip_questions)


class AvereLikelihood(_Avere):
    """Simple tasks: the likelihood of each option, and answers too when chat is switched off."""

    is_simple = True

    def generate_until(self, requests: list[Instance]) -> list[GenerationResult]:
        """A greedy answer to each request."""
        self._refuse_foreign(requests)
        clip_questions = []
        for request in requests:
            context, settings, to_visual = request.args[:3]
            question = from_visuals(context, to_visual(self._doc(request)), request.task_name, _OWNER)
            clip_questions.append((question, settings))
        return self._continue(requests, clip_questions)


def _limit(settings: dict[str, Any], task: str) -> int:
    """New tokens allowed; stops on settings that are not greedy decoding."""
    if settings.get("do_sample") or (settings.get("temperature") or 0) > 0 or (settings.get("num_beams") or 1) > 1:
        stop(f"avere: task {task} asks for sampling or beams; avere decodes greedily (temperature=0, num_beams=1)")
    return max(1, int(settings.get("max_new_tokens") or _DEFAULT_NEW_TOKENS))
