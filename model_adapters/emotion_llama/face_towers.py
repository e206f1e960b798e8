"""MAE and VideoMAE: crops of a face -> the two summary features that stand for it.

`convert_faces` makes the folder. Preparation is that of the published extractors: bilinear to the tower's size, 0 to 1,
no mean and no deviation.
"""

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from transformers import VideoMAEConfig, VideoMAEModel, ViTConfig, ViTModel

from emorealm_tasks.errors import stop
from emorealm_tasks.untrusted import brief

MAE, VIDEO_MAE = "mae", "videomae"
"""The folders of the two towers."""
_BATCH = 32  # crops at once
_SEGMENTS, _IN_A_ROW = 8, 2


def chosen(available: int) -> np.ndarray:
    """Numbers of the 16 crops that VideoMAE sees, int64 (16,): two in a row from the middle of each eighth.

    Of up to 9 crops it sees the first two again and again, as published.
    """
    starts = np.zeros(_SEGMENTS, np.int64)
    if available > _SEGMENTS + _IN_A_ROW - 1:
        tick = (available - _IN_A_ROW + 1) / _SEGMENTS
        starts = np.array([int(tick / 2 + tick * number) for number in range(_SEGMENTS)])
    return np.minimum(starts[:, None] + np.arange(_IN_A_ROW), available - 1).reshape(-1)


class FaceTowers:
    """Both towers, in float32, from the folder of `convert_faces`. Stops where it is none.

    device: where they compute.
    """

    def __init__(self, folder: Path, device: torch.device) -> None:
        for name in (MAE, VIDEO_MAE):
            if not (folder / name / "config.json").is_file():
                stop(f"{folder}: there is no {name} in it; write it with python -m {__package__}.convert_faces")
        try:
            mae = ViTModel.from_pretrained(folder / MAE, local_files_only=True, add_pooling_layer=False)
            video_mae = VideoMAEModel.from_pretrained(folder / VIDEO_MAE, local_files_only=True)
        except Exception as error:  # of whatever kind the files are broken in
            stop(f"{folder}: cannot be loaded ({brief(error)}); convert the towers again")
        self.device = device
        self.mae = mae.eval().requires_grad_(False).to(device)
        self.video_mae = video_mae.eval().requires_grad_(False).to(device)

    def summaries(self, crops: np.ndarray, numbers: np.ndarray | None = None) -> torch.Tensor:
        """MAE's and VideoMAE's feature of a clip, float32 (2, width), on the CPU.

        crops: uint8 RGB (crops, height, width, 3), one person's face in the order of the frames, at least one.
        numbers: which of them VideoMAE sees, int64 (16,); default `chosen` of all.
        """
        numbers = chosen(len(crops)) if numbers is None else numbers
        return torch.stack([self._mae(crops), self._video_mae(crops[numbers])]).cpu()

    @torch.inference_mode()
    def _mae(self, crops: np.ndarray) -> torch.Tensor:
        """The mean of the CLS states of all crops (width,)."""
        parts = [crops[start : start + _BATCH] for start in range(0, len(crops), _BATCH)]
        config: ViTConfig = self.mae.config
        size = int(config.image_size)  # type: ignore[arg-type]  # a square, as converted
        states = [self.mae(self.pixels(part, size)).last_hidden_state[:, 0] for part in parts]
        return torch.cat(states).mean(0)

    @torch.inference_mode()
    def _video_mae(self, crops: np.ndarray) -> torch.Tensor:
        """The mean of the states of all patches (width,)."""
        config: VideoMAEConfig = self.video_mae.config
        video = self.pixels(crops, int(config.image_size))  # type: ignore[arg-type]  # a square, as converted
        return self.video_mae(video[None]).last_hidden_state[0].mean(0)

    def pixels(self, crops: np.ndarray, size: int) -> torch.Tensor:
        """uint8 (crops, height, width, 3) -> float32 (crops, 3, size, size), 0 to 1, on the towers' device."""
        resized = [np.asarray(Image.fromarray(crop).resize((size, size), Image.Resampling.BILINEAR)) for crop in crops]
        return torch.from_numpy(np.stack(resized)).permute(0, 3, 1, 2).to(self.device).float() / 255
