"""Two runs on the same questions: their records side by side, the difference of every score, and what changed.

Both runs answered the same questions about the same clips, so differences are taken within questions: a bootstrap
resample draws clips once for both (the interval of a difference, not a difference of intervals), and McNemar's test
asks of the questions that only one run got right whether a fair coin would split them so unevenly. Descriptions are
compared by the scores that one judge gave both; nothing is right or wrong in them.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from emorealm_results.rescore.scores import reread
from emorealm_results.runs import benchmark as builds
from emorealm_results.runs import descriptions as judged
from emorealm_results.runs.samples import FULL
from emorealm_results.runs.saved import Saved
from emorealm_tasks import metrics
from emorealm_tasks.errors import stop
from emorealm_tasks.harness import recognition
from emorealm_tasks.metrics import ScoreFunction, description, intervals
from emorealm_tasks.metrics import recognition as recognition_metrics
from emorealm_tasks.metrics.description import CRITERIA
from emorealm_tasks.metrics.unparsed import with_rate

Record = Any
"""Of one of three kinds, which `kind` beside it names: `metrics.Record`, `recognition_metrics.Record`, or
`reasoning_metrics.Record` with ``points``."""
Difference = dict[str, float | None]
"""first, second, difference (second - first), low, high: None where undefined"""
QUESTIONS, RECOGNITION, DESCRIPTIONS = "questions", "recognition", "descriptions"
_SAME = {
    QUESTIONS: ("clip", "gold", "choices", "task", "subtask"),
    RECOGNITION: ("clip", "gold", "labels", "task"),
    DESCRIPTIONS: ("clip", "reference", "task"),
}
"""What makes two records' questions the same, by kind."""


class Unlike(Exception):
    """A question differs between two runs in more than its answer."""


@dataclass(frozen=True)
class Answered:
    """One task of one run."""

    name: str
    """Full name of the task, as lmms-eval has it."""
    kind: str
    """How it is scored: QUESTIONS, RECOGNITION or DESCRIPTIONS."""
    benchmark: str
    """emorealm, emorealm_mini, or the task's own name."""
    part: str
    """"full" or one of FLOORS."""
    task: str
    """Released name of the task, the same for every part."""
    records: Sequence[Record]
    """One a sample."""
    read: Callable[[Record], Record]
    """Reads a record's reply again, or finds the points of its verdicts."""


@dataclass(frozen=True)
class Pair:
    """One task in both runs. Scores of DESCRIPTIONS are points of 1 to 10, all others percent."""

    name: str
    """As in `Answered`, and so the next four."""
    kind: str
    """How it is scored."""
    benchmark: str
    """What it belongs to."""
    part: str
    """"full" or one of FLOORS."""
    task: str
    """Released name of the task."""
    first: tuple[Record, ...]
    """Records of the first run; `second[i]` answers the same question as `first[i]`."""
    second: tuple[Record, ...]
    """Records of the second run, as many as in `first`."""
    only_first: tuple[str, ...]
    """Ids of the questions that the first run alone answered."""
    only_second: tuple[str, ...]
    """Ids of the questions that the second run alone answered."""


def tasks(run: Saved, judge: str = "") -> dict[str, Answered]:
    """Every task of a run by its name; ``judge`` is the one whose verdicts count, "" for the run's own.

    Ends with status 2 where more of that judge's verdicts are missing than may be.
    """
    all_tasks = questions(run)
    for name, replies in run.replies.records.items():
        all_tasks.append(Answered(name, RECOGNITION, name, FULL, name, replies, recognition.read))
    for name, descriptions in run.descriptions.records.items():
        all_tasks.append(Answered(name, DESCRIPTIONS, name, FULL, name, descriptions, _points_by(run, name, judge)))
    return {task.name: task for task in all_tasks}


def questions(run: Saved) -> list[Answered]:
    """The tasks of a run that ask EmoReAlM's questions."""
    return [
        Answered(task.name, QUESTIONS, task.benchmark, task.part, task.task, task.records, reread)
        for task in (run.questions.tasks if run.questions else ())
    ]


