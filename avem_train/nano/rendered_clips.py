"""Clips of the mini world as tensors, rendered without the detour through mp4: what the encoders are trained on."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import cv2
import numpy as np
import torch
from tqdm import tqdm

from emorealm_tasks.mini.render.encode import frames
from emorealm_tasks.mini.world.cues import CUES
from emorealm_tasks.mini.world.sampling import Clip, cue_records

if TYPE_CHECKING:
    from avem_train.nano.miniature import Miniature


def targets(clip: Clip, modality: str) -> np.ndarray:
    """Truth of a modality's cues: for each cue of the table present, then for each scene cue whether it matters.

    Returns float32 (cues + scene cues,).
    """
    rows = [row for row in cue_records(clip) if row["modality"] == modality]
    present = [row["present"] for row in rows]
    matters = [row["matters"] for row in rows if not row["emotion"]]
    return np.array(present + matters, np.float32)


def target_names(modality: str) -> list[str]:
    """Names of the columns of `targets`."""
    cues = [cue for cue in CUES if cue.modality == modality]
    return [cue.name for cue in cues] + [f"{cue.name} matters" for cue in cues if not cue.emotion]


def pictures(clip: Clip, count: int) -> np.ndarray:
    """`count` frames of a clip from its first to its last, uint8 (count, height, width, 3), with their colours at half
    resolution, as H.264 stores them.
    """
    return np.stack([_subsampled(picture) for picture in frames(clip, count)])


def _subsampled(picture: np.ndarray) -> np.ndarray:
    return cv2.cvtColor(cv2.cvtColor(picture, cv2.COLOR_RGB2YUV_I420), cv2.COLOR_YUV2RGB_I420)


def rendered(clips: Iterable[Clip], modality: str, miniature: "Miniature") -> torch.Tensor:
    """One modality of clips as the encoder takes it (`Miniature.inputs`), float16, the first dimension the clips'."""
    bar = tqdm(list(clips), desc=f"rendering {modality}", unit="clip", mininterval=5)
    return miniature.stacked([miniature.inputs(clip, modality).half() for clip in bar])
