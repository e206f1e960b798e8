"""Released Emotion-LLaMA files -> one folder that `from_pretrained` loads.

    python -m model_adapters.emotion_llama.convert --checkpoint FILE.pth --eva eva_vit_g.pth --llama FOLDER
        [--hubert FOLDER] --out FOLDER                       # version 1
        --whisper FOLDER --out FOLDER                        # version 2

`conversion` does it. A missing file is told before transformers is imported, which takes seconds.
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
    prog = "python -m model_adapters.emotion_llama.convert"
    parser = argparse.ArgumentParser(prog=prog, description=__doc__.split("\n")[0])
    parser.add_argument("--checkpoint", type=Path, required=True, help="the released .pth file")
    parser.add_argument("--eva", type=Path, required=True, help="eva_vit_g.pth")
    parser.add_argument("--llama", type=Path, required=True, help="folder of Llama-2-7b-chat-hf")
    audio = parser.add_mutually_exclusive_group()
    audio.add_argument("--hubert", type=Path, help="version 1: folder of chinese-hubert-large")
    audio.add_argument("--whisper", type=Path, help="version 2: folder of whisper-large-v3")
    parser.add_argument("--placement", choices=("released", "training"), default="released", help="of the tokens")
    parser.add_argument(
        "--features", default="demo", help="version 1: beside the image: demo, faces, faces:DIR or a folder of features"
    )
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    args = parser.parse_args(argv)
    versions.check()
    for file in (args.checkpoint, args.eva):
        released_files.require(file)
    from .conversion import convert
    from .given_features import absolute

    audio, features = args.hubert or args.whisper, absolute(args.features)
    convert(args.checkpoint, args.eva, args.llama, audio, args.out, args.placement, features=features)
    return 0


if __name__ == "__main__":
    sys.exit(main())