def _points_by(run: Saved, name: str, judge: str) -> Callable[[Record], Record]:
    records = run.descriptions.records[name]
    judge = judge or judged.counting(records)
    unjudged, of = description.unjudged(records, judge)
    if not judge or unjudged > description.MOST_UNJUDGED * of:
        judges = ", ".join(judged.judges(records)) or "nobody"
        which = f"{unjudged} of {of} verdicts of {judge}" if judge else "all verdicts"
        stop(
            f"{run.folder}: {name} lacks {which} (judged by {judges}); name another with --judge, or judge with "
            f"emorealm rescore {run.folder} --judge live"
        )
    return lambda record: dict(record) | {"points": description.clip_scores(record, judge), "judge": judge}


def pair(first: Saved, second: Saved, judge: str = "") -> list[Pair]:
    """The tasks that both runs answered, their questions matched by id and read again.

    Both runs' descriptions are taken as ``judge`` scored them, "" for the judge of the first. Ends with status 2 when
    no question is in both, or when a question differs between them in more than its answer.
    """
    first_tasks = tasks(first, judge)
    second_tasks = tasks(second, judge or _judge_of(first))
    try:
        pairs = in_common(first_tasks.values(), second_tasks.values())
    except Unlike as error:
        other_build = builds.between(first, second)
        stop(f"{other_build}{error}" + ("" if other_build else "; they did not answer the same benchmark"))
    if not pairs and (other_build := builds.between(first, second)):
        stop(f"{other_build}they have no question in common")
    if not pairs:
        stop(f"{first.folder} and {second.folder} have no question in common; name two runs of the same tasks")
    return pairs


def in_common(first: Iterable[Answered], second: Iterable[Answered]) -> list[Pair]:
    """The tasks of both that have questions in common. Raises Unlike where such a question is not the same in both."""
    second_by_name = {task.name: task for task in second}
    pairs = [_pair(task, second_by_name[task.name]) for task in first if task.name in second_by_name]
    return [pair for pair in pairs if pair.first]


def _judge_of(run: Saved) -> str:
    return next((judged.counting(records) for records in run.descriptions.records.values()), "")


def _pair(first: Answered, second: Answered) -> Pair:
    first_records, second_records = ({record["id"]: record for record in run.records} for run in (first, second))
    common = [identity for identity in first_records if identity in second_records]
    for identity in common:
        changed = [
            name for name in _SAME[first.kind] if first_records[identity][name] != second_records[identity][name]
        ]
        if changed:
            raise Unlike(f"{first.name}: question {identity} differs between the runs in {', '.join(changed)}")
    record_pairs = [(first.read(first_records[identity]), second.read(second_records[identity])) for identity in common]
    if first.kind == DESCRIPTIONS:  # the few that either run's judge left out
        record_pairs = [records for records in record_pairs if records[0]["points"] and records[1]["points"]]
    return Pair(
        first.name,
        first.kind,
        first.benchmark,
        first.part,
        first.task,
        tuple(before for before, _ in record_pairs),
        tuple(after for _, after in record_pairs),
        tuple(identity for identity in first_records if identity not in second_records),
        tuple(identity for identity in second_records if identity not in first_records),
    )


def right(record: Record, reading: str) -> bool:
    """Whether a record of QUESTIONS or RECOGNITION counts as answered rightly in a reading."""
    answer = record[reading if reading in record else "official"]
    return answer if isinstance(answer, bool) else answer == record["gold"]


def task_differences(pair: Pair, reading: str, level: float = intervals.LEVEL) -> dict[str, Difference]:
    """The difference of each score of the pair's task, by name; percent, or points where it is of descriptions."""
    (names, first_scores), (_, second_scores) = (
        score_function(pair.kind, rows, reading) for rows in (pair.first, pair.second)
    )
    return _differences(names, pair.first, first_scores, second_scores, level)


def score_names(pair: Pair) -> tuple[str, ...]:
    """The names of the scores of the pair's task."""
    return score_function(pair.kind, pair.first, "strict")[0]


