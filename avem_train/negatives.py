"""Rejected media: which modality of a record's clip changes, and to what (Sections 4.1, E.5).

What is drawn depends on the seed and the record's id alone, never on the records' order, the rank or the epoch; so the
reference's log-probabilities of it can be computed once and kept. With `redraw` every epoch draws anew.

Noise is put on what the encoders take (normalised pixels, mel features), as VCD does, so a description of it is enough
to make it again: `altered` does.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from torch import Tensor

if TYPE_CHECKING:
    from avem_train.preferences import Preference

KINDS = ("other_emotion", "any_clip", "diffusion", "random")
CHANGES = ("prompt", "both")


@dataclass(frozen=True)
class Negatives:
    """Settings of the rejected media.

    kind: "other_emotion", a clip of another emotion (a record's own `rejected_video`, `rejected_audio` come first);
    "any_clip", any other clip; "diffusion", the record's clip with noise; "random", a random tensor.
    change: "prompt", only what the prompt is about (PMP, Eq. 5); "both", picture and sound whatever the prompt.
    redraw: draw anew every epoch; the reference is then computed live.
    diffusion_steps: how far the noise goes, 1 to 1000; VCD's default is 500.

    Raises ValueError for an unknown kind or change, or a step outside 1 to 1000.
    """

    kind: str = "other_emotion"
    change: str = "prompt"
    redraw: bool = False
    diffusion_steps: int = 500

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"negatives.kind {self.kind!r}: one of {', '.join(KINDS)}")
        if self.change not in CHANGES:
            raise ValueError(f"negatives.change {self.change!r}: one of {', '.join(CHANGES)}")
        if not 1 <= self.diffusion_steps <= 1000:
            raise ValueError(f"negatives.diffusion_steps {self.diffusion_steps}: 1 to 1000")


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
class Medium:
    """What stands in one modality's place in the rejected media.

    kind: "own", the record's; "file", that of the file `path` (for the sound a wav, or a clip with its own);
    "diffusion", the record's with noise of `steps` steps; "random", uniform noise. seed: of the noise.
    """

    kind: str = "own"
    path: Path | None = None
    seed: int = 0
    steps: int = 0


@dataclass(frozen=True)
class RejectedMedia:
    """The rejected media of one record. Hashable; equal descriptions give equal media (as long as the files stay)."""

    video: Medium
    audio: Medium


def draw(records: Sequence["Preference"], settings: Negatives, seed: int, epoch: int = 0) -> list[RejectedMedia]:
    """Rejected media of each record, in the records' order. `epoch` counts only with `settings.redraw`.

    Raises ValueError, naming the record, where there is no clip to draw from; `preferences.problems` finds these first.
    """


def altered(features: Tensor, medium: Medium) -> Tensor:
    """Features of one clip (pixels or mel, any shape) as `medium` of kind "own", "diffusion" or "random" wants them.

    Same shape, dtype and device; the noise is drawn on the CPU, so every device gets the same. Raises ValueError for
    the kind "file": load that file instead.
    """
