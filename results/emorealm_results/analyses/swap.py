"""The two-by-two swap: picture and sound each of the question's own clip or of a clip that contradicts it.

m is the log-odds of the right option; the first letter of a cell is the picture, the second the sound (o own, x the
partner's). Effect of the sound E_A = ((m_oo - m_ox) + (m_xo - m_xx)) / 2, of the picture E_V = ((m_oo - m_xo) +
(m_ox - m_xx)) / 2, interaction (m_oo - m_ox - m_xo + m_xx) / 2. Shortcut index of questions about one modality: the
mean size of the other one's effect over the sum of both mean sizes; 0 for a model that goes by the asked modality
alone, 1 for one that goes by the other alone. Sizes, since effects of either sign would cancel out in a mean.
"""

from collections.abc import Sequence

import numpy as np

from emorealm_results.analyses import estimates
from emorealm_results.analyses.estimates import Estimate, Figure, Group
from emorealm_results.analyses.scoring import Conditions, Scored
from emorealm_tasks.benchmarks import swaps
from emorealm_tasks.benchmarks.rows import Row
from emorealm_tasks.metrics import Array

CELLS = ("oo", "ox", "xo", "xx")
OWN = "oo"
CHANGE = "shortcut_index_change"
_EFFECTS = ("effect_sound", "effect_picture", "interaction")


def conditions(rows: Sequence[Row], seed: int) -> Conditions:
    """The four cells of a question; `given_clip` names the partner. Raises ValueError where a question has none."""
    found = swaps.partners(rows, seed)

    def cells(row: Row) -> dict[str, Row]:
        partner = found[row["id"]]
        pair = {"o": row, "x": partner}
        given = {cell: "" if cell == OWN else partner["clip"] for cell in CELLS}
        return {cell: swaps.crossed(row, pair[cell[0]], pair[cell[1]]) | {"given_clip": given[cell]} for cell in CELLS}

    return cells


def effects(one: Scored) -> tuple[float, float, float]:
    """Effects of the sound and of the picture, and their interaction, on the log-odds of the right option, in nats."""
    oo, ox, xo, xx = (estimates.log_odds(one["conditions"][cell]) for cell in CELLS)
    return ((oo - ox) + (xo - xx)) / 2, ((oo - xo) + (ox - xx)) / 2, (oo - ox - xo + xx) / 2


def report(scored: Sequence[Scored]) -> list[Estimate]:
    """Accuracy of each cell in percent, effects and interaction in nats, and the shortcut index, with intervals."""
    return [found for group in estimates.groups(scored) for found in _of(group)]


def change(before: Sequence[Scored], after: Sequence[Scored]) -> list[Estimate]:
    """How much the shortcut index is larger after training (below 0: fewer shortcuts), over the same questions."""
    earlier = {one["id"]: one for one in before}
    paired = [one for one in after if one["id"] in earlier and estimates.asked_modality(one["task"])]
    found = []
    for group in estimates.groups(paired, ("task",)):
        first = [earlier[one["id"]] for one in group.questions]
        columns = np.concatenate([_asked_and_other(first), _asked_and_other(group.questions)], axis=1)
        if columns[:, :2].any() and columns[:, 2:].any():
            found += group.estimates((CHANGE,), columns, combine=_more_of_other)
    return found


def _asked_and_other(questions: Sequence[Scored]) -> Array:
    """Sizes of the effects of the asked and of the other modality, (questions, 2), nats."""
    sizes = np.abs(np.array([effects(one)[:2] for one in questions]))
    by_sound = np.array([estimates.asked_modality(one["task"]) == "audio" for one in questions])
    columns: Array = np.where(by_sound[:, None], sizes, sizes[:, ::-1])
    return columns


def _more_of_other(means: Array) -> Array:
    """(resamples, asked and other before, asked and other after) -> (resamples, 1)."""
    return _share_of_other(means[:, 2:]) - _share_of_other(means[:, :2])


def _of(group: Group) -> list[Estimate]:
    values = np.array([effects(one) for one in group.questions])
    rights = np.array([[100.0 * estimates.right(one["conditions"][cell]) for cell in CELLS] for one in group.questions])
    found = [
        group.estimate("accuracy", value, bounds, cell)
        for cell, (value, bounds) in zip(CELLS, estimates.bootstrapped(group.questions, rights), strict=True)
    ]
    return found + group.estimates(_EFFECTS, values) + _index(group)


def _index(group: Group) -> list[Estimate]:
    """The shortcut index of the group's questions about one modality; nothing where no effect was seen."""
    about = [one for one in group.questions if estimates.asked_modality(one["task"])]
    figure = _index_of(group._replace(questions=about)) if about else None
    return figure.estimates() if figure and figure.columns.any() else []


def figures(scored: Sequence[Scored]) -> list[Figure]:
    """The shortcut index of all questions about one modality, and of each task."""
    about = [one for one in scored if estimates.asked_modality(one["task"])]
    return [_index_of(group) for group in estimates.groups(about, ("task",))]


def _index_of(group: Group) -> Figure:
    columns = _asked_and_other(group.questions)
    return Figure(group, "shortcut_index", columns, combine=_share_of_other)


def _share_of_other(means: Array) -> Array:
    shares: Array = means[:, 1:] / means.sum(axis=1, keepdims=True)
    return shares
