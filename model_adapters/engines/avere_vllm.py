"""`avere_vllm`: AVERE in vLLM's own engine, in this process (extra `vllm`).

Prompts, frames, sound and ids are those of `avere`, made by the same code; `avere_vllm_model` is what vLLM runs.
Decoding is greedy. An option of several tokens is scored by as many requests, one token each, all submitted together:
what they share is in the prefix cache, which vLLM does not read for requests that want log-probabilities of a prompt.
"""

import logging
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from lmms_eval.api.instance import GenerationResult, Instance, TokenCounts

from emorealm_tasks.benchmarks import availability
from emorealm_tasks.errors import stop
from emorealm_tasks.harness import request_settings, response_cache
from model_adapters.avere import folders, loading
from model_adapters.avere.clips import Decoded, decode
from model_adapters.base import arguments, dry_run
from model_adapters.base.chat import ChatRequest
from model_adapters.base.failures import ErrorBudget, cut
from model_adapters.base.finite import NO_NUMBERS, NotFinite
from model_adapters.base.media_refs import ClipFiles, MediaFile

from . import vllm_chat
from .clips_ahead import ClipsAhead

if TYPE_CHECKING:
    from vllm import RequestOutput, SamplingParams

Score = tuple[float, bool]
_FAILED: Score = (float("-inf"), False)
_REFUSED = ("system", "fps", "frames")  # AVERE's prompt and its number of frames are parts of the model


@dataclass(frozen=True)
class Arguments(vllm_chat.Arguments):
    """The `--model_args`. `pretrained` is that of `avere`, and so are the others here."""

    adapter: str | None = None
    """A LoRA folder that works on the weights."""
    nano_anyway: bool = False
    """Let the embedded avere-nano answer other tasks than the mini ones."""


class Row(NamedTuple):
    """A request to the engine, but for how to decode."""

    clip: ClipFiles
    """What it is about."""
    ids: tuple[int, ...]
    """The prompt with expanded placeholders."""
    option: tuple[int, ...] = ()
    """What of an option comes before the token that is scored."""


