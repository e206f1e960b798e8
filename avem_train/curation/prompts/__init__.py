"""The prompts of the stages: one text file each, with a version; written for this package.

A file's first line is `version: N`; `$name` is filled in. The version is raised whenever a text changes, which a test
holds against the hashes of released versions.
"""

import hashlib
import string
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources


@dataclass(frozen=True)
class Prompt:
    """A prompt's template."""

    name: str
    """Name of its file, without ending."""
    version: int
    """Raised with every change of the template."""
    template: str
    """Its text, with `$name` where values are filled in."""

    @property
    def hash(self) -> str:
        """Eight hexadecimal digits of the template."""
        return hashlib.sha256(self.template.encode()).hexdigest()[:8]

    def __str__(self) -> str:
        """As rows name it: `captions_picture/1/0f3a9c2e`."""
        return f"{self.name}/{self.version}/{self.hash}"

    def filled(self, values: Mapping[str, str]) -> str:
        """The text with its names filled in. Raises KeyError for a name that has no value."""
        return string.Template(self.template).substitute(values)


@cache
def load(name: str) -> Prompt:
    """The prompt of that name. Raises FileNotFoundError."""
    text = resources.files(__package__).joinpath(f"{name}.txt").read_text(encoding="utf-8")
    version, _, template = text.partition("\n")
    return Prompt(name, int(version.removeprefix("version:")), template.strip())


def names() -> list[str]:
    """The prompts there are."""
    folder = resources.files(__package__)
    return sorted(path.name.removesuffix(".txt") for path in folder.iterdir() if path.name.endswith(".txt"))
