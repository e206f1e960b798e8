"""The clip drawn again without the cue that the answer names, or with it: does the answer follow? The miniature alone.

An answer names a cue: that of the chosen option, or by "Yes" that of the question. If it is in the clip, the clip is
drawn again without it, else with it. The cue was used where the model names it with the cue and no longer without it.
Its effect is the log-odds of the naming option with the cue minus without it, in nats. A sound drawn again is also
mixed anew, so `changed_anyway` says how often answers change where the same cues are drawn with another seed.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from emorealm_results.analyses import estimates
from emorealm_results.analyses.estimates import Estimate, Group
from emorealm_results.analyses.scoring import SCORES, Adapter, Measure, Scorer, scored, scorer
from emorealm_tasks import media
from emorealm_tasks.benchmarks.rows import Row
from emorealm_tasks.errors import stop
from emorealm_tasks.media.altered import cached
from emorealm_tasks.mini.build import record, split
from emorealm_tasks.mini.language import wording
from emorealm_tasks.mini.render.encode import write_clip
from emorealm_tasks.mini.world import edits
from emorealm_tasks.mini.world.sampling import Clip
from emorealm_tasks.settings import load

HOLDS = {**SCORES, "cue": str, "option": int, "present": bool, "named": bool}
"""Besides the scores: the cue, the option that names it, whether it is in the clip, whether the model named it."""
OWN, CHANGED, AGAIN = "own", "changed", "again"
"""The clip as it is; with the cue taken out or added; with the same cues, drawn with another seed."""
KINDS = {
    "named, there": (True, True),
    "named, not there": (True, False),
    "denied, there": (False, True),
    "denied, not there": (False, False),
}
"""Whether the answer names the cue, and whether it is in the clip."""
NAMED = "named"


def prepare(rows: Sequence[Row], seed: int) -> Callable[[Adapter], Measure]:
    """What measures a model; nothing is drawn by the seed. Stops for another benchmark and another version's clips."""
    clips = planned(load().mini)
    if any(row["clip"] not in clips or not row["id"].startswith("mini_") for row in rows):
        stop("--tasks: cues are known of the miniature alone; use --tasks emorealm_mini")
    return lambda adapter: measuring(clips, scorer(adapter))


def planned(folder: Path) -> dict[str, Clip]:
    """Name of each clip of a build -> its plan. Stops where the build is no benchmark of this version's."""
    built = record.built_with(folder)
    if built.get("version") != split.VERSION or built.get("split") == "train" or "letters" in built:
        stop(f"{folder}: not built as a benchmark by this version; build it again with `emorealm-mini build`")
    content = split.planned(built["split"], built["clips"], built["seed"])
    return {split.name(number): clip for number, (clip, _) in enumerate(content)}


def measuring(clips: Mapping[str, Clip], score: Scorer) -> Measure:
    """What scores questions as they are, and then with the cue that the answer names changed."""

    def of(rows: Sequence[Row]) -> list[dict[str, Any]]:
        """What is measured of each question, in their order."""
        found: list[dict[str, Any]] = []
        for row, one in zip(rows, scored(rows, lambda row: {OWN: row}, score), strict=True):
            notes: dict[str, Any] = {"cue": "", "option": 0, "present": False, "named": False}
            if not one["error"]:
                notes = _named(row, one["conditions"][OWN]["scores"], clips[row["clip"]])
            found.append({**one, **notes})
        able = [(row, one) for row, one in zip(rows, found, strict=True) if not one["error"]]
        cue_of = {row["id"]: one["cue"] for row, one in able}
        again = scored(
            [row for row, _ in able], lambda row: _altered(row, clips[row["clip"]], cue_of[row["id"]]), score
        )
        for (_, line), other in zip(able, again, strict=True):
            line["error"] = other["error"]
            line["conditions"] = {} if other["error"] else {**line["conditions"], **other["conditions"]}
        return found

    return of


def _named(row: Row, scores: Sequence[float], clip: Clip) -> dict[str, Any]:
    """The cue that the answer is about, its option, and whether it is there and named."""
    modality, chosen = estimates.asked_modality(row["task"]), int(np.argmax(scores))
    if cue := wording.cue_in(row["question"], modality):
        option = next(place for place, choice in enumerate(row["choices"]) if choice.endswith("Yes"))
    else:
        option, cue = chosen, wording.cue_in(row["choices"][chosen], modality)
    return {"cue": cue, "option": option, "present": edits.has(clip, cue), "named": chosen == option}


def _altered(row: Row, clip: Clip, cue: str) -> dict[str, Row]:
    changed = edits.without(clip, cue) if edits.has(clip, cue) else edits.added(clip, cue)
    return {CHANGED: _with(row, changed), AGAIN: _with(row, replace(clip, seed=clip.seed ^ 1))}


def _with(row: Row, clip: Clip) -> Row:
    drawn = str(render(clip, row["video"]))
    return {**row, "video": drawn, "audio": str(media.as_wav(drawn, load().cache)) if row["audio"] else ""}


def _write(clip: Clip) -> bytes:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "clip.mp4"
        write_clip(clip, path)
        return path.read_bytes()


def render(clip: Clip, source: str) -> Path:
    """The clip's mp4 in the cache, drawn where it is not there yet; source: the file it is a change of."""
    return cached([source], f"drawn {split.VERSION} {clip!r}", ".mp4", load().cache, lambda: _write(clip))


def report(found: Sequence[Any]) -> list[Estimate]:
    """used: cues in percent that the model names with them and no longer without them, of all that it names and of
    those it names rightly; followed: cues in percent that it denies without and names with them. effect: in nats.
    """
    return [one for group in estimates.groups(found, ("task", "subtask")) for one in _of(group)]


def _of(group: Group) -> list[Estimate]:
    everything: Sequence[Any] = group.questions
    found = []
    if named := [one for one in everything if one["named"]]:
        found += _estimates(group._replace(questions=named), NAMED, ("used", "changed_anyway"))
    for name, key in KINDS.items():
        questions = [one for one in everything if (one["named"], one["present"]) == key]
        metrics = {(True, True): ("used",), (False, False): ("followed",)}.get(key, ())
        if questions:
            found += _estimates(group._replace(questions=questions), name, (*metrics, "effect", "changed_anyway"))
    return found


def _estimates(group: Group, name: str, metrics: Sequence[str]) -> list[Estimate]:
    numbers = [_numbers(one) for one in group.questions]
    return group.estimates(metrics, np.array([[of[metric] for metric in metrics] for of in numbers]), name)


def _numbers(one: Any) -> dict[str, float]:
    option = one["option"]
    odds, names = {}, {}
    for condition, of in one["conditions"].items():
        odds[condition] = estimates.log_odds({"gold": option, "scores": of["scores"]})
        names[condition] = estimates.right({"gold": option, "scores": of["scores"]})
    present, absent = (OWN, CHANGED) if one["present"] else (CHANGED, OWN)
    follows = 100.0 * (names[present] and not names[absent])
    return {
        "used": follows,
        "followed": follows,
        "effect": odds[present] - odds[absent],
        "changed_anyway": 100.0 * (names[AGAIN] != names[OWN]),
    }
