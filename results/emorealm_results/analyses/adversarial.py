"""The modality that a question is not about is exchanged or corrupted: does the right answer keep its likelihood?

Section E.9 and the right half of Figure 5. Of a question about the picture the sound is altered, of one about the sound
the picture; the asked modality stays as it is. The shift is the log-likelihood of the right option with the altered
modality minus that with the clip's own, in nats; it is 0 for a model that goes by the asked modality alone. The
Kolmogorov-Smirnov and Wasserstein distances compare the two distributions of log-likelihoods over the questions, so
shifts of both signs can cancel out in them; in the mean absolute shift they cannot.
"""

import random
from collections.abc import Callable, Sequence
from typing import TypedDict

import numpy as np

from emorealm_results.analyses import estimates
from emorealm_results.analyses.estimates import Estimate, Figure, Group
from emorealm_results.analyses.scoring import Conditions, Scored
from emorealm_tasks import media
from emorealm_tasks.benchmarks import controls, swaps
from emorealm_tasks.benchmarks.rows import Row
from emorealm_tasks.metrics import Array
from emorealm_tasks.settings import load

OWN = "own"
MODALITIES = ("sound", "picture")
EXCHANGES = ("other", "conflicting")
"""The modality of any other clip, and of a clip of another emotion."""
WAYS = {"sound": (*EXCHANGES, *media.SOUNDS), "picture": (*EXCHANGES, *media.PICTURES)}
"""How a modality is altered; the conditions are named `sound_noise` and so on."""
CHANGE = "shift_absolute_change"
METRICS = ("loglikelihood", "shift", "shift_absolute", "changed")
_POINTS = 200
_TAIL = 3.5  # bandwidths beyond the outermost values: what lies further weighs nothing


class Curve(TypedDict):
    """The distribution of the right answer's log-likelihood over questions, smoothed."""

    altered: str
    """Which modality is altered in the questions: those about the other one."""
    condition: str
    """How it is altered."""
    x: list[float]
    """Log-likelihoods in nats."""
    density: list[float]
    """Density at each x (Gaussian kernel, Scott's bandwidth)."""


def altered_modality(task: str) -> str:
    """The modality that questions of a task are not about: sound, picture, or "" where they are about both."""
    return {"video": "sound", "audio": "picture", "": ""}[estimates.asked_modality(task)]


def conditions(rows: Sequence[Row], seed: int) -> Conditions:
    """A question about one modality as it is, and with the other one altered in every way.

    Raises ValueError where there is no clip of another emotion.
    """
    cache, donor = load().cache, _donors(rows, seed)

    def altered(row: Row) -> dict[str, Row]:
        """Condition -> the question so; raises ValueError as above."""
        modality, drawn = altered_modality(row["task"]), int(swaps.draw(seed, row["clip"])[:8], 16)
        # the sound as a wav in every condition, so that nothing but the alteration differs
        own: Row = {**row, "audio": str(media.as_wav(swaps.sound_of(row), cache)), "swapped": True}
        found = {OWN: own}
        for how in WAYS[modality]:
            if how in EXCHANGES:
                other = donor(row, how)
                found[f"{modality}_{how}"] = (
                    {**own, "audio": str(media.as_wav(swaps.sound_of(other), cache))}
                    if modality == "sound"
                    else {**own, "video": other["video"]}
                )
            elif modality == "sound":
                found[f"sound_{how}"] = {**own, "audio": str(media.corrupted_sound(own["audio"], how, drawn, cache))}
            else:
                found[f"picture_{how}"] = {
                    **own, "video": str(media.corrupted_picture(own["video"], how, drawn, cache))
                }  # fmt: skip
        return found

    return altered


def _donors(rows: Sequence[Row], seed: int) -> Callable[[Row, str], Row]:
    """Who gives a question another modality: any other clip, or a clip of another emotion, drawn by seed and id."""
    emotions = controls.clip_emotions(rows)
    first = {row["clip"]: row for row in reversed(rows)}
    clips = sorted(first)
    if len({emotion for emotion in emotions.values() if emotion}) < 2:
        raise ValueError("all clips are of one emotion, so none contradicts another")

    def donor(row: Row, how: str) -> Row:
        others = [clip for clip in clips if clip != row["clip"]]
        if how == "conflicting":
            others = [clip for clip in others if emotions[clip] not in ("", emotions[row["clip"]])]
        return first[random.Random(swaps.draw(seed, row["id"], how)).choice(others)]

    return donor


