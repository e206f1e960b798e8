"""`python launch_by_forks.py ARGUMENTS`: as `accelerate launch ARGUMENTS` of a script, whose two ranks are forks."""

import runpy
import sys
from argparse import Namespace

import torch.distributed.run
from accelerate.commands import launch

import two_ranks


def _fork(args: Namespace) -> None:
    """In place of torchrun, which would start two interpreters."""
    sys.argv = [args.training_script, *args.training_script_args]
    two_ranks.fork(lambda: runpy.run_path(args.training_script, run_name="__main__"))


if __name__ == "__main__":
    torch.distributed.run.run = _fork
    launch.main()
