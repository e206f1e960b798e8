"""The cues that responses about a clip are made of and held against."""

from avem_train.curation.asking.asker import Rejected
from avem_train.curation.checks.likeness import alike
from avem_train.curation.data.rows import Row

NOTHING = "- (nothing was named)"


def relevant(row: Row, modality: str = "") -> list[str]:
    """What tells of the emotion: in one modality, or anywhere."""
    return _texts(row, modality, True)


def irrelevant(row: Row, modality: str = "") -> list[str]:
    """What is there and tells nothing of the emotion: in one modality, or anywhere."""
    telling = relevant(row)
    return [cue for cue in _texts(row, modality, False) if not any(alike(cue, other) for other in telling)]


def offered(row: Row) -> list[str]:
    """Irrelevant cues of what the row is about, else of the clip. Raises Rejected for none at all."""
    found = irrelevant(row, row["modality"]) or irrelevant(row)
    if not found:
        raise Rejected("no irrelevant cue", "nothing is in the clip that tells nothing of the emotion")
    return found


def listed(found: list[str]) -> str:
    """Cues as lines of a prompt."""
    return "\n".join(f"- {cue}" for cue in found) or NOTHING


def _texts(row: Row, modality: str, telling: bool) -> list[str]:
    within = (modality,) if modality in ("video", "audio") else ("video", "audio")
    found = [one["text"].strip() for one in row["cues"] if one["modality"] in within and one["relevant"] == telling]
    return list(dict.fromkeys(filter(None, found)))
