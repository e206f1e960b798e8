"""`python two_ranks.py MODULE ARGUMENTS...`: what torchrun would start on two processes, as forks of this one.

The libraries are imported once instead of three times. A SIGTERM goes to both ranks, as torchrun passes it on. The
status is 1 where a rank fails.
"""

import gc
import os
import runpy
import signal
import socket
import sys
from collections.abc import Callable
from typing import NoReturn

import forks
from warm_commands import LIBRARIES, OF_TRAINING

RANKS = 2
FORKS = (__file__,)
"""Arguments of Python in front of a module that shall run so."""
LAUNCH = ("-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", f"{RANKS}", "--num_machines", "1")
LAUNCH += ("--mixed_precision", "no", "--dynamo_backend", "no", "--main_process_port", "0", "-m")
"""The same as processes of their own, each of which imports the libraries."""


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def fork(run: Callable[[], object]) -> NoReturn:
    """Run in RANKS forks of this process, with the variables that torchrun sets; end as it would."""
    gc.freeze()  # a collection in a fork would copy all of it
    port, children = _free_port(), []
    for rank in range(RANKS):
        children.append(os.fork())
        if not children[-1]:
            about = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": RANKS, "LOCAL_WORLD_SIZE": RANKS}
            about |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
            os.environ.update({name: str(value) for name, value in about.items()})
            forks.end_with(run)
    signal.signal(signal.SIGTERM, lambda number, frame: [os.kill(child, number) for child in children])
    statuses = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
    sys.exit(int(any(statuses)))


def _module() -> None:
    sys.argv = sys.argv[1:]
    sys.path[0] = os.getcwd()
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


def main() -> None:
    for name in LIBRARIES if sys.argv[1] == "lmms_eval" else OF_TRAINING:
        __import__(name)
    fork(_module)


if __name__ == "__main__":
    main()
