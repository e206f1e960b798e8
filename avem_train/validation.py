"""Scores of a model in training on the validation world, from kept tower features: what choices on the way rest on."""

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from avem_train import nano
from avem_train.packing import IGNORE, collate, pack
from emorealm_tasks.mini.questions import Question
from model_adapters.avere import AvereForConditionalGeneration, AvereProcessor

if TYPE_CHECKING:
    from avem_train.supervised import Media

BATCH = 24


@dataclass(frozen=True)
class Scores:
    """Percent, by letter: accuracy of each task, yes-rate of the stress tasks, accuracy of each stress sub-task."""

    tasks: dict[str, float]
    yes_rate: float
    no_hallucination: float
    spurious: float
    hallucination: float

    def line(self) -> str:
        """The scores in one line."""
        short = {task.replace("reasoning_", "").replace("modality_", ""): score for task, score in self.tasks.items()}
        parts = [f"{task} {score:.0f}" for task, score in sorted(short.items())]
        parts += [f"yes-rate {self.yes_rate:.0f}", f"no-hall {self.no_hallucination:.0f}"]
        return ", ".join([*parts, f"spurious {self.spurious:.0f}", f"hallucination {self.hallucination:.0f}"])


@torch.no_grad()
def letters(
    model: AvereForConditionalGeneration, processor: AvereProcessor, media: "Media", questions: list[list[Question]]
) -> list[tuple[Question, str]]:
    """Every question with the piece that the model puts first in its answer (greedy), e.g. "A".

    questions: those of each clip of `media`, in its order.
    """
    from avem_train.supervised import forward

    model.eval()
    answered = []
    for start in range(0, len(questions), BATCH):
        part = range(start, min(start + BATCH, len(questions)))
        rows = []
        for i in part:
            prompts = [
                processor.encode_prompt(processor.prompt(q.prompt, video=True, audio=True)) for q in questions[i]
            ]
            rows.append(pack(prompts, [nano.response_ids(processor, q.answer) for q in questions[i]]))
        batch = collate(rows, processor.tokenizer.pad_token_id)
        batch |= {
            "video": media.video[part.start : part.stop].float(),
            "audio": media.audio[part.start : part.stop].float(),
        }
        best = forward(model, batch).argmax(-1)
        first = (batch["labels"] != IGNORE) & (batch["labels"].roll(1, 1) == IGNORE)
        for row, i in enumerate(part):
            at = first[row].nonzero()[:, 0] - 1
            pieces = [processor.tokenizer.decode([token]).strip() for token in best[row, at].tolist()]
            answered += list(zip(questions[i], pieces, strict=True))
    return answered


def _says_yes(question: Question, letter: str) -> bool:
    return any(choice.startswith(f"({letter})") and "Yes" in choice for choice in question.choices)


def validate(
    model: AvereForConditionalGeneration, processor: AvereProcessor, media: "Media", questions: list[list[Question]]
) -> Scores:
    """Scores on validation questions."""
    tasks, kinds, yes = defaultdict(list), defaultdict(list), []
    for question, letter in letters(model, processor, media, questions):
        tasks[question.task].append(letter == question.answer)
        if question.subtask:
            kinds[question.subtask].append(letter == question.answer)
            yes.append(_says_yes(question, letter))

    def percent(hits: list[bool]) -> float:
        return round(100 * float(np.mean(hits)), 1)

    return Scores(
        {task: percent(hits) for task, hits in tasks.items()},
        percent(yes),
        *(percent(kinds[kind]) for kind in ("no_hallucination", "spurious", "hallucination")),
    )
