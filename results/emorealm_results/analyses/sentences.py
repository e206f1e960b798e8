"""What an analysis shows, in sentences that follow from its numbers.

A model is compared with the first one of the report, over the same questions; where the interval holds 0, no change is
seen.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from emorealm_results.analyses import adversarial, attention, cues, modalities, swap
from emorealm_results.console.markdown import interval

Report = Mapping[str, Any]
Says = Callable[[Report], list[str]]
"""A report -> its sentences."""
NO_CHANGE = "does not change clearly"
AGAINST = "_against_"
_LEAST_P = 0.001
_ASKED = ("all", "asked")
_FEW = 6  # that are named one by one


def of_swap(report: Report) -> list[str]:
    """The shortcut index of the first model, and how training changes it."""
    first = [
        f"{row['model']}: the shortcut index is {interval(row, 3)}."
        for row in rows(report, "shortcut_index", ("all",))[:1]
    ]
    return first + [
        f"{row['model']}: the shortcut index {direction(row)} ({interval(row, 3)})."
        for row in rows(report, swap.CHANGE, ("all",))
    ]


def of_attention(report: Report) -> list[str]:
    """How training changes the share of the asked modality."""
    names = {"all": "over all questions", "sound": "of questions about the sound", "picture": "about the picture"}
    return [
        f"{row['model']}: {names[row['group']]}, the share of the asked modality in the attention to media "
        f"{direction(row)} ({interval(row, 2)} points)."
        for row in rows(report, attention.CHANGE, _ASKED)
    ]


def of_adversarial(report: Report) -> list[str]:
    """How training changes the mean absolute shift, the ways of altering sorted by what comes out."""
    changes = rows(report, adversarial.CHANGE, ("all",))
    found = []
    for model in dict.fromkeys(row["model"] for row in changes):
        ways: dict[str, list[str]] = {}
        for row in changes:
            if row["model"] == model:
                ways.setdefault(direction(row), []).append(row["condition"].replace("_", " "))
        found += [f"{model}: the mean absolute shift {how} for {', '.join(names)}." for how, names in ways.items()]
    return found


def of_modalities(report: Report) -> list[str]:
    """What each model loses where less is given."""
    lost = rows(report, "lost", ("all",))
    found = []
    for model in dict.fromkeys(row["model"] for row in lost):
        parts = [
            f"with the {row['condition']} alone {interval(row, 1)} ({p_value(row)})"
            for row in lost
            if row["model"] == model and row["condition"] in modalities.GIVEN[1:]
        ]
        found.append(f"{model}: points of accuracy lost: {', '.join(parts)}.")
    return found


def of_options(report: Report) -> list[str]:
    """How far each model's answer stands whatever the order of the options."""
    numbers = {
        (row["model"], name): row
        for name in ("consistency", "accuracy", "accuracy_corrected")
        for row in rows(report, name, ("all",))
    }
    return [
        f"{model}: gives the same option in all orders for {interval(numbers[model, 'consistency'], 1)} % of the "
        f"questions; accuracy {interval(numbers[model, 'accuracy'], 1)} as written, "
        f"{interval(numbers[model, 'accuracy_corrected'], 1)} by all orders together."
        for model in dict.fromkeys(model for model, _ in numbers)
    ]


def of_cues(report: Report) -> list[str]:
    """How many of the cues that a model names it really used."""
    return [
        f"{row['model']}: used {interval(row, 1)} % of the {row['questions']} cues that its answers name."
        for row in rows(report, "used", ("all",))
        if row["condition"] == cues.NAMED
    ]


def of_methods(report: Report) -> list[str]:
    """How the methods of a study change the numbers, against the base and against AVEm-DPO: a line for each number."""
    changes = [row for row in report["estimates"] if AGAINST in row["metric"] and row["level"] in _ASKED]
    changes = [row for row in changes if row["model"] != report["model_args"][0]]  # the base's are the others' reversed
    found = []
    for metric, group in dict.fromkeys((row["metric"], row["group"]) for row in changes):
        number, _, other = metric.partition(AGAINST)
        of = [row for row in changes if (row["metric"], row["group"]) == (metric, group)]
        digits = 3 if "index" in number else 2
        parts = [
            f"{_case(row)} {direction(row)} ({interval(row, digits)})" for row in of if direction(row) != NO_CHANGE
        ]
        unclear = [_case(row) for row in of if direction(row) == NO_CHANGE]
        if unclear:
            parts.append(f"no clear change: {', '.join(unclear) if len(unclear) <= _FEW else f'{len(unclear)} others'}")
        about = "" if group == "all" else f" of questions about the {group}"
        found.append(f"Against {other}, {number.replace('_', ' ')}{about}: {'; '.join(parts)}.")
    return found


def _case(row: Mapping[str, Any]) -> str:
    """A method, and under what it was measured."""
    condition = row["condition"].replace("_", " ")
    return f"{row['model']} ({condition})" if condition else str(row["model"])


def direction(row: Mapping[str, Any]) -> str:
    """In which direction a difference goes, as far as its interval says so."""
    if row["low"] is None or row["low"] <= 0 <= row["high"]:
        return NO_CHANGE
    return "grows" if row["low"] > 0 else "shrinks"


def p_value(row: Mapping[str, Any]) -> str:
    """A row's p, three digits; "p < 0.001" below that."""
    return f"p < {_LEAST_P}" if row["p"] < _LEAST_P else f"p = {row['p']:.3f}"


def rows(report: Report, metric: str, levels: Sequence[str]) -> list[Mapping[str, Any]]:
    """The numbers of a metric at some levels, in the report's order."""
    return [row for row in report["estimates"] if row["metric"] == metric and row["level"] in levels]
