"""MAE's and VideoMAE's features of a folder of clips -> files in the authors' layout, for `features=DIR`.

    python -m model_adapters.emotion_llama.extract_features --clips FOLDER --towers FOLDER [--crops FOLDER] --out FOLDER

`--clips` is searched with all folders in it; `--towers` is what `convert_faces` wrote. Faces are found in the frames,
or their crops are taken from `--crops` (as `face_crops.Given`). A clip whose files are there already is left out, so
that the same command goes on after an interruption. A clip without a face, or that cannot be read, is named and gets
none. A missing folder is told before torch and transformers are imported, which takes seconds.
"""

import argparse
import io
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from tqdm import tqdm

from emorealm_tasks import files, versions
from emorealm_tasks.errors import stop, warn_once
from emorealm_tasks.interruption import ends_when_interrupted
from emorealm_tasks.media import MediaError
from model_adapters.base import arguments

if TYPE_CHECKING:
    from torch import Tensor

_MAKER = "model_adapters.emotion_llama.extract_features"
FOLDERS = ("mae_UTT", "maeV_UTT")
"""Of MAE and VideoMAE."""
_ENDINGS = {".avi", ".m4v", ".mkv", ".mov", ".mp4", ".webm"}


def clips_in(folder: Path) -> dict[str, Path]:
    """Name -> clip, for every clip below a folder. Stops where there is none, and where two have one name."""
    if not folder.is_dir():
        stop(f"{folder}: no such folder; name the folder of the clips with --clips")
    found: dict[str, Path] = {}
    for path in files.matching(folder, "**/*"):
        if path.suffix.lower() in _ENDINGS and path.is_file():
            if path.stem in found:
                stop(f"{path} and {found[path.stem]} have one name, by which features are found; rename one")
            found[path.stem] = path
    if not found:
        stop(f"{folder}: there is no clip in it ({', '.join(sorted(_ENDINGS))})")
    return found


def extract(clips: dict[str, Path], towers: Path, crops: Path | None, out: Path, device: str | None) -> list[str]:
    """Write the features of all clips that have none; the names of those that got none, in order."""
    files.check(out, _MAKER, "--out")
    way = {"towers": str(towers.resolve()), "crops": str(crops.resolve()) if crops else "found"}
    if (before := files.marked(out)) and any(before.get(name) != value for name, value in way.items()):
        stop(f"{out}: was begun with other --towers or --crops; name another folder with --out")
    from .face_crops import Found, Given
    from .face_towers import FaceTowers

    left = {name: clip for name, clip in clips.items() if not all(path.is_file() for path in _paths(out, name))}
    find = Given(crops) if crops else Found()
    encoders = FaceTowers(towers, arguments.choose_device(device, "extract_features"))
    files.claim(out, _MAKER, "--out")
    files.mark(out, _MAKER, **way)
    without = []
    with tqdm(left.items(), desc="clips", initial=len(clips) - len(left), total=len(clips)) as progress:
        for name, clip in progress:
            try:
                cut = find(str(clip))
                if cut is None:
                    raise MediaError(f"{clip}: no face is found in it")
            except MediaError as error:
                warn_once(str(clip), str(error))
                without.append(name)
                continue
            try:
                _write(encoders.summaries(*cut), _paths(out, name))
            except OSError as error:
                stop(f"{out}: cannot be written ({error.strerror}); the same command goes on from here")
    return without


def _paths(out: Path, name: str) -> list[Path]:
    return [out / folder / f"{name}.npy" for folder in FOLDERS]


def _write(features: "Tensor", paths: Sequence[Path]) -> None:
    for feature, path in zip(features, paths, strict=True):
        content = io.BytesIO()
        np.save(content, feature.numpy())
        files.write_bytes(path, content.getvalue())


@ends_when_interrupted("the same command goes on with the clips that are left")
def main(argv: Sequence[str] | None = None) -> int:
    """The command line; returns 0, or 1 where a clip got no features."""
    parser = argparse.ArgumentParser(prog=f"python -m {_MAKER}", description=__doc__.split("\n")[0])
    parser.add_argument("--clips", type=Path, required=True, help="folder of the clips")
    parser.add_argument("--towers", type=Path, required=True, help="folder that convert_faces wrote")
    parser.add_argument("--crops", type=Path, help="folder with a folder of crops for each clip; default: found")
    parser.add_argument("--out", type=Path, required=True, help="folder to write, also one begun before")
    parser.add_argument("--device", help="cpu, cuda or cuda:N; default the GPU if there is one")
    args = parser.parse_args(argv)
    versions.check()
    clips = clips_in(args.clips)
    without = extract(clips, args.towers, args.crops, args.out, args.device)
    print(f"{args.out}: features of {len(clips) - len(without)} of {len(clips)} clips")
    return 1 if without else 0


if __name__ == "__main__":
    sys.exit(main())
