"""Released weights of the two encoders of faces -> one folder that `face_towers.FaceTowers` loads.

    python -m model_adapters.emotion_llama.convert_faces --mae mae_checkpoint-340.pth --videomae maeVideo_ckp199.pth
        --out FOLDER

`faces_conversion` does it. A missing file is told before transformers is imported, which takes seconds.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from emorealm_tasks import versions
from emorealm_tasks.interruption import ends_when_interrupted

from . import released_files


@ends_when_interrupted("the same command converts anew")
def main(argv: Sequence[str] | None = None) -> int:
    """The command line; returns 0."""
    parser = argparse.ArgumentParser(
        prog="python -m model_adapters.emotion_llama.convert_faces", description=__doc__.split("\n")[0]
    )
    parser.add_argument("--mae", type=Path, required=True, help="mae_checkpoint-340.pth")
    parser.add_argument("--videomae", type=Path, required=True, help="maeVideo_ckp199.pth, or of another epoch")
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    args = parser.parse_args(argv)
    versions.check()
    for file in (args.mae, args.videomae):
        released_files.require(file)
    from .faces_conversion import convert

    convert(args.mae, args.videomae, args.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
