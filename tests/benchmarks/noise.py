"""What embedded bases still recognise in clips under diffusion noise, on the validation world.

    python tests/benchmarks/noise.py model_adapters/avere_nano model_adapters/avere_nano_2

Writes results/mini/noise/recognised.md: the benchmark's scores with noise of several steps on picture and sound, the
noise that rejected media of the kind `diffusion` have. The test world is not looked at.
"""

import argparse
import os
from pathlib import Path

from avem_train.harness.tasks import Tasks
from avem_train.study import arms, program, record
from avem_train.study.candidates import AvereCandidate
from emorealm_results.console.markdown import table
from emorealm_tasks.metrics import GROUP_SCORES
from model_adapters.decoding.contrastive import Contrast
from model_adapters.decoding.diffusion import kept_signal

ROOT = Path(__file__).resolve().parents[2]
NAMES = ("Mean accuracy", "Basic", "Agree.", "Stress", "Spur.", "Hall.")
_GROUP = "emorealm_mini"


def under_noise(step: int) -> Contrast:
    """A contrast of which the noised branch alone is left: (1 + alpha) clean - alpha noised at alpha -1."""
    return Contrast(alpha=-1.0, beta=0.0, step=step)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--place", type=Path, default=Path("data/study"), help="where worlds are built")
    parser.add_argument("--clips", type=int, default=800)
    parser.add_argument("--out", type=Path, default=ROOT / "results/mini/noise")
    given = parser.parse_args()
    os.environ["EMOREALM_MINI"] = str(program.built(given.place, "validation", given.clips, 0))
    lines = [["base", "step", "signal left", *NAMES]]
    for folder in given.folders:
        tasks = Tasks("avere", [_GROUP])
        candidate = AvereCandidate(pretrained=str(folder), batch_size=32, max_errors=0.0)
        for step in (None, *arms.NOISE_STEPS):
            candidate.runner.contrast = None if step is None else under_noise(step)
            records = tasks.records(candidate)
            assert records is not None  # of the one process
            scores = record.scores(records[_GROUP])["strict"]["group"]
            kept = ["–", "100%"] if step is None else [str(step), f"{kept_signal(step):.0%}"]
            lines.append([folder.name, *kept, *(f"{scores[name]:.1f}" for name in GROUP_SCORES)])
            print(lines[-1], flush=True)
        candidate.end()
    given.out.mkdir(parents=True, exist_ok=True)
    (given.out / "recognised.md").write_text(
        f"# What is recognised under noise, validation world\n\n{table(lines)}\n\n{given.clips} clips, seed 0, greedy, "
        "strict reading; noise on picture and sound. Signal left: share of the features' power. Made by "
        "`python tests/benchmarks/noise.py`.\n",
        encoding="utf-8",
    )


if __name__ == "__main__":
    main()
