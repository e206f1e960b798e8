"""What a model with the paper's weaknesses takes to be so (Section 1): wrong answers that follow from the clip.

It hallucinates cues that would fit what the other modality conveys, misses cues that would not, takes some of what is
merely there for a reason, and takes different emotions for one. Which ones is a table of many entries (cues, pairs of
cue and emotion, pairs of emotions), so no single rule undoes it.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from emorealm_tasks.mini.language.questions import Option, subtask
from emorealm_tasks.mini.world.cues import BY_NAME, affect_cues
from emorealm_tasks.mini.world.sampling import Clip


@dataclass(frozen=True)
class Beliefs:
    """Shares of the entries that are wrong, each between 0 and 1."""

    echoed: float = 0.0
    """Of the cues, absent ones of an emotion that the other modality conveys as well: taken to be there."""
    hallucinated: float = 0.0
    """Of the cues, absent ones of an emotion that the other modality does not convey: taken to be there."""
    missed: float = 0.0
    """Of the pairs of emotions, the most distant: where the two modalities convey them no cue is taken to matter."""
    spurious: float = 0.0
    """Of the pairs of scene cue and emotion: what is merely there is taken to matter."""
    agreement: float = 0.0
    """Of the pairs of emotions, the closest: taken for one."""
    preferred: float = 0.0
    """Of the wrong options that would be believed: taken before the right one in a Basic question."""

    def __post_init__(self) -> None:
        for name, share in vars(self).items():
            if not 0 <= share <= 1:
                raise ValueError(f"{name} must be between 0 and 1, got {share}")

    def matters(self, clip: Clip, modality: str, cue: str) -> bool:
        """Whether a cue is taken to matter in a modality ("video" or "audio") of a clip."""
        emotion, other = clip.emotion(modality), _other(clip, modality)
        kind = subtask(clip, modality, cue)
        if kind == "no_hallucination":
            return emotion == other or _distance(emotion, other) < 1 - self.missed
        if kind == "spurious":
            return _place(cue, emotion) < self.spurious
        return _place(cue) < (self.echoed if emotion == other else self.hallucinated)

    def agree(self, clip: Clip) -> bool:
        """Whether picture and sound are taken to convey one emotion."""
        video, audio = clip.emotion_video, clip.emotion_audio
        return video == audio or _distance(video, audio) < self.agreement

    def sound(self, clip: Clip) -> str:
        """The emotion that the sound is taken to convey: the picture's leaks in where they are taken for one."""
        return clip.emotion_video if self.agree(clip) else clip.emotion_audio

    def option(self, clip: Clip, modality: str, options: Sequence[Option]) -> Option:
        """The option of a Basic question that is taken for the right one. options: the right one first."""
        right, *others = options
        believed = [option for option in others if self._believes(clip, modality, option)]
        preferred = [option for option in believed if _place(right[0], *option) < self.preferred]
        return min(preferred or [right], key=lambda option: _place(*option))

    def _believes(self, clip: Clip, modality: str, option: Option) -> bool:
        cue, emotion = option
        if emotion != clip.emotion(modality):
            return emotion == _other(clip, modality) and bool(BY_NAME[cue].emotion) and _place(cue) < self.echoed
        there = bool(BY_NAME[cue].emotion) or cue in clip.scene(modality)
        return there and self.matters(clip, modality, cue)

    def shown(self, clip: Clip, modality: str) -> list[str]:
        """The affect cues that are taken to be there; where all are missed, those that are."""
        possible = [cue.name for cue in affect_cues(modality, clip.emotion(modality))]
        return [cue for cue in possible if self.matters(clip, modality, cue)] or [*clip.shown(modality)]

    def reasons(self, clip: Clip, modality: str) -> list[str]:
        """The cues that are taken to explain a modality's emotion, affect cues first."""
        scene = [cue for cue in clip.scene(modality) if self.matters(clip, modality, cue)]
        return [*self.shown(clip, modality), *scene]


PLAUSIBLE = Beliefs(echoed=1.0, hallucinated=1.0, spurious=1.0, agreement=1.0, preferred=1.0)
"""Whatever fits the emotion is so: what one says who has not seen the clip."""


def _other(clip: Clip, modality: str) -> str:
    """The emotion that the other modality conveys."""
    return clip.emotion("audio" if modality == "video" else "video")


def _distance(one: str, other: str) -> float:
    """Of two emotions, in [0, 1)."""
    return _place(*sorted((one, other)))


def _place(*parts: str) -> float:
    """Where an entry of the table stands, evenly spread over [0, 1): those below a share are wrong."""
    return int.from_bytes(hashlib.sha256("|".join(parts).encode()).digest()[:6]) / 2**48
