"""Rejected media: which modality of a record's clip changes, and to what (Sections 4.1, E.5).

What is drawn depends on the seed and the record's id alone, never on the records' order, the rank or the epoch; so the
reference's log-probabilities of it can be computed once and cached. With `redraw` every epoch draws again.

Noise is put on what the encoders take (normalised pixels, mel features), as VCD does, so a description of it is enough
to make it again: `altered` does.
"""

import hashlib
import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from avem_train.data.records import MODALITIES
from emorealm_tasks import media
from model_adapters.decoding.diffusion import DIFFUSION_STEPS, diffused

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    from avem_train.data.records import Preference

KINDS = ("other_emotion", "any_clip", "diffusion", "random")
CHANGES = ("prompt", "both", "other")
ClipPaths = tuple[Path | None, Path | None]
"""Files of a clip: video, and audio (None = the video's own sound)."""


@dataclass(frozen=True)
class Negatives:
    """Settings of the rejected media.

    Raises ValueError for an unknown kind or change, or a step outside 0 to 999.
    """

    kind: str = "other_emotion"
    """"other_emotion", a clip of another emotion (a record's own `rejected_video`, `rejected_audio` come first);
    "any_clip", any other clip; "diffusion", the record's clip with noise; "random", uniform noise on [0, 1)."""
    change: str = "prompt"
    """"prompt", only what the prompt is about (PMP, Eq. 5); "both", picture and sound whatever the prompt, each of
    another emotion as far as the records name it; "other", only what the prompt is not about (MoD-DPO's invariance)."""
    redraw: bool = False
    """Draw again every epoch; the reference is then computed live."""
    diffusion_step: int = 500
    """How far the noise goes, 0 to 999 of VCD's schedule; 500 is VCD's default."""

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"negatives.kind {self.kind!r}: one of {', '.join(KINDS)}")
        if self.change not in CHANGES:
            raise ValueError(f"negatives.change {self.change!r}: one of {', '.join(CHANGES)}")
        if not 0 <= self.diffusion_step < DIFFUSION_STEPS:
            raise ValueError(f"negatives.diffusion_step {self.diffusion_step}: 0 to {DIFFUSION_STEPS - 1}")


TABLE_17: dict[str, Negatives] = {
    "random tensor, both": Negatives("random", "both"),
    "random tensor, prompt-based": Negatives("random", "prompt"),
    "random video, both": Negatives("any_clip", "both"),
    "random video, prompt-based": Negatives("any_clip", "prompt"),
    "diffusion, both": Negatives("diffusion", "both"),
    "diffusion, prompt-based": Negatives("diffusion", "prompt"),
    "different emotion, both": Negatives("other_emotion", "both"),
    "different emotion, prompt-based": Negatives("other_emotion", "prompt"),
}
"""Table 17's rows: choice of a_l / v_l, and what changes. The objective is AVEm-DPO's throughout."""


@dataclass(frozen=True)
class Medium:  # its name is part of the reference cache's keys
    """What stands in one modality's place in the rejected media."""

    kind: str = "own"
    """"own", the record's; "file", that of the file `path`; "diffusion", the record's with noise of a `step` of VCD's
    schedule; "random", uniform noise."""
    path: Path | None = None
    """Of the kind "file": for the sound a wav, or a clip with its own."""
    seed: int = 0
    """Of the noise."""
    step: int = 0
    """Of the diffusion."""


@dataclass(frozen=True)
class RejectedMedia:
    """The rejected media of one record. Hashable; equal descriptions give equal media (as long as the files stay)."""

    video: Medium
    """In the picture's place."""
    audio: Medium
    """In the sound's place."""


def draw(records: Sequence["Preference"], settings: Negatives, seed: int, epoch: int = 0) -> list[RejectedMedia]:
    """Rejected media of each record, in the records' order. `epoch` counts only with `settings.redraw`.

    Raises ValueError, naming the record, where there is no clip to draw from; `checks.problems` finds these first.
    """
    pool = Pool(records)
    return [drawn(record, pool, settings, seed, epoch) for record in records]


