"""How often `emorealm regress` alarms falsely, and which losses it finds: simulated runs at EmoReAlM's size.

    python tests/benchmarks/gate.py --rounds 1000

Two runs answer 456, 972, 1,024, 820 and 728 questions about 2,649 clips (paper, Table 1); which clip a question is
about is drawn at random, once. Each answer is right in both runs with a chance of 70%, and 4% of the answers differ
between them, half of them lost and half of them gained. In half of the clips all differing answers differ to the same
side. Judged are all eight scores: accuracy of five tasks, F1 of three. Writes gate.md to results/performance/.
"""

import argparse
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from emorealm_results.compare import pairs, permutation_tests
from emorealm_results.console.markdown import table
from emorealm_tasks.metrics import TASKS

ROOT = Path(__file__).resolve().parents[2]
SIZES = dict(zip(TASKS, (456, 972, 1024, 820, 728), strict=True))
CLIPS, RIGHT, FLIPS = 2649, 0.7, 0.04
LOSSES = (1, 2, 3, 4, 5)
FOUR = ["(A) Tears", "(B) A smile", "(C) A voice", "(D) A hat"]


def main() -> None:
    """Simulate and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=1000, help="of runs that differ by chance (%(default)s)")
    parser.add_argument("--losing", type=int, default=200, help="rounds for each true loss (%(default)s)")
    parser.add_argument("--resamples", type=int, default=999, help="of the permutation test (%(default)s)")
    parser.add_argument("--out", type=Path, default=ROOT / "results" / "performance" / "gate.md")
    arguments = parser.parse_args()
    random = np.random.default_rng(0)
    clip_of = {task: random.integers(CLIPS, size=n) for task, n in SIZES.items()}
    alarms = sum(bool(found(random, clip_of, {}, arguments.resamples)) for _ in range(arguments.rounds))
    rows = [["task", "questions", *(f"{loss} points" for loss in LOSSES)]]
    for task, n in SIZES.items():
        cells = []
        for loss in LOSSES:
            hits = [found(random, clip_of, {task: loss / 100}, arguments.resamples) for _ in range(arguments.losing)]
            cells.append(f"{100 * np.mean([task in hit for hit in hits]):.0f}%")
        rows.append([task, str(n), *cells])
    text = render(alarms, arguments.rounds, arguments.losing, arguments.resamples, rows)
    arguments.out.write_text(text, encoding="utf-8")
    print(text)


def found(random: np.random.Generator, clip_of: dict[str, Any], losses: dict[str, float], resamples: int) -> set[str]:
    """The tasks that regressed in one pair of simulated runs."""
    tested = [
        test
        for task, clips in clip_of.items()
        for test in permutation_tests.losses(pair(random, task, clips, losses.get(task, 0.0)), "strict", resamples)
    ]
    adjusted = permutation_tests.holm([test.p for test in tested])
    return {test.task for test, p in zip(tested, adjusted, strict=True) if p <= permutation_tests.LEVEL}


def pair(random: np.random.Generator, task: str, clips: Sequence[int], loss: float) -> pairs.Pair:
    """Both runs' answers to a task; ``loss``: the share of the answers that the second run loses besides."""
    n = len(clips)
    together = random.random(CLIPS) < 0.5
    side = np.where(together[clips], random.random(CLIPS)[clips], random.random(n))
    differs = random.random(n) < FLIPS
    lost = (differs & (side < 0.5)) | (random.random(n) < loss)
    gained = differs & ~lost
    right = random.random(n) < RIGHT
    first = np.where(lost, True, np.where(gained, False, right))
    second = np.where(lost, False, np.where(gained, True, right))
    runs = [tuple(record(task, i, int(clips[i]), bool(hit[i])) for i in range(n)) for hit in (first, second)]
    return pairs.Pair(task, pairs.QUESTIONS, "emorealm", "full", task, *runs, (), ())


def record(task: str, number: int, clip: int, right: bool) -> dict[str, Any]:
    """A right or wrong answer; gold letters alternate."""
    gold = "AB"[number % 2]
    choices = FOUR if "basic" in task else ["(A) Yes", "(B) No"]
    return {
        "id": str(number), "clip": str(clip), "task": task, "subtask": "", "gold": gold, "choices": choices,
        "error": "", "strict": gold if right else "AB"[number % 2 == 0], "official": right, "official_lenient": right,
    }  # fmt: skip


def render(alarms: int, rounds: int, losing: int, resamples: int, power: Sequence[Sequence[str]]) -> str:
    """The Markdown page."""
    rate = alarms / rounds
    error = math.sqrt(rate * (1 - rate) / rounds)
    return "\n\n".join([
        "# Error rates of `emorealm regress`, simulated",
        " ".join(__doc__.split("\n\n")[2].split()).removesuffix(" Writes gate.md to results/performance/."),
        f"**False alarms** of runs that differ by chance alone, over all scores together: {100 * rate:.1f}% "
        f"(± {100 * error:.1f}, a standard error) of {rounds} pairs of runs; "
        f"asked for: {100 * permutation_tests.LEVEL:g}% at most.",
        "**Power**: how often a true loss in one task (the other four as before) is found in that task, by accuracy or "
        f"F1; {losing} pairs of runs each, {resamples} resamples of the permutation test.",
        table(power),
        f"Made by `python tests/benchmarks/gate.py --rounds {rounds} --losing {losing}`, seed 0.",
    ]) + "\n"  # fmt: skip


if __name__ == "__main__":
    main()
