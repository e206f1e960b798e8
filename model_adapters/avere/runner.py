"""Questions about many clips -> answers: grouped by clip, encoded once, prefix shared, suffixes batched."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

import torch

from emorealm_tasks.sequences import common_prefix
from emorealm_tasks.untrusted import brief
from model_adapters.base.finite import NO_NUMBERS
from model_adapters.base.media_refs import AnyMediaFile, ClipFiles
from model_adapters.decoding.contrastive import Contrast

from .clips import MediaEncoder
from .modeling import AvereForConditionalGeneration
from .prefix import Prefix, generate, run_prefix, score

_AHEAD = 2  # batches of clips decoded while the model works on one; on a CPU none, as both want the same cores


@dataclass(frozen=True)
class Question:
    """One row of work: a prompt about a clip, to be continued or to be scored with an option."""

    clip: ClipFiles
    """What it is about."""
    ids: Sequence[int]
    """The whole prompt with expanded placeholders."""
    limit: int = 0
    """New tokens at most, when continued."""
    option: Sequence[int] = ()
    """Ids of the continuation to score."""
    beside: "tuple[Question, ...]" = ()
    """What modality-adaptive decoding asks beside it (`adaptive`)."""


@dataclass(frozen=True)
class Failure:
    """Why a question has no answer: what was wrong with its clip, or with the model's numbers."""

    message: str
    """One line that names the clip and what was wrong."""


Encoder = MediaEncoder[AvereForConditionalGeneration, AnyMediaFile]
Batch = list[tuple[ClipFiles, list[int]]]
"""Clips, each with the numbers of its questions."""
Suffixes = list[Sequence[int]]
"""What a chunk of questions adds to their prefix: ids, a row each."""


class Runner:
    """Answers questions on one model; `batch_size` = rows that go through the language model at once.

    With `contrast` answers (not scores) are contrasted with those about the same clips under noise, in twice the rows.
    """

    def __init__(self, encoder: Encoder, batch_size: int, eos: int, contrast: Contrast | None = None) -> None:
        self.model = encoder.model
        self.encoder = encoder
        self.batch_size = batch_size
        self.eos = eos
        self.contrast = contrast
        self._halved = False
        self.ahead = 0 if self.model.device.type == "cpu" else _AHEAD

    def generate(self, questions: Sequence[Question]) -> Iterator[tuple[int, list[int] | Failure]]:
        """(question number, new ids without eos, or why not) for each question, in the order of the work."""
        return self._run(questions, self.continued_rows)

    def continued_rows(
        self, prefix: Prefix, rows: Sequence[int], chunk: Sequence[Question], suffixes: Suffixes
    ) -> list[list[int] | None]:
        """New ids of some questions, each a suffix after a row of the prefix; None where the logits are no numbers."""
        limits = [question.limit for question in chunk]
        if prefix.noised:
            half = len(rows)
            rows, suffixes, limits = [*rows, *(row + prefix.noised for row in rows)], suffixes * 2, limits * 2
            return generate(self.model, prefix, rows, suffixes, limits, self.eos, self.contrast)[:half]
        return generate(self.model, prefix, rows, suffixes, limits, self.eos)

    def score(self, questions: Sequence[Question]) -> Iterator[tuple[int, tuple[float, bool] | Failure]]:
        """(question number, (summed log-probability, greedy?), or why not) for each question's option."""

        def score_rows(
            prefix: Prefix, rows: Sequence[int], chunk: Sequence[Question], suffixes: Suffixes
        ) -> list[tuple[float, bool] | None]:
            return score(self.model, prefix, rows, suffixes, [question.option for question in chunk])

        return self._run(questions, score_rows)

    def _run(self, questions: Sequence[Question], work: Callable[..., list[Any]]) -> Iterator[tuple[int, Any]]:
        """Questions with the same modalities share the ids of their prefix, and so can share a batch."""
        for numbers in _by_modalities(questions):
            length = common_prefix([questions[number].ids for number in numbers], remainder=1)
            batches = clip_batches(questions, numbers, self.batch_size)
            for position, batch in enumerate(batches):
                self.encoder.prefetch(self._media(batches[position : position + 1 + self.ahead]))
                yield from self._answer(questions, batch, length, work)

    def _answer(
        self,
        questions: Sequence[Question],
        batch: Batch,
        length: int,
        work: Callable[..., list[Any]],
    ) -> Iterator[tuple[int, Any]]:
        """Answer a batch of clips, in smaller ones from then on where the device has no memory for it."""
        waiting = [batch]
        while waiting:
            numbers = [number for _, numbers in waiting.pop(0) for number in numbers]
            # the size may be smaller than it was when the batch was made
            first, *others = clip_batches(questions, numbers, self.batch_size)
            waiting = [*others, *waiting]
            try:
                results = self._results(questions, first, length, work)
            except torch.OutOfMemoryError as error:
                rows = min(self.batch_size, sum(len(numbers) for _, numbers in first))
                if rows == 1:
                    raise
                message = brief(str(error))
            else:
                yield from results
                continue
            self._halve(rows, message)
            waiting = [first, *waiting]

    def _halve(self, rows: int, message: str) -> None:
        """Go on with half of `rows` at once; said once a run."""
        self.batch_size = rows // 2
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        if not self._halved:
            from loguru import logger  # here: the model itself runs where lmms-eval and its logger are missing

            logger.warning(
                f"avere: no memory for {rows} rows at once ({message}); going on with {self.batch_size}, and fewer "
                "where that is too much: a --batch_size that fits is faster"
            )
        self._halved = True

    def _results(
        self,
        questions: Sequence[Question],
        batch: Batch,
        length: int,
        work: Callable[..., list[Any]],
    ) -> list[tuple[int, Any]]:
        """Encode a batch of clips, run their prefixes, then their questions, `batch_size` at a time."""
        features = self.encoder.encode(self._media([batch]))
        results: list[tuple[int, Any]] = list(self._unreadable(batch, features))
        batch = [(clip, numbers) for clip, numbers in batch if all(medium in features for medium in clip.media)]
        if not batch:
            return results
        ids = questions[batch[0][1][0]].ids[:length]
        media = self._media([batch])
        noised = len(batch) if self.contrast and media else 0
        prefix = replace(run_prefix(self.model, ids, len(batch) + noised, *stacked(media, features)), noised=noised)
        rows = [(row, number) for row, (_, numbers) in enumerate(batch) for number in numbers]
        for start in range(0, len(rows), self.batch_size):
            clip_rows, numbers = zip(*rows[start : start + self.batch_size], strict=True)
            chunk = [questions[number] for number in numbers]
            prefix = replace(prefix, last=start + self.batch_size >= len(rows))
            found = work(prefix, clip_rows, chunk, [question.ids[length:] for question in chunk])
            results += zip(numbers, (Failure(NO_NUMBERS) if one is None else one for one in found), strict=True)
        return results

    def _media(self, batches: Sequence[Batch]) -> list[AnyMediaFile]:
        """Media of the batches, and after all of them what stands for each in the noised branch."""
        clean = [medium for batch in batches for clip, _ in batch for medium in clip.media]
        return [*clean, *(map(self.contrast.medium, clean) if self.contrast else ())]

    def _unreadable(self, batch: Batch, features: dict[AnyMediaFile, torch.Tensor]) -> Iterator[tuple[int, Failure]]:
        for clip, numbers in batch:
            missing = [medium for medium in clip.media if medium not in features]
            if missing:
                failure = Failure("; ".join(self.encoder.failures[medium] for medium in missing))
                yield from ((number, failure) for number in numbers)


