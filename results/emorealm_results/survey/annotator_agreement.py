"""Answers of a verification study -> Tables 6 and 7: majority rule, discrepancies, agreement of the annotators."""

from collections import Counter
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import Any

import numpy as np

from emorealm_results.console.markdown import table
from emorealm_results.console.words import counted
from emorealm_results.survey import answers as of_participants
from emorealm_results.survey.study import QUESTION
from emorealm_tasks.errors import warn_once

COUNTS = {
    "verified": "verified",
    "one_or_more_correct": "at least one correct",
    "majority_correct": "majority correct",
    "discrepancies": "discrepancies",
    "questions": "final",
}
"""Metric of the published tables -> the column's head."""
_AGREEMENT = ("answer", "several", "problem")
_LEGEND = (
    "Majority correct: more than half of the annotators chose the keyed answer. Discrepancies: more than half said "
    "that several options are right or that something is wrong. Final: majority correct and no discrepancy; the "
    "published count also holds discrepancies that were mended by hand. α: Krippendorff's alpha, nominal."
)


def tally(
    key: Mapping[str, Any],
    answers: Sequence[Mapping[str, str]],
    max_failed: int = 0,
    pretest_right: int = 0,
    annotators: int = 3,
) -> dict[str, Any]:
    """The counts and alpha of each task and of all (``tasks``), and a verdict on every question (``questions``).

    A question is verified when ``annotators`` or more answered it; the others are ``unfinished``. A verdict is "keep",
    "mend" (a discrepancy) or "drop"; kept questions are the final ones. See :func:`answers.excluded` for who is left
    out. Alpha is None where it is undefined, or where its library is missing.
    """
    left_out = of_participants.excluded(key, answers, max_failed, pretest_right)
    units: dict[str, dict[str, Any]] = {}
    for answer in answers:
        item = key["versions"][answer["version"]][answer["item"]]
        if item["role"] == QUESTION and answer["participant"] not in left_out:
            unit = units.setdefault(item["id"], {"item": item, "of": {}})
            unit["of"].setdefault(answer["participant"], {})[answer["question"]] = answer["choice"]
    verdicts = [_verdict(name, unit["item"], unit["of"]) for name, unit in sorted(units.items())]
    verified = [question for question in verdicts if question["annotators"] >= annotators]
    tasks = sorted({question["task"] for question in verified})
    groups = {task: [question for question in verified if question["task"] == task] for task in tasks}
    return {
        "study": key["study"],
        "participants": len({name for unit in units.values() for name in unit["of"]}),
        "excluded": left_out,
        "annotators": annotators,
        "unfinished": len(verdicts) - len(verified),
        "tasks": {
            task: _counts(of) | {"alpha": _alphas(of, units)} for task, of in (groups | {"all": verified}).items()
        },
        "questions": verified,
    }


def _verdict(name: str, item: Mapping[str, Any], of: Mapping[str, Mapping[str, str]]) -> dict[str, Any]:
    """The verdict on one question; its annotators are those who chose an answer."""
    voters = [vote for vote in of.values() if "answer" in vote]
    right = sum(vote["answer"] == item["answer"] for vote in voters)
    flagged = sum(vote.get("several") == "yes" or vote.get("problem", "none") != "none" for vote in voters)
    majority, discrepancy = 2 * right > len(voters), 2 * flagged > len(voters)
    return {
        "id": name,
        "task": item["task"],
        "annotators": len(voters),
        "right": right,
        "flagged": flagged,
        "majority_correct": majority,
        "discrepancy": discrepancy,
        "verdict": "mend" if discrepancy else "keep" if majority else "drop",
        "problems": dict(Counter(vote["problem"] for vote in voters if vote.get("problem", "none") != "none")),
        "comments": [vote["comment"] for vote in voters if vote.get("comment")],
    }


def _counts(questions: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    return {
        "verified": len(questions),
        "one_or_more_correct": sum(question["right"] > 0 for question in questions),
        "majority_correct": sum(question["majority_correct"] for question in questions),
        "discrepancies": sum(question["discrepancy"] for question in questions),
        "questions": sum(question["verdict"] == "keep" for question in questions),
    }


def _alphas(questions: Sequence[Mapping[str, Any]], units: Mapping[str, Mapping[str, Any]]) -> dict[str, float | None]:
    """Krippendorff's alpha of each question that is asked about the items; free text has none."""
    alphas = {}
    for name in _AGREEMENT:
        values = []
        for question in questions:
            unit = units[question["id"]]
            chosen = [of[name] for of in unit["of"].values() if name in of]
            values.append([_value(unit["item"], choice) if name == "answer" else choice for choice in chosen])
        alphas[name] = alpha(values)
    return alphas


def _value(item: Mapping[str, Any], letter: str) -> str:
    """What a choice says: yes and no stand behind different letters, other options are alike only by their letter."""
    text: str = item["options"][letter]
    return text.lower() if text.lower() in ("yes", "no") else letter


def alpha(units: Sequence[Sequence[str]]) -> float | None:
    """Krippendorff's alpha of nominal values, a list for each unit; None where fewer than two values were given.

    Units with one value say nothing about agreement. None also where the library is missing, which is told.
    """
    if find_spec("krippendorff") is None:
        warn_once("krippendorff", "Krippendorff's alpha needs its library: pip install 'emorealm[survey]'")
        return None
    import krippendorff

    with_pairs = [unit for unit in units if len(unit) > 1]
    values = sorted({value for unit in with_pairs for value in unit})
    if len(values) < 2:
        return None
    counts = np.array([[unit.count(value) for value in values] for unit in with_pairs])
    return float(krippendorff.alpha(value_counts=counts, level_of_measurement="nominal"))


def render(report: Mapping[str, Any]) -> str:
    """The layout of Table 7, of which Table 6 has the first columns, with alpha of the answers and of the flags."""
    rows = [["task", *COUNTS.values(), *(f"α {name}" for name in _AGREEMENT)]]
    for task, of in report["tasks"].items():
        agreement = [of["alpha"][name] for name in _AGREEMENT]
        rows.append([task, *(str(of[name]) for name in COUNTS), *("–" if a is None else f"{a:.2f}" for a in agreement)])
    first = []
    if report["unfinished"]:
        unfinished = counted(report["unfinished"], "question")
        needed = counted(report["annotators"], "annotator")
        first = [f"Not yet verified, and not in the table: {unfinished} with fewer than {needed} (--annotators)."]
    tables = [table(rows), _LEGEND] if report["questions"] else []
    about = f"Study {report['study']}: {counted(report['participants'], 'participant')}."
    return "\n\n".join([*first, *tables, about, *of_participants.exclusions(report["excluded"])]) + "\n"
