"""What questions need of a described clip: its cues, what is there, and the row of a question about it."""

from collections.abc import Sequence
from typing import Any

from avem_train.curation.asking.asker import Rejected
from avem_train.curation.checks.likeness import alike, holds
from avem_train.curation.data.draws import shuffled
from avem_train.curation.data.rows import Clip, Modality, Role, Row

MEDIA: tuple[Modality, ...] = ("video", "audio")
Option = tuple[Role, str]
YES_NO: tuple[Option, ...] = (("yes", "Yes"), ("no", "No"))
BY_MEANING = "cues by their meaning"
"""The check that a model makes (`checks.matches`)."""


def relevant_cues(row: Row, modality: Modality) -> list[str]:
    """What tells of the emotion in one modality. Raises Rejected where nothing does."""
    found = _cues(row, modality, relevant=True)
    if not found:
        raise Rejected("no relevant cue", f"no cue of the {modality} is said to tell of the emotion")
    return found


def irrelevant_cues(row: Row, modality: Modality) -> list[str]:
    """What is there and tells nothing. Raises Rejected where all that is there tells of the emotion."""
    telling = _cues(row, modality, relevant=True)
    found = [cue for cue in _cues(row, modality, relevant=False) if not any(alike(cue, other) for other in telling)]
    if not found:
        raise Rejected("no irrelevant cue", f"no cue of the {modality} is there without telling of the emotion")
    return found


def present(row: Row, cue: str) -> str:
    """Where the captions say that a cue is there: the cue or caption, in words; "" where none does."""
    for other in row["cues"]:
        if alike(cue, other["text"]):
            return f"the cue {other['text']!r} of the {other['modality']}"
    found = [medium for medium in MEDIA if holds(row[f"caption_{medium}"], cue)]
    return f"the caption of the {found[0]}" if found else ""


def name(row: Row, task: str, number: int) -> str:
    """A question's id."""
    return f"{row['id']}_{task}_{number}"


def question(
    row: Row, task: str, number: int, text: str, options: Sequence[Option], right: Role, seed: int, **more: Any
) -> Row:
    """The row of a question, its options in an order drawn from seed and id. more: further fields of the row."""
    identity = name(row, task, number)
    order = shuffled(options, seed, identity)
    roles = [role for role, _ in order]
    return {
        **{field: row[field] for field in Clip.model_fields},
        "id": identity,
        "clip": row["id"],
        "task": task,
        "question": text,
        "choices": [choice for _, choice in order],
        "roles": roles,
        "answer": roles.index(right),
        "caption_video": row["caption_video"],
        "caption_audio": row["caption_audio"],
        "cues": row["cues"],
        **more,
    }


def _cues(row: Row, modality: Modality, relevant: bool) -> list[str]:
    found = [cue["text"].strip() for cue in row["cues"] if (cue["modality"], cue["relevant"]) == (modality, relevant)]
    return list(dict.fromkeys(filter(None, found)))
