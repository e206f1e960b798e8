"""What of a run may be published: the model's replies always, a benchmark's own texts where its licence allows it."""

import re
from collections.abc import Mapping
from typing import Any

from emorealm_tasks.untrusted import without_secrets

TERMS = {
    "emorealm": "see its page, `chaubeyG/EmoReAlM` on the hub",
    "dfew": "its own, on request",
    "ravdess": "CC BY-NC-SA 4.0",
    "mer2023": "CC BY-NC 4.0, on request",
    "emer": "CC BY-NC 4.0, on request",
}
"""Benchmark -> its licence, as docs/licences.md has it."""
WITHHELD = ("clip", "given_clip", "question", "choices", "gold", "reference")
"""Columns of a sample that are the benchmark's; they are published of the embedded world alone, which is Apache-2.0."""
_FOLDERS = re.compile(r"(?<![\w/:.])~?/(?:[^\s,;'\"/]+/)+")
_KEY = re.compile(r"(\w*(?:key|token|secret|password)\s*[=:]\s*)[^\s,;]+", re.IGNORECASE)


def without_places(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of either table whose texts name no folder of this machine."""
    texts = {name: row.get(name) for name in ("run", "checkpoint", "error")}
    return {**row, **{name: anonymous(text) for name, text in texts.items() if isinstance(text, str)}}


def publishable(sample: Mapping[str, Any]) -> dict[str, Any]:
    """A row of samples as others may have it: without the texts of a licensed benchmark, and without local paths.

    Who has the benchmark joins them again by benchmark, task and id.
    """
    withheld = {} if sample["mini"] else dict.fromkeys(WITHHELD)
    return {**without_places(sample), **withheld}


def anonymous(text: str) -> str:
    """The text without the folders that lead to a file of this machine, and without keys and passwords."""
    return _FOLDERS.sub("", _KEY.sub(r"\1***", without_secrets(text)))