def drawn(record: "Preference", pool: "Pool", settings: Negatives, seed: int, epoch: int = 0) -> RejectedMedia:
    """As `draw`, of one record; `pool` is that of all records."""
    salt = f"{seed}/{epoch if settings.redraw else 0}"
    media = {modality: Medium() for modality in ("video", "audio")}
    clip = pool.clip(record, settings, salt) if needs_clip(record, settings) else None
    for modality in changed(record, settings):
        media[modality] = _medium(record, modality, settings, clip, salt)
    return RejectedMedia(**media)


def undrawable(records: Sequence["Preference"], settings: Negatives, bad: "np.ndarray | None" = None) -> list[int]:
    """Numbers of the records for which there is no clip to draw from.

    bad: which records count for nothing; None = each counts.
    """

    def usable() -> "Iterator[tuple[int, Preference]]":
        return ((number, one) for number, one in enumerate(records) if bad is None or not bad[number])

    pool = Pool(record for _, record in usable())
    needing = ((number, record) for number, record in usable() if needs_clip(record, settings))
    return [number for number, record in needing if pool.candidates(record, settings) in ([], [_clip(record)])]


def changed(record: "Preference", settings: Negatives) -> tuple[str, ...]:
    """Which of "video" and "audio" change in a record's rejected media; only those that the record has and the model
    takes.
    """
    about = MODALITIES[record.modality]
    modalities = {
        "prompt": about,
        "both": MODALITIES["audiovisual"],
        "other": tuple(modality for modality in MODALITIES["audiovisual"] if modality not in about),
    }[settings.change]
    return tuple(modality for modality in modalities if modality in record.taken and has(record, modality))


class Pool:
    """The distinct clips of a dataset, and the emotions that its records name for each."""

    def __init__(self, records: Iterable["Preference"]) -> None:
        self._clip_emotions: dict[ClipPaths, set[tuple[str, str]]] = {}
        for record in records:
            self._clip_emotions.setdefault(_clip(record), set()).add((record.modality, record.emotion))
        self._cached: dict[tuple[Any, ...], list[ClipPaths]] = {}

    @cached_property
    def _clips(self) -> list[ClipPaths]:
        return sorted(self._clip_emotions, key=str)  # so that the records' order does not matter

    def candidates(self, record: "Preference", settings: Negatives) -> list[ClipPaths]:
        """Clips that can stand in for the record's, in a fixed order; with "any_clip" its own is among them.

        Another emotion: a clip's picture and sound may convey different ones, so only what records about the same
        modality name counts, as long as that leaves any clip; if none, what any of its records name. Where the modality
        that the prompt is not about changes too, it gets another emotion likewise, as far as records name it.
        """
        changing = changed(record, settings)
        required: tuple[Any, ...] = ()
        if settings.kind == "other_emotion":
            beside = [modality for modality in changing if modality not in MODALITIES[record.modality]]
            own_emotions = [(modality, frozenset(self._emotions(_clip(record), modality))) for modality in beside]
            required = (record.modality, record.emotion, *own_emotions)
        key = (changing, *required)
        if key not in self._cached:
            able = [clip for clip in self._clips if _has(clip, changing)]
            self._cached[key] = self._of_other_emotions(able, *required) if required else able
        return self._cached[key]

    def _of_other_emotions(
        self, clips: list[ClipPaths], modality: str, emotion: str, *beside: tuple[str, frozenset[str]]
    ) -> list[ClipPaths]:
        """Those of `clips` with another emotion in `modality`, and in each further modality none of the record's."""
        if not emotion:
            return []
        unwanted = frozenset({emotion})
        candidates = self._without(clips, modality, unwanted) or self._without(clips, None, unwanted)
        for further, own_emotions in beside:
            if own_emotions:
                # where that leaves no clip, the condition is dropped
                candidates = self._without(candidates, further, own_emotions) or candidates
        return candidates

    def _without(self, clips: Sequence[ClipPaths], modality: str | None, unwanted: frozenset[str]) -> list[ClipPaths]:
        emotions_by_clip = {clip: self._emotions(clip, modality) for clip in clips}
        return [clip for clip, emotions in emotions_by_clip.items() if emotions and not emotions & unwanted]

    def _emotions(self, clip: ClipPaths, modality: str | None = None) -> set[str]:
        return {emotion for about, emotion in self._clip_emotions[clip] if modality in (None, about)} - {""}

    def clip(self, record: "Preference", settings: Negatives, salt: str) -> ClipPaths:
        """One of the record's candidates, drawn from its id and `salt`. Raises ValueError if there is none."""
        candidates, own_clip = self.candidates(record, settings), _clip(record)
        if not candidates or candidates == [own_clip]:
            description = (
                "other clip" if settings.kind == "any_clip" else f"clip of another emotion than {record.emotion}"
            )
            raise ValueError(f"record {record.id!r}: there is no {description} to reject")
        draws = (candidates[_number(f"{salt}/{i}", record.id, "clip") % len(candidates)] for i in itertools.count())
        return next(clip for clip in draws if clip != own_clip)


