"""`python two_ranks.py ARGUMENTS`: `accelerate launch ARGUMENTS`, with two forks of this process in torchrun's place.

The libraries are imported once instead of three times. A SIGTERM goes to both ranks, as torchrun passes it on. The
status is 1 where a rank fails.
"""

import functools
import gc
import os
import runpy
import signal
import sys
from argparse import Namespace
from pathlib import Path

import forks
from warm_commands import LIBRARIES, OF_TRAINING

RANKS = 2
LAUNCH = Path(__file__).resolve().parents[2] / "avem_train" / "launch"
FORKS = (__file__, "--multi_gpu", "--num_processes", f"{RANKS}", "--num_machines", "1", "--mixed_precision", "no")
FORKS += ("--dynamo_backend", "no", "--main_process_port", "0", "-m")
"""Arguments of Python in front of a module that shall run so."""


def configuration(name: str) -> str:
    """A file of avem_train/launch for 8 GPUs as it is for two CPUs."""
    text = (LAUNCH / f"{name}.yaml").read_text()
    text = text.replace("num_processes: 8", f"num_processes: {RANKS}")
    return text.replace("mixed_precision: bf16", "mixed_precision: 'no'")


def _become(rank: int, args: Namespace) -> None:
    about = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": RANKS, "LOCAL_WORLD_SIZE": RANKS}
    about |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": args.master_port}
    os.environ.update({name: str(value) for name, value in about.items()})
    sys.argv = [args.training_script, *args.training_script_args]
    if args.module:
        sys.path[0] = os.getcwd()
        runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
    else:
        runpy.run_path(sys.argv[0], run_name="__main__")


def _fork(args: Namespace) -> None:
    """What `torch.distributed.run.run` does, of the arguments that Accelerate hands it."""
    gc.freeze()  # a collection in a fork would copy all of it
    children = []
    for rank in range(RANKS):
        children.append(os.fork())
        if not children[-1]:
            forks.end_with(functools.partial(_become, rank, args))
    signal.signal(signal.SIGTERM, lambda number, frame: [os.kill(child, number) for child in children])
    statuses = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
    sys.exit(int(any(statuses)))


def main() -> None:
    for name in LIBRARIES if "lmms_eval" in sys.argv else OF_TRAINING:
        __import__(name)
    import torch.distributed.run
    from accelerate.commands import launch

    torch.distributed.run.run = _fork
    launch.main()


if __name__ == "__main__":
    main()
