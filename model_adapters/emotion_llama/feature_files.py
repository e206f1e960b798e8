"""Summary features in files, as the authors give theirs out: a folder for each encoder, NAME.npy in it for each clip.

`DIR/mae_340_UTT/sample_00000047.npy` (MAE), `DIR/maeV_399_UTT/...` (VideoMAE), `DIR/HL-UTT/...` (HuBERT), and the other
names of those folders: FaceMAE_340_UTT, mae_340_23_UTT, maeVideo_399_23_UTT, HL_23_UTT. Without a folder of HuBERT's,
the model computes that feature from the sound.
"""

import io
import re
from pathlib import Path

import numpy as np

from emorealm_tasks.errors import stop
from emorealm_tasks.media import MediaError
from emorealm_tasks.untrusted import Unreadable, brief, read_bytes

_NAMES = {"MAE": r"(face)?mae(_\d+)*_utt", "VideoMAE": r"maev(ideo)?(_\d+)*_utt", "HuBERT": r"hl[-_](\d+_)?utt"}
"""Encoder -> the names of its folder, in the order of the model's features."""
_LAYOUT = "mae_340_UTT, maeV_399_UTT and HL-UTT"
_LARGEST = 1 << 28


def folders(root: Path) -> dict[str, Path]:
    """Encoder -> its folder below `root`. Stops where MAE's or VideoMAE's is missing, and where one encoder has two."""
    found: dict[str, Path] = {}
    for encoder, pattern in _NAMES.items():
        fitting = [
            path for path in sorted(root.iterdir()) if path.is_dir() and re.fullmatch(pattern, path.name.lower())
        ]
        if len(fitting) > 1:
            stop(f"{root}: {' and '.join(path.name for path in fitting)} are both features of {encoder}; leave one")
        if not fitting and encoder != "HuBERT":
            stop(f"{root}: there is no folder of {encoder}'s features in it; it must hold {_LAYOUT}")
        if fitting:
            found[encoder] = fitting[0]
    return found


def read(path: Path) -> np.ndarray:
    """One feature, float32 (width,); a file of several rows is averaged. Raises MediaError for any other file."""
    try:
        values = np.load(io.BytesIO(read_bytes(path, _LARGEST)), allow_pickle=False)
    except Unreadable as error:
        raise MediaError(f"{path}: {error}; extract the clip's features, or copy them there") from None
    except Exception as error:  # of whatever kind the file is broken in
        raise MediaError(f"{path}: is no npy file of numbers ({brief(error)}); extract it again") from None
    if not isinstance(values, np.ndarray) or values.dtype.kind != "f":
        raise MediaError(f"{path}: is no npy file of floating-point numbers; extract it again")
    if values.ndim not in (1, 2) or not values.size:
        raise MediaError(f"{path}: its shape is {values.shape}; a feature is (width,) or (rows, width)")
    values = np.atleast_2d(values).mean(0, dtype=np.float64).astype(np.float32)
    if not np.isfinite(values).all():
        raise MediaError(f"{path}: holds a NaN or infinite number; extract it again")
    return values
