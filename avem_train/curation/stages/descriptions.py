"""Stage 5a: the emotion and what tells of it, described from both captions and from each alone (C.2, Fig. 36)."""

from collections.abc import Mapping
from dataclasses import dataclass

from avem_train.curation import prompts
from avem_train.curation.asking.asker import Ask, Rejected
from avem_train.curation.asking.requests import Request
from avem_train.curation.checks.leaks import named
from avem_train.curation.data.rows import Clip, Description, Row
from avem_train.curation.preferences.forms import EmotionDescription
from avem_train.curation.stages.base import Context, Dropped, Expected, Outcome, Stage, client
from emorealm_tasks.untrusted import brief

PROMPTS: Mapping[str, str] = {
    "audiovisual": "Describe the emotion of the person in the video in detail.",
    "video": "Describe the emotion that the person in the video shows, going by what is seen.",
    "audio": "Describe the emotion that the person in the video conveys, going by what is heard.",
}
"""What a description is about -> what is asked for it."""
_MEDIA = {"audiovisual": ("video", "audio"), "video": ("video",), "audio": ("audio",)}
_SENSED = {"audiovisual": "what is seen and heard", "video": "what is seen", "audio": "what is heard"}
_HEADS = {"video": "What is seen", "audio": "What is heard"}


@dataclass(frozen=True)
class Settings:
    """Settings of the stage."""

    client: str = client()
    """The client that describes."""
    alone: bool = True
    """Also from each caption alone, beside both."""


def each(row: Row, ask: Ask, context: Context) -> Outcome:
    """A clip whose emotion its captions explain -> descriptions of the emotion."""
    rows: list[Row] = []
    dropped: list[Dropped] = []
    for modality in _described(row, context.settings.alone):
        try:
            rows.append(_description(row, modality, ask, context))
        except Rejected as error:
            dropped.append(Dropped(_name(row, modality), error.kind, str(error), row))
    return Outcome(rows, dropped)


def _described(row: Row, alone: bool) -> list[str]:
    """What of a clip is described: all of it, and each modality whose caption is sufficient for an emotion."""
    captioned = [medium for medium in _HEADS if row[f"caption_{medium}"].strip()]
    if len(captioned) == 1:
        return captioned
    return ["audiovisual", *(medium for medium in captioned if alone and row[f"guess_{medium}"])]


def _name(row: Row, modality: str) -> str:
    return f"{row['id']}_description_{modality}"


def _description(row: Row, modality: str, ask: Ask, context: Context) -> Row:
    emotion = row["emotion"] if modality == "audiovisual" else row[f"guess_{modality}"]
    values = {
        "sensed": _SENSED[modality],
        "emotion": emotion,
        "captions": "\n\n".join(f"{_HEADS[medium]}: {row[f'caption_{medium}']}" for medium in _MEDIA[modality]),
    }
    reply = ask(context.settings.client, Request(prompts.load("descriptions"), values, EmotionDescription))
    description = reply.description.strip()
    if not description:
        raise Rejected("empty text", "the description is empty")
    if not named(description, emotion):
        raise Rejected("emotion not named", f"{emotion} is not named in {brief(description)}")
    return {
        **{field: row[field] for field in Clip.model_fields},
        "id": _name(row, modality),
        "clip": row["id"],
        "emotion": emotion,
        "modality": modality,
        "prompt": PROMPTS[modality],
        "description": description,
        "checks": ["emotion named"],
        "caption_video": row["caption_video"],
        "caption_audio": row["caption_audio"],
        "cues": row["cues"],
    }


def _expected(settings: Settings) -> list[Expected]:
    return [Expected(settings.client, 400, 120, count=2.5 if settings.alone else 1)]


DESCRIPTIONS = Stage(
    "descriptions",
    "emotions",
    Description,
    Settings,
    each,
    prompts=("descriptions",),
    expected=_expected,
    yields=2.5,
    version=2,
)
