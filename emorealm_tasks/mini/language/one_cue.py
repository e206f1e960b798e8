"""Rejected clips that differ from a preference record's own in one cue: the one that its chosen answer depends on.

A drawn clip of another emotion differs in everything, and telling it apart takes no look at the cue. Where the chosen
answer names a cue that is there, the rejected clip lacks it; where it says that a cue is not there, or is there without
mattering, the rejected clip has it, or the person reacts to it. Under it one of the rejected answers can be right.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from emorealm_tasks.mini.language import questions, wording
from emorealm_tasks.mini.world import edits
from emorealm_tasks.mini.world.sampling import Clip


def counterpart(clip: Clip, row: Mapping[str, Any]) -> tuple[Clip, str] | None:
    """The clip with one cue more or less, and which rejected answer is right there ("" = none).

    row: a record about the clip. None where its form names no cue that decides it (agreement, descriptions).
    """
    modality: str = row["modality"]
    if row["form"] in ("claim", "letters_basic"):
        claim = row["chosen"] if row["form"] == "claim" else _option(row["prompt"], row["chosen"])
        return edits.without(clip, wording.cue_in(claim, modality)), ""
    if row["form"] not in ("verdict", "letters_stress"):
        return None
    cue = wording.cue_in(row["prompt"], modality)
    kind = questions.subtask(clip, modality, cue)
    if kind == "no_hallucination":
        return edits.without(clip, cue), "emotion_relevant"
    if kind == "hallucination":
        return edits.added(clip, cue), "emotion_relevant"
    reacting = replace(clip, looks_at=cue) if modality == "video" else replace(clip, reacts_to=cue)
    return reacting, "video_relevant"


def _option(prompt: str, letter: str) -> str:
    """The text of an option."""
    found = re.search(rf"\({letter}\) (.*?)(?= \([A-Z]\) |$)", prompt)
    return found[1] if found else ""


def counterparts(
    clips: Sequence[Clip], rows: Sequence[Mapping[str, Any]], each: int
) -> Iterator[tuple[int, Clip, str]]:
    """Number of the record, clip and right answer of every record that has a counterpart. each: records a clip."""
    for number, row in enumerate(rows):
        if found := counterpart(clips[number // each], row):
            yield number, *found


def rejecting(row: Mapping[str, Any], video: str, right: str) -> dict[str, Any]:
    """The record with that rejected clip."""
    return {**row, f"rejected_{row['modality']}": video} | ({"right_under_rejected": right} if right else {})
