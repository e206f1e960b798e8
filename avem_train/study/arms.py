"""What a study compares: the rows of its tables, each a shipped recipe and what is changed in it.

Equal trainings are one run, whichever rows they stand in: AVEm-DPO with its defaults is in every section.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from avem_train.data.negatives import TABLE_17
from avem_train.objectives import REJECTED, TABLE_18

AVEM = "AVEm-DPO"
BASE = "Our base"
"""The base of the paper's that the rows below are named after; a study may have another (`Study.published`)."""
EXAMINED = ("avere", "emotion_llama")
"""The harness's models whose trainings a study can examine (`candidates`)."""
_OURS = f"{BASE} + {AVEM}"


@dataclass(frozen=True)
class Arm:
    """One row."""

    name: str
    """Unique within its section."""
    recipe: str = ""
    """A shipped recipe; "" = nothing is trained."""
    changes: tuple[str, ...] = ()
    """`key=value` for the recipe."""
    letters: float | None = None
    """Share of preference records answered by letter; None = the study's."""
    one_cue: bool = False
    """Records bring rejected clips that differ in one cue, where an answer depends on one."""
    answering: tuple[str, ...] = ()
    """Model arguments of the harness, for ways of answering that need no training."""
    published: str = ""
    """The model in the paper's tables."""
    axis: str = ""
    """What a sweep varies."""
    value: float | None = None
    """This row's value of it."""


@dataclass(frozen=True)
class Choices:
    """Values tried on the validation world in the section `choices`, one at a time around the study's own setting."""

    learning_rates: list[Any] = field(default_factory=lambda: [1e-4, 3e-4, 1e-3])
    """Peaks, for each of three methods."""
    steps: list[Any] = field(default_factory=lambda: [60, 120, 240])
    """Updates."""
    letters: list[Any] = field(default_factory=lambda: [0.0, 0.2, 0.4])
    """Shares of preference records answered by letter."""

    def __post_init__(self) -> None:
        try:
            values = [float(value) for name in ("learning_rates", "steps", "letters") for value in getattr(self, name)]
        except (TypeError, ValueError) as error:
            raise ValueError(f"choices: lists of numbers are needed ({error})") from error
        if min(values, default=0) < 0:
            raise ValueError("choices: no value may be below 0")


_UNTRAINED = Arm("base", published=BASE)
PENALTY = f"{AVEM}, penalty"
"""Its text prior with the other sign."""
_MOD = "MoD-DPO (derived)"
_ANOTHER_CLIP = ("negatives.kind=other_emotion",)  # noise teaches least in this world
_OF_THE_FIELD = (
    Arm("mDPO", "mdpo"),
    Arm(_MOD, "mod_dpo", _ANOTHER_CLIP),
    Arm("MoD-DPO++ (derived)", "mod_dpo_plus", _ANOTHER_CLIP),
)
PLUS = "AVEm-plus"
"""What was chosen from `towards_plus`."""
SLOWER = f"{AVEM}, slower"
"""With the setting that was its best on the validation world."""
MAD = "modality-adaptive decoding"
_DEFAULT = Arm(AVEM, "avem_dpo", published=_OURS)


def methods(choices: Choices) -> list[Arm]:
    """Tables 3 and 13: the base and the methods, what the paper has of each of its two bases."""
    return [
        _UNTRAINED,
        Arm("Naive-DPO", "naive_dpo", published=f"{BASE} + Naive-DPO"),
        Arm("Vista-DPO†", "vista_dpo", published=f"{BASE} + Vista-DPO"),
        _DEFAULT,
    ]


def main(choices: Choices) -> list[Arm]:
    """Tables 3, 5 and 14: the base, the methods and the ablations; VCD with its own defaults needs no training."""
    base, *trained = methods(choices)
    return [
        base,
        Arm("contrastive decoding", answering=("vcd_alpha=1",), published=f"{BASE} + contrastive decoding"),
        *trained,
        Arm("w/o PMP", "avem_dpo_no_pmp", published=f"{_OURS}, w/o PMP"),
        Arm("w/o ERP", "avem_dpo_no_erp", published=f"{_OURS}, w/o ERP"),
        Arm("w/o TPD", "avem_dpo_no_tpd", published=f"{_OURS}, w/o TPD"),
    ]


def objectives(choices: Choices) -> list[Arm]:
    """`main`, another way of decoding, the other sign of the text prior, the objectives of the field, and `avem_plus`.

    The last row learns from clips that differ in one cue as well, which only a drawn world has.
    """
    base, contrast, *trained = main(choices)
    adaptive = Arm(MAD, answering=("mad_gamma=0.5",))
    ours = [
        Arm(SLOWER, "avem_dpo", ("optimiser.learning_rate=1e-4", "optimiser.steps=240")),
        Arm(PLUS, "avem_plus"),
        Arm(f"{PLUS}, one cue", "avem_plus", ("objective.lambda_swapped=1",), one_cue=True),
    ]
    return [base, contrast, adaptive, *trained, Arm(PENALTY, "avem_dpo_penalty"), *_OF_THE_FIELD, *ours]