def report(scored: Sequence[Scored]) -> list[Estimate]:
    """For each way: the right answer's mean log-likelihood and shift in nats, and the distances of the distributions.

    changed: questions in percent whose likeliest option is another one than with their own clip.
    """
    found = []
    for group in estimates.groups(scored, ("task",)):
        found += group.estimates(METRICS[:1], gold(group.questions, OWN)[:, None], OWN)
        for condition in _conditions(group.questions):
            part = [one for one in group.questions if condition in one["conditions"]]
            found += _of(group._replace(questions=part), condition)
    return found


def change(before: Sequence[Scored], after: Sequence[Scored]) -> list[Estimate]:
    """How much larger the mean absolute shift is after training (nats; below 0: the model has become steadier).

    The same questions of both models are compared, in pairs.
    """
    earlier = {one["id"]: one for one in before}
    paired = [one for one in after if one["id"] in earlier]
    found = []
    for group in estimates.groups(paired, ("task",)):
        for condition in _conditions(group.questions):
            part = [one for one in group.questions if condition in one["conditions"]]
            sizes = [
                np.abs(gold(models, condition) - gold(models, OWN))
                for models in ([earlier[one["id"]] for one in part], part)
            ]
            found += group._replace(questions=part).estimates((CHANGE,), (sizes[1] - sizes[0])[:, None], condition)
    return found


def figures(scored: Sequence[Scored]) -> list[Figure]:
    """The mean absolute shift of all questions, for each way."""
    (group,) = estimates.groups(scored, ())
    found = []
    for condition in _conditions(scored):
        part = [one for one in scored if condition in one["conditions"]]
        sizes = np.abs(gold(part, condition) - gold(part, OWN))
        found.append(Figure(group._replace(questions=part), "shift_absolute", sizes[:, None], condition))
    return found


def _of(group: Group, condition: str) -> list[Estimate]:
    from scipy.stats import ks_2samp, wasserstein_distance

    own, altered = gold(group.questions, OWN), gold(group.questions, condition)
    changed = [float(_chosen(one, OWN) != _chosen(one, condition)) for one in group.questions]
    columns = np.column_stack([altered, altered - own, np.abs(altered - own), 100 * np.array(changed)])
    found = group.estimates(METRICS, columns, condition)
    distances = {"ks": ks_2samp(own, altered).statistic, "wasserstein": wasserstein_distance(own, altered)}
    return found + [group.estimate(name, value, condition=condition) for name, value in distances.items()]


def curves(scored: Sequence[Scored]) -> list[Curve]:
    """Densities of the questions of which the sound, and of those of which the picture is altered.

    None where all log-likelihoods of a condition are alike.
    """
    from scipy.stats import gaussian_kde

    found: list[Curve] = []
    for modality in MODALITIES:
        questions = [one for one in scored if altered_modality(one["task"]) == modality]
        values = {name: gold(questions, name) for name in (OWN, *_conditions(questions))} if questions else {}
        spread = {name: of_name for name, of_name in values.items() if np.ptp(of_name) > 1e-9}
        smooth = {name: gaussian_kde(of_name) for name, of_name in spread.items()}
        ends = [(of.dataset.min(), of.dataset.max(), _TAIL * of.covariance[0, 0] ** 0.5) for of in smooth.values()]
        if smooth:
            x = np.linspace(
                min(low - tail for low, _, tail in ends), max(high + tail for _, high, tail in ends), _POINTS
            )
            found += [
                Curve(altered=modality, condition=name, x=x.tolist(), density=of(x).tolist())
                for name, of in smooth.items()
            ]
    return found


def gold(questions: Sequence[Scored], condition: str) -> Array:
    """Log-likelihood of the right option of each question, in nats."""
    options = [one["conditions"][condition] for one in questions]
    return np.array([of["scores"][of["gold"]] for of in options])


def _conditions(questions: Sequence[Scored]) -> list[str]:
    """The ways that occur, in their order."""
    there = {name for one in questions for name in one["conditions"]}
    return [name for modality, ways in WAYS.items() for how in ways if (name := f"{modality}_{how}") in there]


def _chosen(one: Scored, condition: str) -> int:
    return int(np.argmax(one["conditions"][condition]["scores"]))