class AvereVLLM(vllm_chat.VLLMChat):
    """AVERE in vLLM. See `Arguments` for its arguments."""

    name = "avere_vllm"

    def __init__(self, **model_args: Any) -> None:
        chosen, engine_args = vllm_chat.split(Arguments, model_args)
        if refused := [name for name in _REFUSED if name in model_args]:
            stop(f"{self.name}: {refused[0]}={model_args[refused[0]]}: AVERE has its own prompt and number of frames")
        vllm_chat.refuse_unknown(Arguments, engine_args, self.name)
        super().__init__(chosen)
        weights = folders.find_weights(chosen.pretrained)
        adapter = folders.chosen_adapter(weights, chosen.adapter)
        self.nano_only = weights.embedded and not chosen.nano_anyway
        self.processor = loading.load_processor(weights.folder)
        self.eos: int = self.processor.tokenizer.eos_token_id
        dry_run.ends_here()
        self.engine = self._start(weights.folder, adapter, engine_args)
        self.fingerprint = folders.note(weights, adapter)

    def _start(self, folder: Path, adapter: Path | None, engine_args: dict[str, Any]) -> Any:
        """The engine, its caches on, the adapters with every request."""
        from .vllm_plugin import register

        dtype = arguments.choose_dtype("auto", arguments.choose_device(None, self.name), self.name)
        options: dict[str, Any] = {
            "dtype": arguments.dtype_name(dtype),
            "enable_prefix_caching": True,
            "limit_mm_per_prompt": {"video": 1, "audio": 1},
        }
        engine_class, _ = vllm_chat.classes(self.name)
        with vllm_chat.starting(self.name, str(adapter or folder)), _without_chat_template():
            register()
            if adapter:
                self.lora, of_lora = vllm_chat.lora(adapter)
                options |= of_lora
            return engine_class(str(folder), **options | engine_args, skip_tokenizer_init=True)

    def ways(self) -> dict[str, Any]:
        """How clips and questions are put to the model, for the run's record: as `avere`, and the modalities."""
        return {
            "prompt": self.processor.prompt("{question}", video=self.sees, audio=self.hears),
            "frames": self.processor.config.vision_config.num_frames,
            "modalities": "a" * self.hears + "v" * self.sees,
            "contrastive": None,
            "dtype": arguments.dtype_name(self.engine.model_config.dtype),
        }

    def generate_until(self, requests: list[Instance]) -> list[GenerationResult]:
        """A greedy answer to each request."""
        chats = self._chats(requests, self.read_request)
        rows = [Row(chat.clip, self._ids(chat)) for chat in chats]
        budget = ErrorBudget(self.name, self.max_errors, len(requests), self._reported, "")
        answers: dict[int, GenerationResult] = {}
        for number, output in self._asked(rows, lambda number: self._answering(chats[number])):
            result = output if isinstance(output, Exception) else self._answer(output, chats[number])
            if isinstance(result, Exception):
                answers[number] = GenerationResult(budget.spend(self.failure_text(result)))
                continue
            answers[number] = result
            response_cache.keep(requests[number], result)
        return [answers[number] for number in range(len(requests))]

    def loglikelihood(self, requests: list[Instance]) -> list[Score]:
        """(summed log-probability in nats, whether greedy decoding gives it) of each option; -inf on failure."""
        chats = self._chats(requests, self.option_request)
        steps = [self._steps(chat, request.args[1]) for chat, request in zip(chats, requests, strict=True)]
        users: dict[Row, list[int]] = {}
        tokens: dict[Row, dict[int, None]] = {}
        for number, (row, token) in ((number, step) for number, of_one in enumerate(steps) for step in of_one):
            users.setdefault(row, []).append(number)
            tokens.setdefault(row, {})[token] = None
        rows = list(users)
        found: dict[Row, RequestOutput | Exception] = {}
        budget = ErrorBudget(self.name, self.max_errors, len(requests), self._reported, "")
        scores = [_FAILED] * len(requests)
        for place, output in self._asked(rows, lambda place: self._scoring([*tokens[rows[place]]])):
            found[rows[place]] = output
            for number in users[rows[place]]:
                if all(row in found for row, _ in steps[number]):
                    result = _score([(found[row], token) for row, token in steps[number]])
                    if isinstance(result, Exception):
                        budget.spend(self.failure_text(result))
                        continue
                    scores[number] = result
                    response_cache.keep(requests[number], result)
        return scores

    def _chats(self, requests: Sequence[Instance], read: Callable[[Instance], ChatRequest]) -> list[ChatRequest]:
        """The requests, read; stops where the embedded model is asked what it was not made for."""
        if self.nano_only:
            folders.refuse_foreign(self.name, [request.task_name for request in requests])
        request_settings.note(self.ways())
        return [read(request) for request in requests]

    def _asked(
        self, rows: Sequence[Row], params: "Callable[[int], SamplingParams]"
    ) -> "Iterator[tuple[int, RequestOutput | Exception]]":
        """Each row's number with what the engine says to it, those about one clip in a row."""
        order = sorted(range(len(rows)), key=lambda number: str(rows[number].clip))
        clips = ClipsAhead(self._read, dict.fromkeys(rows[number].clip for number in order))
        return self.finished(order, lambda number: (self._prompt(rows[number], clips), params(number)))

    def _read(self, clip: ClipFiles) -> dict[str, Decoded]:
        """A clip's media by their kind. Raises MediaError."""
        return {medium.kind: decode(self.processor, medium) for medium in clip.media}

    def _prompt(self, row: Row, clips: ClipsAhead[dict[str, Decoded]]) -> dict[str, Any]:
        """A row as the engine takes it. Raises MediaError."""
        decoded = clips(row.clip)
        facts = {name: fact for medium in decoded.values() for name, fact in medium.media_facts.items()}
        self.log_media(row.clip, facts.get("times", []), facts.get("audio_seconds", 0.0))
        prompt: dict[str, Any] = {"prompt_token_ids": [*row.ids, *row.option]}
        if decoded:
            identities = {medium.kind: [_identity(medium)] for medium in row.clip.media}
            data = {kind: [medium.values] for kind, medium in decoded.items()}
            prompt |= {"multi_modal_data": data, "multi_modal_uuids": identities}
        return prompt

    def _text(self, chat: ChatRequest) -> str:
        """The prompt with media tags."""
        video, audio = chat.clip.video is not None, chat.clip.audio is not None
        try:
            return self.processor.prompt(chat.question.text, video=video, audio=audio)
        except ValueError as error:
            stop(f"{self.name}: {error}")

    def _ids(self, chat: ChatRequest, continuation: str = "") -> tuple[int, ...]:
        return tuple(self.processor.encode_prompt(self._text(chat) + continuation))

    def _steps(self, chat: ChatRequest, option: str) -> list[tuple[Row, int]]:
        """What comes before each token of an option, and the token."""
        prompt = self._ids(chat)
        ids = self._ids(chat, option)[len(prompt) :]
        return [(Row(chat.clip, prompt, ids[:place]), token) for place, token in enumerate(ids)]

    def _answering(self, chat: ChatRequest) -> "SamplingParams":
        """Greedy decoding of an answer; stops at settings that are not."""
        if chat.generation["do_sample"] or chat.generation["num_beams"] > 1:
            stop(f"{self.name}: task {chat.task} asks for sampling or beams; it decodes greedily (temperature=0)")
        return self._greedy(max_tokens=chat.generation["max_new_tokens"], logprobs=0)

    def _scoring(self, tokens: list[int]) -> "SamplingParams":
        """One token more, with the log-probabilities of `tokens`.

        Rows that want the likeliest tokens' instead must not be under way with these: vLLM 0.32 mixes them up.
        """
        return self._greedy(max_tokens=1, logprob_token_ids=tokens)

    def _greedy(self, **settings: Any) -> "SamplingParams":
        from vllm import SamplingParams

        return SamplingParams(temperature=0.0, stop_token_ids=[self.eos], detokenize=False, **settings)

    def _answer(self, output: "RequestOutput", chat: ChatRequest) -> GenerationResult | NotFinite:
        """The text of an answer, and how many tokens prompt and answer have; NotFinite where logits were no numbers."""
        found = output.outputs[0]
        if not all(math.isfinite(step[id_].logprob) for step, id_ in zip(found.logprobs, found.token_ids, strict=True)):
            return NotFinite(NO_NUMBERS)
        ids = [id_ for id_ in found.token_ids if id_ != self.eos]
        text = cut(self.processor.tokenizer.decode(ids, skip_special_tokens=True).strip(), chat.until)
        return GenerationResult(text, TokenCounts(len(output.prompt_token_ids), len(ids)))


def _score(steps: "Sequence[tuple[RequestOutput | Exception, int]]") -> Score | Exception:
    """The score of an option, of what the engine says before each of its tokens, and the tokens."""
    total, greedy = 0.0, True
    for output, token in steps:
        if isinstance(output, Exception):
            return output
        [found] = output.outputs
        total += found.logprobs[0][token].logprob
        greedy = greedy and found.token_ids[0] == token
    return (total, greedy) if math.isfinite(total) else NotFinite(NO_NUMBERS)


def _identity(medium: MediaFile) -> str:
    """By which vLLM's caches know a medium: it says as which it is encoded, and in which state its file is."""
    return f"{medium.kind} {medium.path} {availability.stamp(medium.path)}"


@contextmanager
def _without_chat_template() -> Iterator[None]:
    """Leave out vLLM's warning, a traceback, that without a tokenizer it has no chat template: none is used."""
    logger = logging.getLogger("vllm.renderers.base")

    def expected(record: logging.LogRecord) -> bool:
        return "Chat template warmup failed" not in record.getMessage()

    logger.addFilter(expected)
    try:
        yield
    finally:
        logger.removeFilter(expected)
