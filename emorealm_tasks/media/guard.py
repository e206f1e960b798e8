"""Files that were never read before are decoded in processes of their own: a crash costs one file, never the run.

A worker is this module run as a program: paths come in as JSON strings, one a line; what `examine` found goes out as a
JSON object, one a line.
"""

import dataclasses
import json
import os
import queue
import selectors
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from emorealm_tasks import media

COMMAND = [sys.executable, "-m", __name__]
PATIENCE = 900.0  # seconds after which a file is given up
_MOST = 8  # workers
_ROOT = Path(__file__).resolve().parents[2]


def examine_all(files: Sequence[str], patience: float = PATIENCE) -> dict[str, dict[str, Any]]:
    """What each file holds: the fields of `Examination`, its report's among them, and `unreadable`: why, or ""."""
    waiting: queue.SimpleQueue[str] = queue.SimpleQueue()
    for file in files:
        waiting.put(file)
    outcomes: dict[str, dict[str, Any]] = {}
    threads = [
        threading.Thread(target=_serve, args=(waiting, outcomes, patience), daemon=True)
        for _ in range(min(_MOST, os.cpu_count() or 1, len(files)))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outcomes


def looked_at(file: str) -> dict[str, Any]:
    """As `examine_all`, of one file, in this process."""
    try:
        facts = dataclasses.asdict(media.examine(file))
    except media.MediaError as error:
        return unreadable(str(error))
    return {**facts.pop("report"), **facts, "unreadable": ""}


def unreadable(reason: str) -> dict[str, Any]:
    """What is said of a file of which nothing can be used."""
    return {"unreadable": reason, "video": False, "audio": False, "no_video": "", "no_audio": ""}


class Worker:
    """A process that examines files one by one; it is started again after a crash."""

    def __init__(self) -> None:
        python_path = [str(_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
        self._process = subprocess.Popen(
            COMMAND,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # FFmpeg's own words; what matters comes back as a reason
            env={**os.environ, "PYTHONPATH": os.pathsep.join(python_path)},
            start_new_session=True,  # an interrupt from the keyboard reaches us alone, and we end it
        )
        self._silent = False

    def examine(self, file: str, patience: float) -> dict[str, Any] | None:
        """What `examine_all` says of a file; None after the process ended or was ended over it, see `fate`."""
        questions, answers = self._process.stdin, self._process.stdout
        if questions is None or answers is None:
            return None
        try:
            questions.write(json.dumps(file).encode() + b"\n")
            questions.flush()
        except OSError:
            return None
        with selectors.DefaultSelector() as ready:
            ready.register(answers, selectors.EVENT_READ)
            if not ready.select(patience):
                self._silent = True
                return None
        line = answers.readline()
        if not line.endswith(b"\n"):
            return None
        outcome: dict[str, Any] = json.loads(line)
        return outcome

    def fate(self) -> str:
        """How it came that `examine` returned None."""
        try:
            code = self._process.wait(0 if self._silent else 5)
        except subprocess.TimeoutExpired:
            return "it takes too long to decode"
        what = signal.Signals(-code).name if code < 0 else f"status {code}"
        return f"it crashes the decoder ({what})"

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.communicate()


def _serve(waiting: "queue.SimpleQueue[str]", outcomes: dict[str, dict[str, Any]], patience: float) -> None:
    worker = Worker()
    try:
        while True:
            try:
                file = waiting.get_nowait()
            except queue.Empty:
                return
            answer = worker.examine(file, patience)
            if answer is None:
                answer = unreadable(f"{file}: {worker.fate()}; copy or download it again")
                worker.close()
                worker = Worker()
            outcomes[file] = answer
    finally:
        worker.close()


def _main() -> None:
    answers, sys.stdout = sys.stdout, sys.stderr  # only answers go out
    for line in sys.stdin:
        outcome: Mapping[str, Any] = looked_at(json.loads(line))
        print(json.dumps(outcome), file=answers, flush=True)


if __name__ == "__main__":
    _main()
