"""The settings of the losses, and which of its rejected responses a record is compared with."""

import hashlib
import math
from dataclasses import dataclass, field

REJECTED = ("video_relevant", "emotion_relevant", "irrelevant")
"""The rejected responses: y^vr, y^er (Section 4.1) and y^irr (Section E.6)."""

TEXT_PRIORS = ("printed", "penalty")
MARGINS = ("sigmoid", "hinge", "ipo", "robust")
ADDED = {"added": True}
"""Metadata of a setting that came after the first studies (see `avem_train.config.decided`)."""


@dataclass(frozen=True)
class Objective:
    """Settings of the loss; each acts alone, so that an ablation changes one.

    The weights of the rejected responses are at least 0, of sum 1 (Eq. 6); one of weight 0 is left out. Raises
    ValueError for other weights, a beta of 0 or below, a gamma_tpd that is infinite or NaN, a weight of a term below 0,
    an unknown choice, and weights of changed media that leave MoD-DPO's tau at 0 or below.
    """

    beta: float = 0.1
    """Strength of the tie to the reference."""
    video_relevant: float = 0.5
    """Weight of y_l^vr."""
    emotion_relevant: float = 0.5
    """Weight of y_l^er."""
    irrelevant: float = 0.0
    """Weight of y_l^irr."""
    one_response: bool = False
    """Each record has one of them, drawn once with its weight as its chance (Eqs. 3, 8, 11)."""
    gamma_tpd: float = 0.2
    """Text prior debiasing (Eq. 7), 0 = none; below 0 its sign is the opposite, for studies of what it does."""
    lambda_av: float = 1.0
    """Weight of the preference over media (Eq. 9), 0 = none."""
    text_prior: str = field(default="printed", metadata=ADDED)
    """What gamma_tpd does to the margin: "printed" lowers it by gamma_tpd dt (Eq. 8); "penalty" raises it by as much,
    as a penalty on the text prior in the objective does (docs/text_prior.md)."""
    length_normalised: bool = field(default=False, metadata=ADDED)
    """The text prior counts by the mean log-probability of a token, not by the sum."""
    prior_bound: float = field(default=0.0, metadata=ADDED)
    """Above 0: gamma_tpd dt becomes bound x tanh(gamma_tpd dt / bound), which no record exceeds; 0 = no bound."""
    balance_forms: bool = field(default=False, metadata=ADDED)
    """Weigh records so that the text prior leaves each form (letters, sentences) its share of the first gradient."""
    lambda_blind: float = field(default=0.0, metadata=ADDED)
    """Weight of the preference for media over none, with a gradient through the policy without media; 0 = none."""
    anchor: float = field(default=0.0, metadata=ADDED)
    """Weight of max(0, log p_ref(y_w) - log p(y_w)); 0 = none."""
    lambda_anchor: float = field(default=0.0, metadata=ADDED)
    """Weight of mDPO's anchor, -log sigma(beta log p/p_ref(y_w)); 0 = none."""
    lambda_ce: float = field(default=0.0, metadata=ADDED)
    """Weight of the cross-entropy of y_w, a mean over its tokens; 0 = none."""
    margin: str = field(default="sigmoid", metadata=ADDED)
    """The response term's function of the margin: sigmoid, hinge, ipo or robust."""
    label_noise: float = field(default=0.0, metadata=ADDED)
    """For "robust": share of records whose preference is the wrong way round, 0 to below 0.5."""
    beta_relevant: float = field(default=0.0, metadata=ADDED)
    """MoD-DPO's sensitivity to what the prompt is about; 0 = none."""
    beta_irrelevant: float = field(default=0.0, metadata=ADDED)
    """MoD-DPO's invariance to what the prompt is not about; 0 = none."""
    lambda_swapped: float = field(default=0.0, metadata=ADDED)
    """Weight of the preference over media of a rejected response that is right under the rejected media; 0 = none."""

    def __post_init__(self) -> None:
        weights = self.weights
        if not (min(weights.values()) >= 0 and abs(sum(weights.values()) - 1) <= 1e-6):  # so that NaN is refused
            raise ValueError(f"the weights of the rejected responses must be at least 0 and sum to 1, got {weights}")
        if not (self.beta > 0 and math.isfinite(self.gamma_tpd) and self.lambda_av >= 0):
            raise ValueError(
                f"beta must be above 0, gamma_tpd a finite number, lambda_av at least 0; got beta {self.beta}, "
                f"gamma_tpd {self.gamma_tpd}, lambda_av {self.lambda_av}"
            )
        for name in _AT_LEAST_0:
            if not 0 <= getattr(self, name) < math.inf:
                raise ValueError(f"{name} must be at least 0, got {getattr(self, name)}")
        for name, known in (("text_prior", TEXT_PRIORS), ("margin", MARGINS)):
            if getattr(self, name) not in known:
                raise ValueError(f"{name} {getattr(self, name)!r}: one of {', '.join(known)}")
        if not 0 <= self.label_noise < 0.5:
            raise ValueError(f"label_noise must be 0 to below 0.5, got {self.label_noise}")
        if self.beta <= self.beta_relevant:
            # tau is beta + beta_irrelevant - beta_relevant, and beta_irrelevant counts for some records only
            raise ValueError(f"beta {self.beta} must be above beta_relevant {self.beta_relevant}")

    @property
    def weights(self) -> dict[str, float]:
        """Weight of each of REJECTED."""
        return {name: getattr(self, name) for name in REJECTED}

    @property
    def responses(self) -> tuple[str, ...]:
        """The rejected responses that the objective uses at all, in REJECTED's order."""
        return tuple(name for name, weight in self.weights.items() if weight)

    @property
    def needs_text(self) -> bool:
        """Whether the frozen model is asked without media."""
        return bool(self.gamma_tpd or self.lambda_blind)

    @property
    def needs_rejected_media(self) -> bool:
        """Whether rejected media are drawn at all."""
        return bool(self.lambda_av or self.lambda_swapped or self.beta_relevant or self.beta_irrelevant)


_AT_LEAST_0 = (
    *("prior_bound", "lambda_blind", "anchor", "lambda_anchor", "lambda_ce"),
    *("beta_relevant", "beta_irrelevant", "lambda_swapped"),
)

TABLE_18: dict[str, Objective] = {
    "irr": Objective(video_relevant=0, emotion_relevant=0, irrelevant=1),
    "er": Objective(video_relevant=0, emotion_relevant=1),
    "vr": Objective(video_relevant=1, emotion_relevant=0),
    "er+irr": Objective(video_relevant=0, emotion_relevant=0.7, irrelevant=0.3),
    "vr+irr": Objective(video_relevant=0.7, emotion_relevant=0, irrelevant=0.3),
    "er+vr": Objective(),
}
"""Table 18's rows: y_l^1 and y_l^2; beta_irr = 0.3 (Section E.6) leaves 0.7 for the other."""


def record_weights(objective: Objective, identifier: str, seed: int) -> dict[str, float]:
    """Weights of the rejected responses for one record, those of weight 0 left out.

    With `one_response` a single name of weight 1, drawn from the record's id and the seed alone: the same in every
    epoch, on every rank and in any order of the records.
    """
    weights = {name: objective.weights[name] for name in objective.responses}
    if not objective.one_response:
        return weights
    digest = hashlib.sha256(f"response/{seed}/{identifier}".encode()).digest()
    place = int.from_bytes(digest[:8], "big") / 2**64
    for name, weight in weights.items():
        place -= weight
        if place < 0:
            return {name: 1.0}
    return {objective.responses[-1]: 1.0}  # the weights' sum was a rounding error below 1
