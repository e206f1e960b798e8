r"""Public parts (a Llama, LanguageBind-Video, Whisper) and fresh projectors -> AVERE before its training.

    python -m model_adapters.avere.assemble --language-model vicuna-7b-v1.5 --video-tower LanguageBind_Video_merge \
        --audio-tower whisper-large-v3 --out FOLDER

`assembly` does it. A missing file is told before transformers is imported, which takes seconds.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from emorealm_tasks import versions
from emorealm_tasks.interruption import ends_when_interrupted

from . import released_files


@ends_when_interrupted("the same command assembles anew")
def main(argv: Sequence[str] | None = None) -> int:
    """The command line; returns 0."""
    about = __doc__.split("\n")[0]
    parser = argparse.ArgumentParser(prog="python -m model_adapters.avere.assemble", description=about)
    parts = {
        "--language-model": "folder of a Llama with its tokenizer.model, e.g. vicuna-7b-v1.5",
        "--video-tower": "folder of LanguageBind_Video_merge",
        "--audio-tower": "folder of whisper-large-v3, whose encoder is used",
    }
    for option, what in parts.items():
        parser.add_argument(option, type=Path, required=True, help=what)
    sizes = "folder whose config.json has BERT's sizes for the Q-Former, which is fresh (default: bert-base's)"
    parser.add_argument("--qformer", type=Path, help=sizes)
    parser.add_argument("--seed", type=_seed, default=0, help="of the fresh projectors (default: 0)")
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    args = parser.parse_args(argv)
    versions.check()
    folders = (args.language_model, args.video_tower, args.audio_tower, args.qformer)
    for folder in filter(None, folders):
        released_files.require(folder / "config.json", released_files.PARTS)
    from .assembly import assemble

    assemble(*folders, args.seed, args.out)
    return 0


def _seed(text: str) -> int:
    number = int(text)
    if not 0 <= number < 2**32:
        raise argparse.ArgumentTypeError("a seed is 0 to 2**32 - 1")
    return number


if __name__ == "__main__":
    sys.exit(main())
