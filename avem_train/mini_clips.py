"""Clips of the mini world as tensors, rendered without the detour through mp4: what the towers are trained on."""

import os
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from functools import partial

import cv2
import numpy as np
import torch
from tqdm import tqdm

from emorealm_tasks.mini.cues import CUES
from emorealm_tasks.mini.encode import frames
from emorealm_tasks.mini.sound import synthesise
from emorealm_tasks.mini.world import Clip, cue_records
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


def _render(clip: Clip, processor: AvereProcessor, count: int) -> tuple[np.ndarray, np.ndarray]:
    torch.set_num_threads(1)
    pictures = np.stack([_subsampled(picture) for picture in frames(clip, count)])
    pixels = processor.pixel_values(pictures).numpy().astype(np.float16)
    return pixels, processor.input_features(synthesise(clip)).numpy().astype(np.float16)


def rendered(clips: Iterable[Clip], processor: AvereProcessor, count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Render clips, one process a core.

    Returns float16 pixel values (clips, count, 3, height, width) and mel features (clips, bins, mel frames).
    """
    clips = list(clips)
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        work = pool.map(partial(_render, processor=processor, count=count), clips, chunksize=32)
        pixels, sounds = zip(*tqdm(work, total=len(clips), desc="rendering clips", unit="clip"), strict=True)
    return torch.from_numpy(np.stack(pixels)), torch.from_numpy(np.stack(sounds))
