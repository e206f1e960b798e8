"""Ends a fork of a process that has imported much as a process of its own ends, without the interpreter's teardown.

Teardown visits every object that the parent loaded, and so copies all its memory: 1.7 seconds of processor time a fork.
"""

import atexit
import os
import signal
import sys
import threading
from collections.abc import Callable
from typing import NoReturn


def end_with(run: Callable[[], object]) -> NoReturn:
    """Run, and leave with the status that the interpreter would leave with; threads and exit handlers end first."""
    try:
        run()
        status = 0
    except SystemExit as stopped:
        status = _said(stopped.code)
    except BaseException as error:
        sys.excepthook(type(error), error, error.__traceback__)
        status = -signal.SIGINT if isinstance(error, KeyboardInterrupt) else 1
    threading._shutdown()  # waits for threads, and lets executors end theirs
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    if status < 0:
        signal.signal(-status, signal.SIG_DFL)
        os.kill(os.getpid(), -status)
    os._exit(status)


def _said(code: object) -> int:
    """The status of a SystemExit; a text is printed."""
    if code is None or isinstance(code, int):
        return int(code or 0) & 0xFF
    print(code, file=sys.stderr)
    return 1
