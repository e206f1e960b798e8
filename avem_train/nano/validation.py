"""Scores of a model in training on the validation world, from cached features: what choices on the way rest on."""

from collections import defaultdict
from dataclasses import dataclass

import numpy as np
import torch

from avem_train.nano.miniature import Media, Miniature
from avem_train.packing.prefix import IGNORE, collate, pack
from emorealm_tasks.mini.language import questions
from emorealm_tasks.mini.language.questions import Question
from emorealm_tasks.mini.world.cues import affect_cues
from emorealm_tasks.mini.world.sampling import Clip

BATCH = 24


def probes(rng: np.random.Generator, clip: Clip) -> list[Question]:
    """Every stress question that can be asked about a clip: many of each kind, for steady scores."""
    stress_questions = []
    for modality in ("video", "audio"):
        cue_names = [cue.name for cue in affect_cues(modality, clip.emotion(modality))]
        stress_questions += [questions.stress(rng, clip, modality, cue) for cue in [*cue_names, *clip.scene(modality)]]
    return stress_questions


@dataclass
class Exam:
    """Validation clips as cached encoder states, with questions about each."""

    media: Media
    """The clips."""
    planned: list[list[Question]]
    """The benchmark's questions."""
    probes: list[list[Question]]
    """Of each kind of stress question, many."""

    @classmethod
    def of(cls, planned: list[tuple[Clip, list[Question]]], video: torch.Tensor, audio: torch.Tensor) -> "Exam":
        """The exam on planned clips, from their encoder states in the same order."""
        clips = [clip for clip, _ in planned]
        rng = np.random.default_rng(0)
        return cls(Media(clips, video, audio), [about for _, about in planned], [probes(rng, clip) for clip in clips])


@dataclass(frozen=True)
class Scores:
    """Scores in percent, answered by letter."""

    tasks: dict[str, float]
    """Accuracy of each task."""
    yes_rate: float
    """On a test of which half is yes and a quarter each kind of no, from the probes' accuracies."""
    no_hallucination: float
    """Accuracy of the stress probes whose cue matters."""
    spurious: float
    """Accuracy of the stress probes whose cue is there without mattering."""
    hallucination: float
    """Accuracy of the stress probes whose cue is absent."""

    def weak(self, bounds: list[float]) -> bool:
        """Whether both kinds of no are answered right less often than the upper and more often than the lower bound."""
        return all(bounds[0] <= score <= bounds[1] for score in (self.spurious, self.hallucination))

    def line(self) -> str:
        """The scores in one line."""
        short = {task.replace("reasoning_", "").replace("modality_", ""): score for task, score in self.tasks.items()}
        parts = [f"{task} {score:.0f}" for task, score in sorted(short.items())]
        parts += [f"yes-rate {self.yes_rate:.0f}", f"no-hall {self.no_hallucination:.0f}"]
        return ", ".join([*parts, f"spurious {self.spurious:.0f}", f"hallucination {self.hallucination:.0f}"])


@torch.no_grad()
def letters(
    miniature: Miniature, media: Media, planned: list[list[Question]], options: bool = True
) -> list[tuple[Question, str]]:
    """Every question with the piece that the model puts first in its answer (greedy), in upper case, e.g. "A".

    planned: the questions of each clip of `media`, in its order. options: whether they are asked with their options;
    without, the first piece is that of a sentence, e.g. "YES".
    """
    miniature.model.eval()
    answered = []
    for start in range(0, len(planned), BATCH):
        part = range(start, min(start + BATCH, len(planned)))
        rows = []
        for i in part:
            texts = [question.prompt if options else question.text for question in planned[i]]
            prompts = [miniature.prompt_ids(text, True) for text in texts]
            rows.append(pack(prompts, [miniature.response_ids(question.answer) for question in planned[i]]))
        batch = collate(rows, miniature.tokenizer.pad_token_id)
        batch |= {
            "video": media.video[part.start : part.stop].float(),
            "audio": media.audio[part.start : part.stop].float(),
        }
        best = miniature.forward(batch).argmax(-1)
        first = (batch["labels"] != IGNORE) & (batch["labels"].roll(1, 1) == IGNORE)
        for row, i in enumerate(part):
            at = first[row].nonzero()[:, 0] - 1
            pieces = [str(miniature.tokenizer.decode([token])).strip().upper() for token in best[row, at].tolist()]
            answered += list(zip(planned[i], pieces, strict=True))
    return answered


def validate(miniature: Miniature, exam: Exam) -> Scores:
    """Scores on the exam."""
    tasks, kinds = defaultdict(list), defaultdict(list)
    for question, letter in letters(miniature, exam.media, exam.planned):
        tasks[question.task].append(letter == question.answer)
    for question, letter in letters(miniature, exam.media, exam.probes):
        kinds[question.subtask].append(letter == question.answer)
    accuracy = {task: round(100 * float(np.mean(hits)), 1) for task, hits in tasks.items()}
    right, spurious, hallucination = (
        round(100 * float(np.mean(kinds[kind])), 1) for kind in ("no_hallucination", "spurious", "hallucination")
    )
    return Scores(accuracy, 50 + right / 2 - (spurious + hallucination) / 4, right, spurious, hallucination)
