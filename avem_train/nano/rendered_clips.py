"""Clips of the mini world as tensors, rendered without the detour through mp4: what the encoders are trained on."""

from collections.abc import Iterable

import cv2
import numpy as np
import torch
from tqdm import tqdm

from emorealm_tasks.mini.render.encode import frames
from emorealm_tasks.mini.render.sound import synthesise
from emorealm_tasks.mini.world.cues import CUES
from emorealm_tasks.mini.world.sampling import Clip, cue_records
from model_adapters.avere import AvereProcessor


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


def _subsampled(picture: np.ndarray) -> np.ndarray:
    """The picture with its colours at half resolution, as H.264 stores them."""
    return cv2.cvtColor(cv2.cvtColor(picture, cv2.COLOR_RGB2YUV_I420), cv2.COLOR_YUV2RGB_I420)


def rendered(clips: Iterable[Clip], modality: str, processor: AvereProcessor) -> torch.Tensor:
    """One modality of clips as the encoder takes it, float16.

    "video": pixel values (clips, frames, 3, height, width); "audio": mel features (clips, bins, mel frames).
    """
    count = processor.config.vision_config.num_frames
    rows = []
    for clip in tqdm(list(clips), desc=f"rendering {modality}", unit="clip", mininterval=5):
        if modality == "video":
            row = processor.pixel_values(np.stack([_subsampled(picture) for picture in frames(clip, count)]))
        else:
            row = processor.input_features(synthesise(clip))
        rows.append(row.half())
    return torch.stack(rows)
