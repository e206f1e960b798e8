"""Do the order of the options and the words of the question change the answer?

Every rotation of the options is asked (of yes and no: both orders), their letters staying where they are; in the
embedded world also every other wording of the question.
"""

from collections.abc import Sequence

import numpy as np

from emorealm_results.analyses import estimates
from emorealm_results.analyses.estimates import Estimate, Group
from emorealm_results.analyses.scoring import Conditions, Options, Scored
from emorealm_tasks.answers.choices import split_choice
from emorealm_tasks.benchmarks.rows import Row
from emorealm_tasks.metrics import Array
from emorealm_tasks.mini.language.wording import paraphrases


def conditions(rows: Sequence[Row], seed: int) -> Conditions:
    """A question's rotations `order_0` (as written), `order_1`, ..., and its paraphrases `wording_1`, ..."""

    def asked(row: Row) -> dict[str, Row]:
        found = {f"order_{turn}": rotated(row, turn) for turn in range(len(row["choices"]))}
        for number, question in enumerate(paraphrases(row["question"]), 1):
            found[f"wording_{number}"] = {**row, "question": question}
        return found

    return asked


def rotated(row: Row, turn: int) -> Row:
    """The row with each option's text moved `turn` places on, the first letters staying; `answer` moves along."""
    letters, texts = zip(*map(split_choice, row["choices"]), strict=True)
    count = len(letters)
    choices = [f"({letter}) {texts[(place - turn) % count]}" for place, letter in enumerate(letters)]
    return {**row, "choices": choices, "answer": letters[(letters.index(row["answer"]) + turn) % count]}


def report(scored: Sequence[Scored]) -> list[Estimate]:
    """All in percent; sums over questions with as many options only.

    accuracy: as written. accuracy_mean: over all orders. accuracy_corrected: of the option with the highest mean
    log-probability over all orders, which every position contributes to alike. consistency: questions in which all
    orders get the same option. position_bias: how far the shares of chosen positions are from even (total variation).
    consistency_wording, accuracy_wording: the same over the wordings.
    """
    return [found for group in estimates.groups(scored) for found in _of(group)]


def _of(group: Group) -> list[Estimate]:
    names = ("accuracy", "accuracy_mean", "accuracy_corrected", "consistency")
    values = np.array([_orders(one) for one in group.questions])
    found = group.estimates(names, 100 * values)
    worded = [one for one in group.questions if "wording_1" in one["conditions"]]
    if worded:
        values = 100 * np.array([*map(_wordings, worded)])
        found += group._replace(questions=worded).estimates(("consistency_wording", "accuracy_wording"), values)
    if len({_count(one) for one in group.questions}) == 1:
        found += _positions(group)
    return found


def _orders(one: Scored) -> tuple[float, float, float, float]:
    """Right as written; share right over the orders; right by mean log-probability; whether all orders agree."""
    orders = _named(one, "order_")
    turned_back = np.array([np.roll(_normal(of), -turn) for turn, of in enumerate(orders)])
    gold = orders[0]["gold"]
    chosen = turned_back.argmax(axis=1)
    corrected = int(turned_back.mean(axis=0).argmax()) == gold
    return float(chosen[0] == gold), float(np.mean(chosen == gold)), float(corrected), float(len(set(chosen)) == 1)


def _wordings(one: Scored) -> tuple[float, float]:
    asked = [one["conditions"]["order_0"], *_named(one, "wording_")]
    chosen = [int(np.argmax(of["scores"])) for of in asked]
    return float(len(set(chosen)) == 1), float(np.mean([estimates.right(of) for of in asked]))


def _positions(group: Group) -> list[Estimate]:
    """How often each position is chosen over all orders, and how far that is from even."""
    count = _count(group.questions[0])
    shares = np.array(
        [np.bincount([int(np.argmax(of["scores"])) for of in _named(one, "order_")], minlength=count) / count
         for one in group.questions]
    )  # fmt: skip

    def from_even(means: Array) -> Array:
        """(resamples, positions) in percent -> (resamples, 1)."""
        distance: Array = np.abs(means - 100 / count).sum(axis=1, keepdims=True) / 2
        return distance

    found = group.estimates([f"position_{place + 1}" for place in range(count)], 100 * shares)
    return found + group.estimates(("position_bias",), 100 * shares, combine=from_even)


def _named(one: Scored, prefix: str) -> list[Options]:
    found = {name: of for name, of in one["conditions"].items() if name.startswith(prefix)}
    return [found[f"{prefix}{number}"] for number in sorted(int(name.removeprefix(prefix)) for name in found)]


def _count(one: Scored) -> int:
    return len(one["conditions"]["order_0"]["scores"])


def _normal(options: Options) -> Array:
    """Log-probabilities that add up to one over the options."""
    scores = np.array(options["scores"])
    return np.asarray(scores - np.logaddexp.reduce(scores))
