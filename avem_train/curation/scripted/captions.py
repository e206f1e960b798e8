"""Captions and their cues: from what is perceived in a clip, which is its truth or what another model named."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from avem_train.curation.scripted import words
from avem_train.curation.scripted.mistakes import Chance, Mistakes
from emorealm_tasks.mini.world.cues import Cue
from emorealm_tasks.untrusted import Unreadable, parse_json, read_bytes

_SENSES = {"video": "seen", "audio": "heard"}
_REACTION = "The person reacts to "


@dataclass(frozen=True)
class Perceived:
    """A cue in a clip."""

    cue: Cue
    """What is seen or heard."""
    relevant: bool
    """Whether it tells of the person's emotion."""


def truth(clip: Path, modality: str) -> list[Perceived]:
    """What is in a clip below the `videos` of a built folder, by its `cues.json`. Raises Unreadable."""
    folder = next((parent.parent for parent in clip.parents if parent.name == "videos"), None)
    if folder is None:
        raise Unreadable(f"{clip}: lies in no folder that emorealm-mini built")
    name = clip.relative_to(folder / "videos").as_posix()
    of_clip = _truths(folder / "cues.json", (folder / "cues.json").stat().st_mtime_ns)
    if name not in of_clip:
        raise Unreadable(f"{folder / 'cues.json'}: does not know the clip {name}")
    return [
        Perceived(words.by_name(one["name"]), one["matters"])
        for one in of_clip[name]
        if one["present"] and one["modality"] == modality
    ]


_read: dict[tuple[Path, int], Mapping[str, Sequence[Mapping[str, Any]]]] = {}


def _truths(path: Path, changed: int) -> Mapping[str, Sequence[Mapping[str, Any]]]:
    """Clip -> its cues; a file that has not changed is not read again."""
    if (path, changed) not in _read:
        try:
            _read[path, changed] = {clip["clip"]: clip["cues"] for clip in parse_json(read_bytes(path))}
        except (KeyError, TypeError) as error:
            raise Unreadable(f"{path}: is no list of clips and their cues ({error})") from None
    return _read[path, changed]


def named(text: str, modality: str) -> list[Perceived]:
    """What a model names in a caption of the world's form; a scene cue matters where the person reacts to it."""
    listed, _, reaction = text.partition(_REACTION)
    reacts = set(words.cues(reaction))
    there = [cue for cue in words.cues(listed) if cue.modality == modality]
    return [Perceived(cue, bool(cue.emotion) or cue in reacts) for cue in there]


def caption(
    perceived: Sequence[Perceived], modality: str, chance: Chance, mistakes: Mistakes
) -> tuple[dict[str, Any], list[str]]:
    """A reply of the form PictureCaption or SoundCaption, and the mistakes in it."""
    planted: list[str] = []
    there: list[Perceived] = []
    for one in perceived:
        if chance.happens(mistakes.missed, "missed", one.cue.name):
            planted.append(f"missed:{one.cue.name}")
        elif chance.happens(mistakes.flipped, "flipped", one.cue.name):
            planted.append(f"flipped:{one.cue.name}")
            there.append(Perceived(one.cue, not one.relevant))
        else:
            there.append(one)
    there += _invented(perceived, modality, chance, mistakes, planted)
    phrased = [(words.phrase(chance, one.cue), one) for one in there]
    reply: dict[str, Any] = {
        "caption": " ".join(_sentence(text, one, modality) for text, one in phrased) or "Nothing is noticed.",
        "cues": [
            {"kind": one.cue.kind, "text": text, "relevant": one.relevant, "start": None, "end": None}
            for text, one in phrased
        ],
    }
    if modality == "audio":
        reply |= {"transcript": "", "language": ""}
    return reply, planted


def _invented(
    perceived: Sequence[Perceived], modality: str, chance: Chance, mistakes: Mistakes, planted: list[str]
) -> list[Perceived]:
    """Cues that are not there: of the emotion that is shown, and of the scene."""
    there = [one.cue for one in perceived]
    shown = next((cue.emotion for cue in there if cue.emotion), "")
    found = []
    if chance.happens(mistakes.invented, "invented"):
        lacking = [cue for cue in words.absent(shown, modality, there) if cue.modality == modality]
        found += [Perceived(chance.pick(lacking, "invented"), True)] if lacking else []
    if chance.happens(mistakes.invented_scene, "invented_scene"):
        found.append(Perceived(chance.pick(words.strangers(modality, there), "invented_scene"), False))
    planted += [f"{'invented' if one.cue.emotion else 'invented_scene'}:{one.cue.name}" for one in found]
    return found


def _sentence(text: str, one: Perceived, modality: str) -> str:
    if one.relevant and not one.cue.emotion:
        return f"{_REACTION}{text}."
    return words.said("{cue} {are} " + _SENSES[modality] + ".", text, "")
