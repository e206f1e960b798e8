"""Where the seconds go from the command to the first answer: `lmms-eval --tasks emorealm_mini --model avere`.

    python tests/benchmarks/start.py --repeats 5

A process of its own a round, files warm. Of each round: the seconds that each step of lmms-eval takes, and how many of
them are spent in code of ours (importing it, the look at the clips, weights, rows). The embedded benchmark must be
built (`emorealm-mini build --if-missing`). Writes start.json and start.md to results/performance/.
"""

import argparse
import json
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from functools import wraps
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ARGUMENTS = ["--tasks", "emorealm_mini", "--model", "avere", "--limit", "1", "--batch_size", "32"]
STEPS = {
    "torch": "import torch",
    "transformers": "import transformers",
    "lmms_eval": "import lmms-eval, and what it imports (scikit-learn, SciPy, pandas, ...)",
    "ours": "import our adapter and the parts of transformers it needs",
    "index": "lmms-eval indexes the tasks: ours alone, as ours alone are named",
    "check": "ours: every clip of the tasks looked at",
    "weights": "ours: the embedded model is loaded",
    "rows": "lmms-eval builds the tasks; ours: their rows",
    "first answer": "ours: decoding, encoding, the first batch",
}
OURS = ("ours", "check", "weights", "rows", "first answer")


def main() -> None:
    """Time the rounds and write the record; with --round, be one of them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--out", type=Path, default=ROOT / "results" / "performance")
    parser.add_argument("--round", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    if arguments.round:
        one_round()
        return
    rounds = [measure() for _ in range(arguments.repeats + 1)][1:]  # the first warms the files
    record = {
        "command": f"lmms-eval {' '.join(ARGUMENTS)}",
        "machine": platform.machine(),
        "versions": {name: version(name) for name in ("torch", "transformers", "lmms-eval")},
        "rounds": rounds,
    }
    (arguments.out / "start.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    (arguments.out / "start.md").write_text(render(record), encoding="utf-8")
    print(render(record))


def measure() -> dict[str, float]:
    """Seconds of each step of one round, in a process of its own."""
    line = [sys.executable, __file__, "--round"]
    done = subprocess.run(line, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def one_round() -> None:
    """Go through the command and print the seconds of its steps as JSON, the last line."""
    seconds, started = {}, time.perf_counter()

    def lap(step: str) -> None:
        nonlocal started
        seconds[step] = seconds.get(step, 0.0) + time.perf_counter() - started
        started = time.perf_counter()

    import torch  # noqa: F401

    lap("torch")
    import transformers  # noqa: F401

    lap("transformers")
    import lmms_eval.__main__ as harness

    lap("lmms_eval")
    from model_adapters.avere.adapter import AvereChat

    lap("ours")
    from lmms_eval import evaluator
    from lmms_eval.tasks import TaskManager

    def timed(step: str, function: Callable) -> Callable:
        @wraps(function)
        def wrapped(*args: object, **kwargs: object) -> object:
            lap("index")  # what lies between the steps is lmms-eval's
            found = function(*args, **kwargs)
            lap(step)
            return found

        return wrapped

    TaskManager.match_tasks = timed("check", TaskManager.match_tasks)
    AvereChat.__init__ = timed("weights", AvereChat.__init__)
    evaluator.get_task_dict = timed("rows", evaluator.get_task_dict)
    AvereChat.generate_until = timed("first answer", AvereChat.generate_until)
    sys.argv = ["lmms-eval", *ARGUMENTS]
    harness.cli_evaluate()
    print(json.dumps(seconds))


def render(record: dict) -> str:
    """The record as Markdown: medians over the rounds."""
    medians = {step: statistics.median(each[step] for each in record["rounds"]) for step in STEPS}
    total = sum(medians.values())
    rows = [f"| {what} | {medians[step]:.2f} | {medians[step] / total:.0%} |" for step, what in STEPS.items()]
    ours = sum(medians[step] for step in OURS)
    versions = ", ".join(f"{name} {number}" for name, number in record["versions"].items())
    return "\n".join(
        [
            "# From the command to the first answer",
            "",
            f"`{record['command']}` on {record['machine']} ({versions}); medians of {len(record['rounds'])} rounds,",
            "files warm. Made by `python tests/benchmarks/start.py`.",
            "",
            "| step | seconds | share |",
            "| --- | --- | --- |",
            *rows,
            f"| all | {total:.2f} | |",
            f"| of it ours | {ours:.2f} | {ours / total:.0%} |",
            "",
        ]
    )


if __name__ == "__main__":
    main()
