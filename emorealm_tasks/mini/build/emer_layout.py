"""The embedded world in EMER's layout: clips, and a reference description of each, written from its true cues.

    track3_train_ovmerd.csv   name, reason (the reference description), as published
    video/NAME.mp4
    truth.json                name -> the cues behind the description, which the published data cannot have; with them
                              :mod:`emorealm_tasks.judge.true_cues` scores a description exactly

A reference names everything that is there: the cues that convey the emotion, what the person reacts to, and what is
merely there, so that whatever else a description claims is invented.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from emorealm_tasks import files
from emorealm_tasks.mini.language import wording
from emorealm_tasks.mini.world.cues import BY_NAME, PLURAL
from emorealm_tasks.mini.world.sampling import Clip

if TYPE_CHECKING:
    from emorealm_tasks.mini.build.clip_pool import PoolClip

CSV_FILE, TRUTH_FILE = "track3_train_ovmerd.csv", "truth.json"
_REACTION = {
    "video": "The person looks at {cue}, which adds to the {feeling}.",
    "audio": "The person reacts to {cue}, which adds to the {feeling}.",
}


def write(folder: Path, clips: Sequence[PoolClip]) -> None:
    """Write the layout to an empty folder: as many clips of each emotion as the other layouts hold."""
    from emorealm_tasks.mini.build.clip_pool import (  # layouts names this writer, so it cannot be imported above
        balanced,
        place,
    )

    rows, truths = [], {}
    for number, one in enumerate(balanced(clips)):
        name = f"sample_{number:08d}"
        place(one, folder / "video" / f"{name}.mp4")
        rows.append((name, reference(one.clip)))
        truths[name] = truth(one.clip)
    with (folder / CSV_FILE).open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("name", "reason"), *rows])
    files.write_json(folder / TRUTH_FILE, truths)


def truth(clip: Clip) -> dict[str, list[str]]:
    """What a description of the clip is held against.

    emotions: those conveyed. present: names of all cues there. relevant: those that convey the emotion, or that the
    person reacts to.
    """
    modalities = ("video", "audio")
    relevant = [str(name) for m in modalities for name in (*clip.shown(m), clip.matters(m)) if name]
    present = [str(name) for m in modalities for name in (*clip.shown(m), *clip.scene(m))]
    return {"emotions": sorted({clip.emotion(m) for m in modalities}), "present": present, "relevant": relevant}


def reference(clip: Clip) -> str:
    """The reference description; the clip's seed chooses among a cue's phrases, so it is always the same."""
    rng = np.random.default_rng(clip.seed)
    sentences = []
    for modality, sense in (("video", "seen"), ("audio", "heard")):
        names = clip.shown(modality)
        cues = _in_words(rng, names)
        verb = "convey" if len(names) > 1 or names[0] in PLURAL else "conveys"
        feeling = wording.feeling(rng, clip.emotion(modality))
        sentences.append(
            wording.sentence(f"{cues} {'are' if verb == 'convey' else 'is'} {sense} and {verb} {feeling}.")
        )
        if clip.matters(modality):
            cue = wording.phrase(rng, clip.matters(modality))
            sentences.append(_REACTION[modality].format(cue=cue, feeling=feeling))
    idle = [name for m in ("video", "audio") for name in clip.scene(m) if name != clip.matters(m)]
    if idle:
        sentences.append(f"Also there, without bearing on the emotion: {_in_words(rng, idle)}.")
    return " ".join(sentences)


def _in_words(rng: np.random.Generator, names: Sequence[str]) -> str:
    """Phrases of cues joined as a list; of a scene cue the first one, which names it in full."""
    phrases = [wording.phrase(rng, name) if BY_NAME[name].emotion else BY_NAME[name].phrases[0] for name in names]
    return phrases[0] if len(phrases) == 1 else f"{', '.join(phrases[:-1])} and {phrases[-1]}"