def clip_batches(questions: Sequence[Question], numbers: Sequence[int], batch_size: int) -> list[Batch]:
    """Group question numbers by clip, `batch_size` questions a batch, the clips with the longest prompts first.

    Prompts of like length share a batch, which then has little padding, and what needs the most memory runs first. A
    clip is never split over batches, so its prefix runs once; one with more questions than `batch_size` is a batch of
    its own. What is asked without media, perhaps all there is, has a short prefix and is split.
    """
    by_clip: dict[ClipFiles, list[int]] = {}
    for number in sorted(numbers, key=lambda number: -len(questions[number].ids)):
        by_clip.setdefault(questions[number].clip, []).append(number)
    batches: list[Batch] = []
    room = 0
    for group in sorted(_pieces(by_clip, batch_size), key=lambda group: -len(questions[group[1][0]].ids)):
        if len(group[1]) > room:
            batches.append([])
            room = batch_size
        batches[-1].append(group)
        room -= len(group[1])
    return batches


def _pieces(by_clip: Mapping[ClipFiles, list[int]], size: int) -> Iterator[tuple[ClipFiles, list[int]]]:
    """Every clip with its questions, those without media `size` at a time."""
    for clip, numbers in by_clip.items():
        step = len(numbers) if clip.media else size
        yield from ((clip, numbers[start : start + step]) for start in range(0, len(numbers), step))


def _by_modalities(questions: Sequence[Question]) -> list[list[int]]:
    """Question numbers, one list for each combination of modalities that occurs."""

    def modalities(number: int) -> tuple[bool, bool]:
        clip = questions[number].clip
        return clip.video is not None, clip.audio is not None

    return [list(group) for _, group in groupby(sorted(range(len(questions)), key=modalities), key=modalities)]


def stacked(
    media: Sequence[AnyMediaFile], features: dict[AnyMediaFile, torch.Tensor]
) -> tuple[torch.Tensor | None, torch.Tensor | None]:
    """Video and audio features, each (clips, tokens, hidden) in the order of the media, or None where absent."""
    tensors = []
    for kind in ("video", "audio"):
        rows = [features[medium] for medium in media if medium.kind == kind]
        tensors.append(torch.stack(rows) if rows else None)
    return tensors[0], tensors[1]
