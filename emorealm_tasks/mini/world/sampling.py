"""Which clips exist: a clip is a choice of cues, drawn at random from a balanced or from a confounded world.

The balanced world (test and validation splits) gives every cue of an emotion, every object and every sound the same
chance. The confounded world (training) has the regularities real data has: each emotion has a typical cue that is
nearly always shown and a rare one, cues co-occur, and certain clothes, objects and sounds keep company with certain
emotions though they mean nothing. A model that learns those shortcuts is found out on the balanced splits.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from emorealm_tasks.emotions import EMOTIONS
from emorealm_tasks.mini.world.cues import CUES, affect_cues, scene_cues

SPLITS = ("train", "validation", "test")
TEST_CLIPS = 800
"""Clips of the test split that the package's own scores are measured on."""
TYPICAL = (0.8, 0.5, 0.3)
"""Confounded world: chance that an emotion's first, second and third cue (in table order) is shown."""
CONFOUND = 0.6
"""Confounded world: chance that a slot of the scene is filled with the emotion's companion instead of at random."""
MATTERS = 0.4
"""Chance that the person reacts to something in the picture; and, independently, to something heard."""


@dataclass(frozen=True)
class Clip:
    """Everything that is shown and sounded in one clip."""

    seed: int
    """Decides what means nothing: skin, hair, position, pitch of the voice, where sounds fall."""
    emotion_video: str
    """The emotion that the picture conveys."""
    emotion_audio: str
    """The emotion that the sound conveys."""
    seen: tuple[str, ...]
    """Names of the affect cues shown, all of the picture's emotion."""
    heard: tuple[str, ...]
    """Names of the affect cues heard, all of the sound's emotion."""
    left: str
    """Object beside the person, "" for none."""
    right: str
    """As `left`."""
    clothes: str
    """The scene cue that the person wears, "" for none."""
    looks_at: str
    """The scene cue that matters in the picture, or ""."""
    sounds: tuple[str, ...]
    """Names of the background sounds."""
    reacts_to: str
    """The scene cue that matters in the sound, or ""."""

    def emotion(self, modality: str) -> str:
        """Emotion that the modality ("video" or "audio") conveys."""
        return self.emotion_video if modality == "video" else self.emotion_audio

    def shown(self, modality: str) -> tuple[str, ...]:
        """Names of the affect cues present in the modality."""
        return self.seen if modality == "video" else self.heard

    def scene(self, modality: str) -> tuple[str, ...]:
        """Names of the scene cues present in the modality."""
        if modality == "audio":
            return self.sounds
        return tuple(name for name in (self.left, self.right, self.clothes) if name)

    def matters(self, modality: str) -> str:
        """Name of the one scene cue the person reacts to in the modality, "" for none."""
        return self.looks_at if modality == "video" else self.reacts_to


def companion(modality: str, kind: str, emotion: str) -> str:
    """Scene cue that keeps company with an emotion in the confounded world (the table orders correspond)."""
    return scene_cues(modality, kind)[EMOTIONS.index(emotion)].name


def _sample_affect_cues(rng: np.random.Generator, modality: str, emotion: str, confounded: bool) -> tuple[str, ...]:
    names = [cue.name for cue in affect_cues(modality, emotion)]
    if confounded:
        sampled = [name for name, chance in zip(names, TYPICAL, strict=True) if rng.random() < chance]
        return tuple(sampled or names[:1])
    count = int(rng.choice([1, 2, 3], p=[0.4, 0.4, 0.2]))
    return tuple(sorted(rng.choice(names, size=count, replace=False), key=names.index))


def _pick(
    rng: np.random.Generator, modality: str, kind: str, emotion: str, confounded: bool, excluded: str = ""
) -> str:
    if confounded and rng.random() < CONFOUND and companion(modality, kind, emotion) != excluded:
        return companion(modality, kind, emotion)
    return str(rng.choice([cue.name for cue in scene_cues(modality, kind) if cue.name != excluded]))


def sample_video(rng: np.random.Generator, emotion: str, confounded: bool = False) -> dict[str, Any]:
    """Draw what is seen: the fields of `Clip` that belong to the picture."""
    first = _pick(rng, "video", "object", emotion, confounded)
    second = _pick(rng, "video", "object", emotion, confounded, first) if rng.random() < 0.5 else ""
    left, right = (first, second) if rng.random() < 0.5 else (second, first)
    clothes = _pick(rng, "video", "clothes", emotion, confounded)
    present = [name for name in (left, right, clothes) if name]
    looks_at = str(rng.choice(present)) if rng.random() < MATTERS else ""
    return {
        "emotion_video": emotion,
        "seen": _sample_affect_cues(rng, "video", emotion, confounded),
        "left": left,
        "right": right,
        "clothes": clothes,
        "looks_at": looks_at,
    }


def sample_audio(rng: np.random.Generator, emotion: str, confounded: bool = False) -> dict[str, Any]:
    """Draw what is heard: the fields of `Clip` that belong to the sound."""
    first = _pick(rng, "audio", "background", emotion, confounded)
    sounds = [first]
    if rng.random() < 0.5:
        sounds.append(_pick(rng, "audio", "background", emotion, confounded, first))
    rng.shuffle(sounds)
    reacts_to = str(rng.choice(sounds)) if rng.random() < MATTERS else ""
    return {
        "emotion_audio": emotion,
        "heard": _sample_affect_cues(rng, "audio", emotion, confounded),
        "sounds": tuple(sounds),
        "reacts_to": reacts_to,
    }


def other_emotion(rng: np.random.Generator, emotion: str) -> str:
    """Draw one of the other emotions."""
    return str(rng.choice([e for e in EMOTIONS if e != emotion]))


def sample_clip(rng: np.random.Generator, confounded: bool = False) -> Clip:
    """Draw a clip; audio and video convey the same emotion in half of the clips."""
    video = str(rng.choice(EMOTIONS))
    audio = video if rng.random() < 0.5 else other_emotion(rng, video)
    return Clip(
        seed=int(rng.integers(2**31)), **sample_video(rng, video, confounded), **sample_audio(rng, audio, confounded)
    )


def generator(split: str, seed: int) -> np.random.Generator:
    """Random generator of one split, independent of the other splits' whatever the seed.

    Raises ValueError for an unknown split.
    """
    if split not in SPLITS:
        raise ValueError(f"unknown split {split!r}: one of {', '.join(SPLITS)}")
    return np.random.default_rng([SPLITS.index(split), seed])


def cue_records(clip: Clip) -> list[dict[str, Any]]:
    """Truth of every cue of the world for one clip: modality, kind, name, emotion it supports, present, matters.

    An affect cue matters where it is present; a scene cue where the person reacts to it.
    """
    rows = []
    for cue in CUES:
        present = cue.name in (clip.shown(cue.modality) if cue.emotion else clip.scene(cue.modality))
        matters = present if cue.emotion else clip.matters(cue.modality) == cue.name
        rows.append(
            {
                "modality": cue.modality,
                "kind": cue.kind,
                "name": cue.name,
                "emotion": cue.emotion,
                "present": present,
                "matters": matters,
            }
        )
    return rows
