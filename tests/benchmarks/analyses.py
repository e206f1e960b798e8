"""Seconds and memory of every analysis of the embedded benchmark, at a number of questions and at four times as many.

    OMP_NUM_THREADS=1 python tests/benchmarks/analyses.py --limit 5

Each is a command of its own with a cache of its own, as someone types it: `emorealm analyse KIND --model avere`. Peak
memory is that of the process (resident set), seconds are processor time of it and its children. The embedded benchmark
must be built (`emorealm-mini build --if-missing`). Writes analyses.json and analyses.md to results/performance/. What
is measured already stays, so that a run that was stopped goes on.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from emorealm_results.analyses.kinds import KINDS
from emorealm_tasks.markdown import table
from emorealm_tasks.settings import load

ROOT = Path(__file__).resolve().parents[2]
TIMES = 4


def main() -> None:
    """Measure what is missing, and write the record after each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--limit", type=int, default=5, help="questions a task, and TIMES as many")
    parser.add_argument("--out", type=Path, default=ROOT / "results" / "performance")
    parser.add_argument("kinds", nargs="*", default=list(KINDS), help="which analyses")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    path = arguments.out / "analyses.json"
    record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    for kind in arguments.kinds:
        for limit in (arguments.limit, TIMES * arguments.limit):
            if f"{kind} {limit}" not in record:
                record[f"{kind} {limit}"] = measure(kind, limit)
                path.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
                (arguments.out / "analyses.md").write_text(render(record), encoding="utf-8")
    print(render(record))


def measure(kind: str, limit: int) -> dict[str, Any]:
    """One command: kind, limit, questions, processor seconds, seconds on the clock, and peak memory in MiB."""
    with TemporaryDirectory() as folder:
        out = Path(folder) / "out"
        world = {"EMOREALM_MINI": str(load().mini), "EMOREALM_CACHE": str(Path(folder) / "cache")}
        command = [sys.executable, "-m", "emorealm_results.cli", "analyse", kind, "--model", "avere"]
        started = time.monotonic()
        process = subprocess.Popen([*command, "--limit", str(limit), "--out", str(out)], env=os.environ | world)
        _, status, used = os.wait4(process.pid, 0)
        seconds = time.monotonic() - started
        if status:
            sys.exit(f"{kind}: ended with status {os.waitstatus_to_exitcode(status)}")
        questions = json.loads((out / "report.json").read_text(encoding="utf-8"))["questions"]
    return {
        "kind": kind, "limit": limit, "questions": questions, "processor": round(used.ru_utime + used.ru_stime, 1),
        "clock": round(seconds, 1), "mib": round(used.ru_maxrss / 1024),
    }  # fmt: skip


def render(record: dict[str, Any]) -> str:
    """The table: a line an analysis, at each number of questions."""
    size = ["questions", "processor s", "peak MiB"]
    lines = [["analysis", *size, *size, "memory grows by"]]
    for kind in dict.fromkeys(one["kind"] for one in record.values()):
        few, *many = sorted((one for one in record.values() if one["kind"] == kind), key=lambda one: one["limit"])
        for more in many:
            cells = [str(one[name]) for one in (few, more) for name in ("questions", "processor", "mib")]
            lines.append([kind, *cells, f"{100 * (more['mib'] / few['mib'] - 1):+.1f}%"])
    return (
        "# Seconds and memory of the analyses\n\n"
        "`emorealm analyse KIND --model avere` (avere-nano, one thread on a CPU) on the embedded benchmark, from an "
        "empty cache; processor time and peak resident memory of the whole command, its start included. Made by "
        "`python tests/benchmarks/analyses.py`.\n\n" + table(lines) + "\n"
    )


if __name__ == "__main__":
    main()
