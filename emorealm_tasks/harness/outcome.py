"""How a run under plain lmms-eval ends: with a status that says whether it worked, and results in files of their own.

lmms-eval logs an exception of a run, or a file that it cannot write, and ends with status 0; it names the files of a
run by the second in which the run began. Here runs that concern us end in one line and status 2, and the names of
results are claimed. `emorealm eval` sees to the status itself (`leave_status`), and tells of every evaluation.
"""

import contextlib
import datetime
import functools
import os
import sys
import traceback
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from emorealm_tasks.errors import fail_at_end, stop
from emorealm_tasks.interruption import after_evaluation, interruptible
from emorealm_tasks.untrusted import Unreadable, brief, parse_json, read_bytes, typed

_TIME = "%Y%m%d_%H%M%S"  # in lmms-eval's names of files
REMEDY = "is there room, and may this user write there?"
_status_is_ours = True


def leave_status() -> None:
    """Let exceptions pass, and files be looked at by the caller."""
    global _status_is_ours
    _status_is_ours = False


def guarded(evaluate: Callable[..., Any], concerns: Callable[[Any, Iterable[Any]], bool]) -> Callable[..., Any]:
    """lmms-eval's `simple_evaluate`: for its command line an exception is one line and status 2, not a log and 0.

    concerns: whether a run of this model (its name) on these tasks concerns us.
    """

    @functools.wraps(evaluate)
    def simple_evaluate(*args: Any, **kwargs: Any) -> Any:
        """lmms-eval's results, or the end of the process."""
        cli = kwargs.get("cli_args")  # None: called from a program, which sees exceptions and signals
        stays = cli is None or not concerns(kwargs.get("model"), kwargs.get("tasks") or ())
        try:
            with contextlib.nullcontext() if stays else interruptible(after_evaluation(sys.argv)):
                return evaluate(*args, **kwargs)
        except Exception as error:
            if cli is None or stays or not _status_is_ours or cli.verbosity == "DEBUG":
                raise
            last = traceback.extract_tb(error.__traceback__)[-1]
            stop(
                f"the run failed: {type(error).__name__}: {brief(error)} ({Path(last.filename).name}:{last.lineno}); "
                "--verbosity=DEBUG shows where"
            )

    simple_evaluate.knows_emorealm = True  # type: ignore[attr-defined]  # a mark on the replaced function
    return simple_evaluate


def claimed(output_path: str | None, model: str, date: str) -> str:
    """The time that names a run's files: `date`, or the first second after it that names no other run's.

    Its results file is made, empty, so that it is nobody else's; lmms-eval writes over it.
    """
    if not output_path:
        return date
    folder = Path(output_path, model)
    with contextlib.suppress(OSError):  # lmms-eval cannot write there either, which `tell_unwritten` tells
        folder.mkdir(parents=True, exist_ok=True)
        while not _make(folder / f"{date.replace(':', '-')}_results.json"):
            later = datetime.datetime.strptime(date, _TIME) + datetime.timedelta(seconds=1)
            date = later.strftime(_TIME)
    return date


def _make(file: Path) -> bool:
    """Make an empty file; False where there is one of that name. Raises OSError."""
    try:
        os.close(os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
    except FileExistsError:
        return False
    return True


def release(tracker: Any) -> None:
    """Remove a claimed file that nothing was written to: it would pass for a damaged run."""
    if tracker.output_path:
        file = place(tracker, "results.json")
        with contextlib.suppress(OSError):
            if not file.stat().st_size:
                file.unlink()


def tell_unwritten(tracker: Any, results: Mapping[str, Any]) -> None:
    """End with status 2, once everything else is saved, where the results are not on disk."""
    if tracker.output_path and _status_is_ours:
        file = place(tracker, "results.json")
        try:
            written = read_results(file)
        except Unreadable:
            written = {}
        if not results.keys() <= written.keys():
            fail_at_end(f"{file}: the results could not be written; {REMEDY}")


def read_results(file: Path) -> dict[str, Any]:
    """Task -> its results in a results file. Raises Unreadable."""
    results: dict[str, Any] = typed(typed(parse_json(read_bytes(file)), dict).get("results"), dict)
    return results


def tell_unsaved(tracker: Any, task: str, samples: int) -> None:
    """End with status 2, once everything else is saved, where not all samples of a task are on disk."""
    if tracker.output_path and _status_is_ours:
        file = place(tracker, f"samples_{task}.jsonl")
        try:
            written = file.read_bytes().count(b"\n")
        except OSError:
            written = 0
        if written != samples:
            fail_at_end(f"{file}: {written} of {samples} answers could be saved; {REMEDY}")


def place(tracker: Any, name: str) -> Path:
    """Where a run's file is: the time of the run is part of its name, so an earlier run's is another file."""
    folder = Path(tracker.output_path, tracker.general_config_tracker.model_name_sanitized)
    return folder / f"{getattr(tracker, 'date_id', '(no time)')}_{name}"
