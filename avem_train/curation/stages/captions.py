"""Stage 1: picture and sound described apart, so that neither colours the other (Section 3.2, B.1, B.4)."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from avem_train.curation import prompts
from avem_train.curation.asking.asker import Ask, Rejected
from avem_train.curation.asking.requests import Picture, Request, Sound
from avem_train.curation.data.rows import Captioned, Cue, Modality, Model, Row
from avem_train.curation.stages.base import Context, Expected, Outcome, Stage, client
from emorealm_tasks.media import MediaError, probe

_TOKENS_A_FRAME, _TOKENS_OF_SOUND, _TOKENS_OUT = 260, 120, 350


@dataclass(frozen=True)
class Settings:
    """Settings of the stage."""

    picture: str = client()
    """The client that sees; "" = no captions of the picture."""
    sound: str = client()
    """The client that hears; "" = no captions of the sound."""
    frames: int = 8
    """Evenly spaced over the clip (B.4)."""


class FoundCue(Model):
    """A cue, as a model names it."""

    kind: str
    """Face, body, voice, words, nonspeech sound, object, clothes, background, ..."""
    text: str
    """The cue in words."""
    relevant: bool
    """Whether it tells of the person's emotion."""
    start: float | None = None
    """Seconds from the clip's start; None where the model gives none."""
    end: float | None = None
    """Seconds from the clip's start; None where the model gives none."""


class PictureCaption(Model):
    """What a model sees."""

    caption: str
    """What there is, in words."""
    cues: list[FoundCue]
    """The same, each by itself."""


class SoundCaption(PictureCaption):
    """What a model hears."""

    transcript: str = ""
    """What is said, word for word; "" = nothing."""
    language: str = ""
    """ISO 639-1 code of what is said; "" where unknown."""


def each(row: Row, ask: Ask, context: Context) -> Outcome:
    """A clip -> the clip with its captions and cues."""
    settings: Settings = context.settings
    picture = context.file(row, "video") if settings.picture and row["video"] else None
    sound = context.file(row, "audio") if settings.sound else None
    if picture:
        values = {"frames": str(settings.frames), "seconds": _seconds(picture)}
        request = Request(prompts.load("captions_video"), values, PictureCaption, (Picture(picture, settings.frames),))
        seen = ask(settings.picture, request)
    else:
        seen = PictureCaption(caption="", cues=[])
    if sound and _sounds(sound):
        values = {"seconds": _seconds(sound)}
        heard = ask(settings.sound, Request(prompts.load("captions_audio"), values, SoundCaption, (Sound(sound),)))
    else:
        heard = SoundCaption(caption="", cues=[])
    if not (seen.caption or heard.caption):
        raise Rejected("nothing to describe", "the clip has neither a picture nor a sound that is to be described")
    more: dict[str, Any] = {
        "caption_video": seen.caption,
        "caption_audio": heard.caption,
        "transcript": heard.transcript or row["subtitle"],
        "language": heard.language,
        "cues": [*_cues("video", seen), *_cues("audio", heard)],
    }
    return Outcome([row | more])


def _cues(modality: Modality, caption: PictureCaption) -> list[Row]:
    return [Cue(modality=modality, **cue.model_dump()).model_dump() for cue in caption.cues]


def _probe(path: Path) -> Any:
    try:
        return probe(path)
    except MediaError as error:
        raise Rejected("unreadable clip", str(error)) from None


def _seconds(path: Path) -> str:
    return f"{_probe(path).seconds:.1f}"


def _sounds(path: Path) -> bool:
    return bool(_probe(path).has_audio)


def _expected(settings: Settings) -> list[Expected]:
    seen = Expected(settings.picture, 300 + _TOKENS_A_FRAME * settings.frames, _TOKENS_OUT)
    heard = Expected(settings.sound, 300 + _TOKENS_OF_SOUND, _TOKENS_OUT)
    return [one for one in (seen, heard) if one.client]


CAPTIONS = Stage(
    "captions",
    "",
    Captioned,
    Settings,
    each,
    prompts=("captions_video", "captions_audio"),
    expected=_expected,
    reads_clips=True,
)
