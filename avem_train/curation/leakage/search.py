"""What two datasets share: clips by name, picture and sound, questions by their words."""

import dataclasses
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from avem_train.curation.leakage import picture, prints, sound, text
from avem_train.curation.leakage.collections import Collection
from avem_train.curation.leakage.prints import Prints


@dataclass(frozen=True)
class Limits:
    """What counts as the same; docs/curation_release.md says how they were measured."""

    picture: float = 0.12
    """Largest share of differing bits of the perceptual hashes."""
    sound: float = 0.2
    """Largest share of differing bits of the sound fingerprints."""
    seconds: float = 1.0
    """Shortest stretch of sound that is compared, silence left out."""
    text: float = 0.7
    """Smallest share of common words of two questions with their choices, from 0 to 1."""

    def __post_init__(self) -> None:
        for name in ("picture", "sound", "text"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must be from 0 to 1, got {getattr(self, name)}")


Found = dict[str, Any]
"""mine and theirs: the names; value: how alike or unlike they are, in the terms of `Limits`."""


def search(mine: Collection, theirs: Collection, folder: Path, limits: Limits = Limits()) -> dict[str, Any]:
    """What `mine` shares with `theirs`, as JSON: `found` by kind (name, picture, sound, text), counts, limits.

    `unread` names the files that could not be read. folder: where fingerprints are kept. Raises OSError.
    """
    here = prints.of_clips(mine.clips, folder, "fingerprints")
    there = prints.of_clips(theirs.clips, folder, "fingerprints of the others")
    return {
        "clips": len(theirs.clips),
        "questions": len(theirs.questions),
        "limits": dataclasses.asdict(limits),
        "found": {
            "name": list(_by_name(mine.names, theirs.names)),
            "picture": list(_by_picture(here, there, limits)),
            "sound": list(_by_sound(here, there, limits)),
            "text": [_found(*pair) for pair in text.matches(mine.questions, theirs.questions, limits.text)],
        },
        "unread": sorted(one.unread for one in (*here.values(), *there.values()) if one.unread),
    }


def _found(mine: str, theirs: str, value: float) -> Found:
    return {"mine": mine, "theirs": theirs, "value": round(value, 4)}


def _by_name(mine: Mapping[str, frozenset[str]], theirs: Mapping[str, frozenset[str]]) -> Iterator[Found]:
    called: dict[str, list[str]] = defaultdict(list)
    for clip, names in theirs.items():
        for name in names:
            called[name].append(clip)
    for clip, names in mine.items():
        for other in sorted({other for name in names for other in called.get(name, ())}):
            yield _found(clip, other, 1.0)


def _by_picture(mine: Mapping[str, Prints], theirs: Mapping[str, Prints], limits: Limits) -> Iterator[Found]:
    names, others = list(mine), list(theirs)
    here, there = ([one.picture for one in some.values()] for some in (mine, theirs))
    for a, b, share in picture.matches(here, there, limits.picture):
        yield _found(names[a], others[b], share)


def _by_sound(mine: Mapping[str, Prints], theirs: Mapping[str, Prints], limits: Limits) -> Iterator[Found]:
    others = list(theirs)
    index = sound.Index([one.sound for one in theirs.values()])
    frames = round(limits.seconds * sound.RATE / sound.HOP)
    for name, one in mine.items():
        for match in index.matches(one.sound, limits.sound, frames):
            yield _found(name, others[match.other], match.error)