def has(record: "Preference", modality: str) -> bool:
    """Whether a record has a picture ("video") or a sound ("audio")."""
    return _has(_clip(record), [modality])


def _clip(record: "Preference") -> ClipPaths:
    return record.video, record.audio


def _has(clip: ClipPaths, modalities: Sequence[str]) -> bool:
    """Whether a clip has all of `modalities`. A sound file has no picture, and some videos have no sound."""
    video, audio = clip
    has_video, has_audio = video is not None, audio is not None
    return all(
        has_video if modality == "video" else has_audio or (has_video and media.has_sound(video, unreadable=True))
        for modality in modalities
    )


def rejected_file(record: "Preference", modality: str) -> Path | None:
    """The rejected medium that comes with a record; a rejected clip brings its own sound unless that is given too."""
    return record.rejected_video if modality == "video" else record.rejected_audio or record.rejected_video


def needs_clip(record: "Preference", settings: Negatives) -> bool:
    """Whether a clip must be drawn for the record. Noise needs none, and some records bring their rejected media."""
    if settings.kind == "other_emotion":
        return not all(rejected_file(record, modality) for modality in changed(record, settings))
    return settings.kind == "any_clip" and bool(changed(record, settings))


def _medium(record: "Preference", modality: str, settings: Negatives, clip: ClipPaths | None, salt: str) -> Medium:
    if settings.kind == "diffusion":
        return Medium("diffusion", seed=_number(salt, record.id, modality), step=settings.diffusion_step)
    if settings.kind == "random":
        return Medium("random", seed=_number(salt, record.id, modality))
    path = rejected_file(record, modality) if settings.kind == "other_emotion" else None
    if path is None and clip is not None:
        path = clip[0] if modality == "video" else clip[1] or clip[0]
    return Medium("file", path)


def _number(salt: str, identifier: str, purpose: str) -> int:
    """A number below 2**63 that only these three decide."""
    return int.from_bytes(hashlib.sha256(f"{purpose}/{salt}/{identifier}".encode()).digest()[:8], "big") >> 1


def altered(features: "Tensor", medium: Medium) -> "Tensor":
    """Features of one clip (pixels or mel, any shape) as `medium` of kind "own", "diffusion" or "random" wants them.

    Same shape, dtype and device; the noise is drawn on the CPU, so every device gets the same. Raises ValueError for
    the kind "file": load that file instead.
    """
    if medium.kind == "own":
        return features
    if medium.kind == "diffusion":
        return diffused(features, medium.step, medium.seed)
    if medium.kind == "random":
        return randomised(features, medium.seed)
    raise ValueError(f"a medium of kind {medium.kind!r} is no noise; load {medium.path} instead")


def randomised(features: "Tensor", seed: int) -> "Tensor":
    """Uniform noise on [0, 1) from `seed` in the features' shape, dtype and device."""
    import torch

    return torch.rand(features.shape, generator=torch.Generator().manual_seed(seed)).to(features)
