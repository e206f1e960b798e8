"""The analyses by name."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from emorealm_results.analyses import adversarial, modalities, options, plots, swap
from emorealm_results.analyses.estimates import Estimate
from emorealm_results.analyses.scoring import Conditions, Scored
from emorealm_tasks.benchmarks.rows import Row


class Analysis(NamedTuple):
    """One analysis."""

    does: str
    conditions: Callable[[Sequence[Row], int], Conditions]
    """All questions, and a seed -> the conditions of each. May raise ValueError."""
    report: Callable[[Sequence[Scored]], list[Estimate]]
    draw: plots.Draw
    curves: Callable[[Sequence[Scored]], list[adversarial.Curve]] = lambda scored: []
    one_modality: bool = False
    """Whether only questions about one modality are asked."""


KINDS = {
    "swap": Analysis(
        "picture and sound exchanged for those of a clip with another answer, each by itself",
        swap.conditions,
        swap.report,
        plots.dots("effect_sound", "effect_picture", "interaction", "shortcut_index"),
    ),
    "modalities": Analysis(
        "with both, sound only, picture only, text only",
        modalities.conditions,
        modalities.report,
        plots.dots("accuracy", "lost"),
    ),
    "options": Analysis(
        "the options in every order, and the question in other words",
        options.conditions,
        options.report,
        plots.dots("accuracy", "accuracy_corrected", "consistency", "position_bias"),
    ),
    "adversarial": Analysis(
        "the modality that is not asked about exchanged, replaced by noise or nothing, made louder or quieter, damaged",
        adversarial.conditions,
        adversarial.report,
        plots.densities,
        adversarial.curves,
        one_modality=True,
    ),
}