def table17(choices: Choices) -> list[Arm]:
    """Table 17: choices of the rejected media."""
    kinds = {
        "random": "random tensor",
        "any_clip": "random video",
        "diffusion": "diffused chosen clip",
        "other_emotion": "clip of another emotion",
    }
    changed = {"both": "both change", "prompt": "by prompt"}
    rows = [_UNTRAINED]
    for name, negatives in TABLE_17.items():
        changes = (f"negatives.kind={negatives.kind}", f"negatives.change={negatives.change}")
        printed = f"{_OURS}, rejected media: {kinds[negatives.kind]}, {changed[negatives.change]}"
        rows.append(Arm(name, "avem_dpo", changes, published=printed))
    return rows


def table18(choices: Choices) -> list[Arm]:
    """Table 18: choices of the rejected responses."""
    rows = [_UNTRAINED]
    for name, objective in TABLE_18.items():
        changes = tuple(f"objective.{response}={objective.weights[response]}" for response in REJECTED)
        printed = f"{_OURS}, rejected responses: {' and '.join(name.split('+'))}"
        rows.append(Arm(name, "avem_dpo", changes, published=printed))
    return rows


SWEEPS = {
    "beta_vr": (0.1, 0.3, 0.5, 0.7, 0.9),
    "gamma_tpd": (0.0, 0.1, 0.2, 0.3, 0.5),
    "lambda_av": (0.0, 0.5, 1.0, 1.5, 2.0),
}
"""What Fig. 11 varies; beta_er is 1 - beta_vr."""


def sweeps(choices: Choices) -> list[Arm]:
    """Fig. 11: one hyperparameter at a time."""
    rows = [_UNTRAINED]
    for axis, values in SWEEPS.items():
        for value in values:
            changes: tuple[str, ...] = (f"objective.{axis}={value}",)
            if axis == "beta_vr":
                changes = (f"objective.video_relevant={value}", f"objective.emotion_relevant={round(1 - value, 6)}")
            rows.append(Arm(f"{axis} {value:g}", "avem_dpo", changes, axis=axis, value=value))
    return rows


def validation_choices(choices: Choices) -> list[Arm]:
    """Learning rates for three methods, steps and letter shares for AVEm-DPO: what the study's setting comes from."""
    rows = [_UNTRAINED]
    methods = {"Naive-DPO": "naive_dpo", "Vista-DPO†": "vista_dpo", AVEM: "avem_dpo"}
    for rate in map(float, choices.learning_rates):
        changes = (f"optimiser.learning_rate={rate}",)
        rows += [Arm(f"{name}, learning rate {rate:g}", recipe, changes) for name, recipe in methods.items()]
    for steps in choices.steps:
        rows.append(Arm(f"{AVEM}, {steps} steps", "avem_dpo", (f"optimiser.steps={int(steps)}",)))
    for letters in map(float, choices.letters):
        rows.append(Arm(f"{AVEM}, {letters:.0%} by letter", "avem_dpo", letters=letters))
    return rows


def text_prior(choices: Choices) -> list[Arm]:
    """TPD as the paper has it, without it, and with the opposite sign: which way does it push?"""
    rows = [
        Arm(f"gamma_tpd {value:g}", "avem_dpo", (f"objective.gamma_tpd={value}",), axis="gamma_tpd", value=value)
        for value in (-0.5, -0.2, 0.0, 0.2, 0.5)
    ]
    return [_UNTRAINED, *rows]


def trials(choices: Choices) -> list[Arm]:
    """Changes of the objective, each alone: signs and bounds of the text prior, anchors, and other methods' losses."""
    penalty = "objective.text_prior=penalty"
    per_token = (penalty, "objective.length_normalised=true", "objective.prior_bound=1")
    plain = "avem_dpo_no_tpd"
    return [
        _UNTRAINED,
        Arm("w/o TPD", plain),
        Arm("printed", "avem_dpo"),
        Arm("penalty", "avem_dpo_penalty"),
        Arm("printed, forms balanced", "avem_dpo", ("objective.balance_forms=true",)),
        Arm("penalty, forms balanced", "avem_dpo_penalty", ("objective.balance_forms=true",)),
        Arm("penalty, a token's mean, bound 1, slope 2", "avem_dpo", (*per_token, "objective.gamma_tpd=2")),
        Arm("blind-conditional 1", plain, ("objective.lambda_blind=1",)),
        Arm("anchor 0.1", plain, ("objective.anchor=0.1",)),
        *_OF_THE_FIELD,
        Arm("clips that differ in one cue", plain, one_cue=True),
        Arm("the same, both ways", plain, ("objective.lambda_swapped=1",), one_cue=True),
        Arm("mDPO's anchor", plain, ("objective.lambda_anchor=1",)),
        Arm("cross-entropy 0.1", plain, ("objective.lambda_ce=0.1",)),
        Arm("hinge", plain, ("objective.margin=hinge",)),
        Arm("IPO", plain, ("objective.margin=ipo",)),
        Arm("robust, noise 0.1", plain, ("objective.margin=robust", "objective.label_noise=0.1")),
    ]


