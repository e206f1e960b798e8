"""The same questions with picture and sound, with one of them, and with neither (Section E.10), compared in pairs."""

from collections.abc import Sequence

import numpy as np

from emorealm_results.analyses import estimates
from emorealm_results.analyses.estimates import Estimate, Group
from emorealm_results.analyses.scoring import Conditions, Scored
from emorealm_results.compare.permutation_tests import holm, sign_flip_p
from emorealm_tasks import media
from emorealm_tasks.benchmarks import swaps
from emorealm_tasks.benchmarks.rows import Row
from emorealm_tasks.metrics import intervals
from emorealm_tasks.settings import load

GIVEN = ("both", "sound", "picture", "text")


def conditions(rows: Sequence[Row], seed: int) -> Conditions:
    """What is given of a question's clip. Nothing is drawn."""
    cache = load().cache

    def given(row: Row) -> dict[str, Row]:
        wav = str(media.as_wav(swaps.sound_of(row), cache))
        film = str(media.film_alone(row["video"], cache))
        alone = {"sound": ("", wav, False), "picture": (film, "", True), "text": ("", "", False)}
        found: dict[str, Row] = {"both": row}
        for name, (video, audio, silent) in alone.items():
            found[name] = {**row, "video": video, "audio": audio, "silent": silent}
        return found

    return given


def report(scored: Sequence[Scored]) -> list[Estimate]:
    """Accuracy in percent; points lost where less is given, with Holm's p over all groups and conditions."""
    found = [one for group in estimates.groups(scored) for one in _of(group)]
    tested = [one for one in found if one["p"] is not None]
    for one, adjusted in zip(tested, holm([one["p"] or 0.0 for one in tested]), strict=True):
        one["p"] = adjusted
    return found


def _of(group: Group) -> list[Estimate]:
    clips = [one["clip"] for one in group.questions]
    rights = {
        given: np.array([estimates.right(one["conditions"][given]) for one in group.questions]) for given in GIVEN
    }
    found = []
    for given, right in rights.items():
        found.append(group.estimate("accuracy", 100 * right.mean(), intervals.share(right, clips), given))
    for given in GIVEN[1:]:
        lost = 100.0 * (rights["both"].astype(float) - rights[given])
        ((value, bounds),) = estimates.bootstrapped(group.questions, lost[:, None])
        chance = two_sided([round(points / 100) for points in lost], clips)
        found.append(group.estimate("lost", value, bounds, given, chance))
    return found


def two_sided(lost: Sequence[int], clips: Sequence[str]) -> float:
    """Two-sided exact p of right answers lost (1), gained (-1) or neither (0), clips being independent.

    Where each clip has one question it is McNemar's exact test.
    """
    sums: dict[str, int] = {}
    for clip, one in zip(clips, lost, strict=True):
        sums[clip] = sums.get(clip, 0) + one
    values = list(sums.values())
    return min(1.0, 2 * min(sign_flip_p(values), sign_flip_p([-value for value in values])))
