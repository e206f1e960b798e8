"""The analyses by name."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from emorealm_results.analyses import adversarial, attention, cues, modalities, options, plots, swap
from emorealm_results.analyses.estimates import Estimate
from emorealm_results.analyses.scoring import SCORES, Adapter, Conditions, Measure, likelihoods
from emorealm_tasks.benchmarks.rows import Row


class Analysis(NamedTuple):
    """One analysis."""

    does: str
    """What it varies, in a phrase for help and reports."""
    prepare: Callable[[Sequence[Row], int], Callable[[Adapter], Measure]]
    """All questions, and a seed -> what measures a model. May raise ValueError."""
    report: Callable[[Sequence[Any]], list[Estimate]]
    """What was measured -> the numbers."""
    draw: plots.Draw
    """How the plot is drawn."""
    curves: Callable[[Sequence[Any]], list[adversarial.Curve]] = lambda scored: []
    """What was measured -> the curves that are saved beside the numbers."""
    change: Callable[[Sequence[Any], Sequence[Any]], list[Estimate]] = lambda before, after: []
    """What was measured of the first model and of another -> how they differ."""
    one_modality: bool = False
    """Whether only questions about one modality are asked."""
    holds: Mapping[str, Any] = SCORES
    """The pattern of what is measured."""


def _by_likelihood(
    conditions: Callable[[Sequence[Row], int], Conditions],
) -> Callable[[Sequence[Row], int], Callable[[Adapter], Measure]]:
    """Scores under the conditions that an analysis makes of all questions and a seed."""
    return lambda rows, seed: likelihoods(conditions(rows, seed))


KINDS = {
    "swap": Analysis(
        "picture and sound exchanged for those of a clip with another answer, each by itself",
        _by_likelihood(swap.conditions),
        swap.report,
        plots.dots("effect_sound", "effect_picture", "interaction", "shortcut_index"),
        change=swap.change,
    ),
    "modalities": Analysis(
        "with both, sound only, picture only, text only",
        _by_likelihood(modalities.conditions),
        modalities.report,
        plots.dots("accuracy", "lost"),
    ),
    "options": Analysis(
        "the options in every order, and the question in other words",
        _by_likelihood(options.conditions),
        options.report,
        plots.dots("accuracy", "accuracy_corrected", "consistency", "position_bias"),
    ),
    "adversarial": Analysis(
        "the modality that is not asked about exchanged, replaced by noise or nothing, made louder or quieter, damaged",
        _by_likelihood(adversarial.conditions),
        adversarial.report,
        plots.densities,
        adversarial.curves,
        adversarial.change,
        one_modality=True,
    ),
    "attention": Analysis(
        "how much of the attention goes to the sound and to the picture where the answer begins, by layer and head",
        attention.prepare,
        attention.report,
        plots.attention,
        change=attention.change,
        one_modality=True,
        holds=attention.HOLDS,
    ),
    "cues": Analysis(
        "the clip drawn again without the cue that the answer names, or with it; the miniature alone",
        cues.prepare,
        cues.report,
        plots.dots("used", "followed", "effect", "changed_anyway"),
        one_modality=True,
        holds=cues.HOLDS,
    ),
}
