"""AVERE with modality-adaptive decoding: four branches a question, each with its own prefix, that go on together."""

from collections.abc import Sequence

import torch

from emorealm_tasks.sequences import common_prefix
from model_adapters.decoding.modality_adaptive import Adaptive, combined, weights

from .prefix import Branch, Prefix, continued, run_prefix
from .runner import Encoder, Question, Runner, Suffixes, stacked


class AdaptiveRunner(Runner):
    """A runner whose questions have `beside` them: about picture, sound and text alone, and which modality is needed.

    Questions without them are answered as they are. words: first ids of what it may say it needs.
    """

    def __init__(self, encoder: Encoder, batch_size: int, eos: int, adaptive: Adaptive, words: Sequence[int]) -> None:
        super().__init__(encoder, batch_size, eos)
        self.adaptive = adaptive
        self.words = list(words)

    @torch.inference_mode()
    def continued_rows(
        self, prefix: Prefix, rows: Sequence[int], chunk: Sequence[Question], suffixes: Suffixes
    ) -> list[list[int] | None]:
        """As in `Runner`."""
        if not chunk[0].beside:
            return super().continued_rows(prefix, rows, chunk, suffixes)
        limits = [question.limit for question in chunk]
        asked = (list(questions) for questions in zip(*(one.beside for one in chunk), strict=True))
        *alone, needed = (self._branch(questions, max(limits)) for questions in asked)
        probabilities = needed.logits()[:, self.words].float().softmax(-1)
        of_branches = weights(probabilities, self.adaptive.gamma)
        branches = [Branch(self.model, prefix, rows, suffixes, max(limits)), *alone]
        return continued(branches, limits, self.eos, lambda logits: combined(logits, of_branches))

    @torch.inference_mode()
    def _branch(self, questions: Sequence[Question], limit: int) -> Branch:
        """Questions with the same kinds of media, a row each, to be continued by `limit` tokens at most."""
        media = [medium for question in questions for medium in question.clip.media]
        features = self.encoder.encode(media)
        length = common_prefix([question.ids for question in questions], remainder=1)
        ids, rows = questions[0].ids[:length], range(len(questions))
        prefix = run_prefix(self.model, ids, len(questions), *stacked(media, features))
        return Branch(self.model, prefix, rows, [question.ids[length:] for question in questions], limit)
