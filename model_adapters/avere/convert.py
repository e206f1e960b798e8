"""Released AVERE checkpoint layout -> one folder that `from_pretrained` loads.

    python -m model_adapters.avere.convert --source CHECKPOINT [--backbones BACKBONES] --out FOLDER

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
    parser = argparse.ArgumentParser(prog="python -m model_adapters.avere.convert", description=__doc__.split("\n")[0])
    parser.add_argument("--source", type=Path, required=True, help="folder of the released checkpoint")
    parser.add_argument("--backbones", type=Path, help="folder of the towers' folders (default: SOURCE/backbones)")
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    args = parser.parse_args(argv)
    versions.check()
    backbones = args.backbones or args.source / "backbones"
    for config in (args.source, backbones / released_files.BERT):
        released_files.require(config / "config.json")
    from .conversion import convert

    convert(args.source, backbones, args.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
