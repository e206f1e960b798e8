"""Are the installed libraries ones this package works with? Asked before anything heavy is imported.

pyproject.toml bounds what is known to break, with the reasons; pip keeps those bounds only on the day it installs us. A
library changed since then, or installed by force, would end in a traceback from the depths of lmms-eval or torch.
"""

import functools
import importlib.metadata
from collections.abc import Callable, Iterable

from packaging.requirements import Requirement
from packaging.version import Version

from emorealm_tasks.errors import stop

OURS = "emorealm"


@functools.cache
def check() -> None:
    """End with one line (status 2) when installed libraries are missing or outside our bounds; looks once a process.

    Does nothing where the package runs from its source tree without having been installed: there are no bounds then.
    """
    try:
        requirements = importlib.metadata.requires(OURS) or []
    except importlib.metadata.PackageNotFoundError:
        return
    problems = unsuitable(requirements, installed) or unpaired(installed)
    if problems:
        stop(problems)


def installed(name: str) -> str | None:
    """Version of the distribution `name`; None where it is not installed."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def unsuitable(requirements: Iterable[str], version_of: Callable[[str], str | None]) -> str:
    """Which requirements are not met, with the versions found, and what to type; "" when all are met.

    `requirements` are lines of a distribution's metadata; those of extras, and for other platforms, are left out.
    """
    wrong, remedy = [], []
    for requirement in map(Requirement, requirements):
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
            continue
        version = version_of(requirement.name)
        if version is not None and requirement.specifier.contains(version, prereleases=True):
            continue
        requirement_text = f"{requirement.name}{requirement.specifier}"
        installed_text = "is not installed" if version is None else f"{version} is installed"
        wrong.append(f"{requirement.name} {installed_text}, and {OURS} works with {requirement_text}")
        remedy.append(f"'{requirement_text}'")
    return f"{'; '.join(wrong)}; type: pip install {' '.join(remedy)}" if wrong else ""


def unpaired(version_of: Callable[[str], str | None]) -> str:
    """What is wrong when torch is a build for CPUs alone and torchvision is not, or the reverse; "" when they fit.

    Such a torchvision finds none of its operators ("operator torchvision::nms does not exist").
    """
    torch, vision = version_of("torch"), version_of("torchvision")
    if torch and vision and _is_cpu_build(torch) != _is_cpu_build(vision):
        return (
            f"torch {torch} and torchvision {vision} are of different builds and do not work together; "
            "type: pip install --force-reinstall torch torchvision"
        )
    return ""


def _is_cpu_build(version: str) -> bool:
    return Version(version).local == "cpu"
