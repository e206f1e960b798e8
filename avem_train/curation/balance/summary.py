"""What the questions are like, task by task: numbers for a report, as JSON."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from math import prod
from statistics import fmean
from typing import Any

from avem_train.curation.balance import labels, lengths, text_classifier
from avem_train.curation.data.rows import Row


def by_task(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """Task -> its questions, tasks in order of name."""
    tasks: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        tasks[row["task"]].append(row)
    return dict(sorted(tasks.items()))


def clip_labels(rows: Sequence[Row]) -> Counter[str]:
    """Label -> clips that have questions."""
    return Counter({row["clip"]: row["emotion"] for row in rows}.values())


def tasks(rows: Sequence[Row]) -> dict[str, Any]:
    """Of each task: questions, clips, right answers, sub-tasks, positions, lengths, and what text alone gives away."""
    return {task: _about(some) for task, some in by_task(rows).items()}


def guessing(rows: Sequence[Row], clients: Sequence[str]) -> dict[str, Any]:
    """Of each task: each client's accuracy from the text alone, and how many questions all of them guess right.

    Beside it how many they would if they picked blindly, each for itself: B.1 drops that many good questions.
    """
    return {
        task: {
            "questions": len(some),
            "chance": _chance(some),
            "accuracy": {client: fmean(client in row["guessed_by"] for row in some) for client in clients},
            "guessed_by_all": sum(by_all(row, clients) for row in some),
            "expected_by_chance": sum(prod(1 / len(row["choices"]) for _ in clients) for row in some) if clients else 0,
        }
        for task, some in by_task(rows).items()
    }


def by_all(row: Row, clients: Sequence[str]) -> bool:
    """Whether all clients, and at least one, picked the right option from the text alone."""
    return bool(clients) and set(clients) <= set(row["guessed_by"])


def distribution(before: Sequence[Row], after: Sequence[Row], source: Mapping[str, int]) -> dict[str, Any]:
    """Share of each label among the clips of the source, and of the questions before and after (Fig. 7)."""
    counts = clip_labels(after)
    found, wanted = labels.shares(counts), labels.target(counts, source)
    return {
        "source": labels.shares(source),
        "before": labels.shares(clip_labels(before)),
        "after": found,
        "missing": sorted(label for label in source if label not in found),
        "largest_difference": max((abs(found[label] - share) for label, share in wanted.items()), default=0.0),
    }


def _about(rows: Sequence[Row]) -> dict[str, Any]:
    answers = Counter(row["roles"][row["answer"]] for row in rows)
    subtasks = Counter(row["subtask"] for row in rows if row["subtask"])
    about: dict[str, Any] = {
        "questions": len(rows),
        "clips": len({row["clip"] for row in rows}),
        "answers": dict(sorted(answers.items())),
        "subtasks": dict(sorted(subtasks.items())),
        "positions": dict(sorted(Counter(str(row["answer"]) for row in rows).items())),
        "text_classifier": {"accuracy": text_classifier.accuracy(rows), "chance": _chance(rows)},
    }
    if not text_classifier.is_yes_no(rows[0]):
        right, wrong = zip(*map(lengths.words, rows), strict=True)
        about["words"] = {"right": fmean(right), "wrong": fmean(wrong)}
    return about


def _chance(rows: Sequence[Row]) -> float:
    return fmean(1 / len(row["choices"]) for row in rows)
