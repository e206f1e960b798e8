"""The analyses by name."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from emorealm_results.analyses import adversarial, attention, cues, modalities, options, plots, sentences, swap
from emorealm_results.analyses.estimates import Estimate, Figure
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
    shown: tuple[str, ...]
    """The metrics that a page shows; the others are in the report."""
    says: sentences.Says
    """A report -> what it shows, in sentences."""
    legend: str
    """What the shown numbers mean, where their names do not say it."""
    curves: Callable[[Sequence[Any]], list[adversarial.Curve]] = lambda scored: []
    """What was measured -> the curves that are saved beside the numbers."""
    change: Callable[[Sequence[Any], Sequence[Any]], list[Estimate]] = lambda before, after: []
    """What was measured of the first model and of another -> how they differ."""
    one_modality: bool = False
    """Whether only questions about one modality are asked."""
    holds: Mapping[str, Any] = SCORES
    """The pattern of what is measured."""
    compact: Callable[[Any], Any] = lambda one: one
    """A line as it is held in memory."""
    levels: tuple[str, ...] = ("all", "asked")
    """The levels that a page shows."""
    figures: Callable[[Sequence[Any]], list[Figure]] | None = None
    """What was measured -> the numbers in which a study compares methods; None: it compares none."""


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
        ("shortcut_index", "effect_sound", "effect_picture", swap.CHANGE),
        sentences.of_swap,
        "Effects are sizes with their sign, on the log-odds of the right option; the index is 0 for a model that "
        "goes by the asked modality alone, 1 for one that goes by the other alone.",
        change=swap.change,
        figures=swap.figures,
    ),
    "attention": Analysis(
        "how much of the attention goes to the sound and to the picture where the answer begins, by layer and head",
        attention.prepare,
        attention.report,
        plots.attention,
        (*attention.METRICS, attention.CHANGE),
        sentences.of_attention,
        "Of the last token of the prompt. asked share: of the attention to media, that to the asked modality.",
        change=attention.change,
        figures=attention.figures,
        one_modality=True,
        holds=attention.HOLDS,
        compact=attention.compact,
    ),
    "adversarial": Analysis(
        "the modality that is not asked about exchanged, replaced by noise or nothing, made louder or quieter, damaged",
        _by_likelihood(adversarial.conditions),
        adversarial.report,
        plots.densities,
        ("shift_absolute", "changed", adversarial.CHANGE),
        sentences.of_adversarial,
        "The modality that is not asked about is altered. changed: questions with another likeliest option.",
        adversarial.curves,
        adversarial.change,
        one_modality=True,
        figures=adversarial.figures,
    ),
    "modalities": Analysis(
        "with both, sound only, picture only, text only",
        _by_likelihood(modalities.conditions),
        modalities.report,
        plots.dots("accuracy", "lost"),
        ("accuracy", "lost"),
        sentences.of_modalities,
        "lost: points of accuracy against both modalities, with p (exact, clips independent; Holm over the report).",
        levels=("all", "task"),
    ),
    "options": Analysis(
        "the options in every order, and the question in other words",
        _by_likelihood(options.conditions),
        options.report,
        plots.dots("accuracy", "accuracy_corrected", "consistency", "position_bias"),
        ("accuracy", "accuracy_mean", "accuracy_corrected", "consistency", "position_bias", "consistency_wording"),
        sentences.of_options,
        "accuracy: as written; mean: over all orders; corrected: of the option likeliest over all orders together. "
        "consistency: questions in which all orders get the same option. position bias: how far the chosen places are "
        "from even, of questions with as many options. consistency wording: the same option in all wordings.",
        levels=("all", "task"),
    ),
    "cues": Analysis(
        "the clip drawn again without the cue that the answer names, or with it; the miniature alone",
        cues.prepare,
        cues.report,
        plots.dots("used", "followed", "effect", "changed_anyway"),
        ("used", "followed", "effect", "changed_anyway"),
        sentences.of_cues,
        "used: of the cues that the answer names, those that it no longer names once they are taken out; "
        "followed: of those that it denies and that are absent, those that it names once they are added; effect: on "
        "the log-odds of naming the cue; changed anyway: answers that change where the same cues are drawn with other "
        "seeds.",
        one_modality=True,
        holds=cues.HOLDS,
    ),
}
"""In the order of a page."""
