"""`python sharding_on_cpus.py MODULE ARGUMENTS`: a module's command line, where Accelerate shards models on CPUs, too.

Torch's FSDP2 works on CPUs through gloo; Accelerate turns to it on accelerators alone. A test has no other machine.
"""

import runpy
import sys
from typing import Any

from accelerate import DistributedType
from accelerate.state import AcceleratorState, PartialState

_initialise = AcceleratorState.__init__


def _sharding(state: AcceleratorState, *args: Any, fsdp_plugin: Any = None, **named: Any) -> None:
    """As Accelerate does for GPUs when it is started with a configuration of FSDP."""
    _initialise(state, *args, fsdp_plugin=fsdp_plugin, **named)
    if fsdp_plugin is not None:
        state.fsdp_plugin = fsdp_plugin
        state.distributed_type = PartialState._shared_state["distributed_type"] = DistributedType.FSDP


AcceleratorState.__init__ = _sharding
sys.argv = sys.argv[1:]
runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
