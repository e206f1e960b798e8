"""The analyses by name."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from emorealm_results.analyses import modalities, options, swap
from emorealm_results.analyses.estimates import Estimate
from emorealm_results.analyses.scoring import Conditions, Scored
from emorealm_tasks.benchmarks.rows import Row


class Analysis(NamedTuple):
    """One analysis."""

    does: str
    """What it varies, in a phrase for help and reports."""
    conditions: Callable[[Sequence[Row], int], Conditions]
    """All questions, and a seed -> the conditions of each. May raise ValueError."""
    report: Callable[[Sequence[Scored]], list[Estimate]]
    """All questions with their scores -> the report's numbers."""
    shown: tuple[str, ...]
    """Metrics of the plot."""


KINDS = {
    "swap": Analysis(
        "picture and sound exchanged for those of a clip with another answer, each by itself",
        swap.conditions,
        swap.report,
        ("effect_sound", "effect_picture", "interaction", "shortcut_index"),
    ),
    "modalities": Analysis(
        "with both, sound only, picture only, text only",
        modalities.conditions,
        modalities.report,
        ("accuracy", "lost"),
    ),
    "options": Analysis(
        "the options in every order, and the question in other words",
        options.conditions,
        options.report,
        ("accuracy", "accuracy_corrected", "consistency", "position_bias"),
    ),
}