def towards_plus(choices: Choices) -> list[Arm]:
    """What `avem_plus` is chosen from: what holds the chosen response up where media are preferred, and signs."""
    plain, ce = "avem_dpo_no_tpd", "objective.lambda_ce={}"
    hinge, blind, swapped = "objective.margin=hinge", "objective.lambda_blind=1", "objective.lambda_swapped=1"
    emotion = ("objective.video_relevant=0", "objective.emotion_relevant=1")
    return [
        _UNTRAINED,
        _DEFAULT,
        Arm("w/o TPD", plain),
        Arm("penalty", "avem_dpo_penalty"),
        Arm("cross-entropy 0.1", plain, (ce.format(0.1),)),
        Arm("cross-entropy 0.5", plain, (ce.format(0.5),)),
        Arm("mDPO's anchor", plain, ("objective.lambda_anchor=1",)),
        Arm("hinge", plain, (hinge,)),
        Arm("blind-conditional 1", plain, (blind,)),
        Arm("emotion-relevant response alone", plain, emotion),
        Arm("clips that differ in one cue, both ways", plain, (swapped,), one_cue=True),
        Arm("preference over media 0.5", plain, ("objective.lambda_av=0.5",)),
        # after the rows above had been seen
        Arm("cross-entropy 1", plain, (ce.format(1),)),
        Arm("cross-entropy 2", plain, (ce.format(2),)),
        Arm("cross-entropy 0.5, printed", "avem_dpo", (ce.format(0.5),)),
        Arm("cross-entropy 0.5, penalty", "avem_dpo_penalty", (ce.format(0.5),)),
        Arm("cross-entropy 0.5, hinge", plain, (ce.format(0.5), hinge)),
        Arm("cross-entropy 0.5, blind-conditional 1", plain, (ce.format(0.5), blind)),
        Arm("cross-entropy 0.5, one cue, both ways", plain, (ce.format(0.5), swapped), one_cue=True),
    ]


NOISE_STEPS = (500, 700, 800, 900, 999)
"""Diffusion steps: 74, 35, 22, 13 and 8% of the signal's power are left (`decoding.diffusion.kept_signal`)."""


def noise(choices: Choices) -> list[Arm]:
    """Rejected media by how much of the clip is left in them, for AVEm-plus and a method that came with noise."""

    def diffused(name: str, recipe: str) -> list[Arm]:
        steps = {step: ("negatives.kind=diffusion", f"negatives.diffusion_step={step}") for step in NOISE_STEPS}
        return [Arm(f"{name}, noise {step}", recipe, changes) for step, changes in steps.items()]

    return [
        _UNTRAINED,
        Arm(f"{PLUS}, another emotion", "avem_plus"),
        Arm(f"{PLUS}, no rejected media", "avem_plus", ("objective.lambda_av=0",)),
        Arm(f"{PLUS}, random tensor", "avem_plus", ("negatives.kind=random",)),
        *diffused(PLUS, "avem_plus"),
        Arm(f"{_MOD}, another emotion", "mod_dpo", _ANOTHER_CLIP),
        *diffused(_MOD, "mod_dpo"),
    ]


SECTIONS: dict[str, Callable[[Choices], list[Arm]]] = {
    "main": main,
    "methods": methods,
    "objectives": objectives,
    "table17": table17,
    "table18": table18,
    "sweeps": sweeps,
    "choices": validation_choices,
    "text_prior": text_prior,
    "trials": trials,
    "towards_plus": towards_plus,
    "noise": noise,
}
"""Section -> its rows."""
ON_VALIDATION = ("choices", "text_prior", "trials", "towards_plus", "noise")
"""Sections from which something is chosen or explained, and which the test world is therefore not used for."""


def rows(sections: Sequence[str], choices: Choices) -> dict[str, list[Arm]]:
    """Section -> rows; raises ValueError for an unknown section."""
    if unknown := [name for name in sections if name not in SECTIONS]:
        raise ValueError(f"unknown section {unknown[0]!r}: some of {', '.join(SECTIONS)}")
    return {name: SECTIONS[name](choices) for name in sections}