def score_function(kind: str, records: Sequence[Record], reading: str) -> tuple[tuple[str, ...], ScoreFunction]:
    """Names and function of the scores of a kind; of replies that are read, the unparsed ones' share too."""
    if kind == DESCRIPTIONS:
        points = np.array([list(record["points"].values()) for record in records])
        points = np.column_stack([points, points.mean(axis=1)])
        return (*CRITERIA, "mean"), lambda weights: weights @ points / weights.sum(axis=1, keepdims=True)
    if kind == RECOGNITION:
        known_reading = reading if reading in recognition_metrics.READINGS else "official"
        scores = recognition_metrics.score_function(records, known_reading)
    else:
        scores = metrics.score_function(records, reading)
    return with_rate(*scores, records)


def group_differences(pairs: Sequence[Pair], reading: str, level: float = intervals.LEVEL) -> dict[str, Difference]:
    """The difference of each score of :func:`metrics.group_scores`; clips are drawn jointly over the tasks."""
    first = [row for pair in pairs for row in pair.first]
    second = [row for pair in pairs for row in pair.second]
    (names, first_scores), (_, second_scores) = (metrics.group_function(rows, reading) for rows in (first, second))
    return _differences(names, first, first_scores, second_scores, level)


def _differences(
    names: Sequence[str],
    records: Sequence[Record],
    first_scores: ScoreFunction,
    second_scores: ScoreFunction,
    level: float,
) -> dict[str, Difference]:
    ones = np.ones((1, len(records)))
    values = zip(first_scores(ones)[0], second_scores(ones)[0], strict=True)
    bounds = intervals.clip_bootstraps(
        records, lambda weights: second_scores(weights) - first_scores(weights), level=level
    )
    differences = {}
    for name, (first, second), (low, high) in zip(names, values, bounds, strict=True):
        numbers = {"first": first, "second": second, "difference": second - first}
        plain = {key: None if np.isnan(value) else float(value) for key, value in numbers.items()}
        differences[name] = plain | {"low": low, "high": high}
    return differences


def mcnemar(first: Iterable[bool], second: Iterable[bool]) -> dict[str, float | int]:
    """McNemar's exact test on paired right/wrong answers (McNemar 1947).

    ``only_first`` and ``only_second`` count the questions that one run alone got right, ``p`` is the two-sided
    binomial probability of a split at least as uneven; 1 without any. It takes questions as independent.
    """
    answer_pairs = list(zip(first, second, strict=True))
    only_first = sum(a and not b for a, b in answer_pairs)
    only_second = sum(b and not a for a, b in answer_pairs)
    flips = only_first + only_second
    from scipy.stats import binomtest  # half a second to import

    p = binomtest(only_first, flips).pvalue if flips else 1.0
    return {"only_first": only_first, "only_second": only_second, "p": float(p)}


def changes(pair: Pair, reading: str) -> list[dict[str, Any]]:
    """The questions whose answer changed: ``change`` is "gained", "lost", or "other answer" (as right as before).

    Of descriptions, where nothing is right: "gained" and "lost" when the mean of the judge's scores rose or fell.
    """
    changed = []
    for first, second in zip(pair.first, pair.second, strict=True):
        first_standing, second_standing = _standing(pair, first, reading), _standing(pair, second, reading)
        answers = [_answer_text(pair, record) for record in (first, second)]
        if first_standing == second_standing and answers[0] == answers[1]:
            continue
        changed.append(
            {
                "change": "other answer"
                if first_standing == second_standing
                else ("gained" if second_standing > first_standing else "lost"),
                "task": pair.name,
                "id": first["id"],
                "clip": first["clip"],
                "subtask": first.get("subtask", ""),
                "gold": first.get("gold", ""),
                "first": answers[0],
                "second": answers[1],
                "first_raw": first["raw"],
                "second_raw": second["raw"],
            }
        )
    return changed


def _standing(pair: Pair, record: Record, reading: str) -> float:
    """How well a record stands: right or not, or the mean of its points."""
    return float(np.mean(list(record["points"].values()))) if pair.kind == DESCRIPTIONS else right(record, reading)


def _answer_text(pair: Pair, record: Record) -> str:
    return f"{_standing(pair, record, ''):.2f} points" if pair.kind == DESCRIPTIONS else record["strict"]
