"""The families that can be trained, for tests that hold for all of them: whoever adds one gets these tests."""

from importlib import import_module
from typing import Any

from avem_train.backbones.chatml import ChatMLBackbone
from avem_train.backbones.families import FAMILIES
from model_adapters import catalogue


def named(path: str) -> Any:
    """The class of an import path."""
    module, _, name = path.rpartition(".")
    return getattr(import_module(module), name)


BY_ADAPTER = {family.adapter: family for family in FAMILIES}
"""By their name in the harness."""
CHATML = [name for name, family in BY_ADAPTER.items() if issubclass(named(family.backbone), ChatMLBackbone)]
"""Those of `chatml`."""


def adapter_class(name: str) -> Any:
    """The harness's class."""
    return named(catalogue.find(name).chat_class)


def of_media(name: str, sources: tuple[Any, ...]) -> tuple[Any, ...]:
    """Those of the sources that a family takes."""
    return tuple(source for source in sources if source.kind in BY_ADAPTER[name].media)
