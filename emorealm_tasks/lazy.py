"""Packages that load a module when a name of it is first used: what needs no torch, say, then starts without it."""

import sys
from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from typing import Any


def names(package: str, of_modules: Mapping[str, Iterable[str]]) -> Callable[[str], Any]:
    """What a package's `__getattr__` is to be (PEP 562). of_modules: its modules' own names -> their public names.

    The function raises AttributeError for any other name.
    """
    module_of = {name: module for module, public in of_modules.items() for name in public}

    def get(name: str) -> Any:
        if name not in module_of:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = getattr(import_module(f"{package}.{module_of[name]}"), name)
        setattr(sys.modules[package], name, value)
        return value

    return get
