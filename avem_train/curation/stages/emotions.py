"""Stage 2: the label guessed from each caption alone; clips that neither caption explains are dropped (Fig. 3, B.1)."""

from dataclasses import dataclass

from avem_train.curation import prompts
from avem_train.curation.asking.asker import Ask
from avem_train.curation.asking.narrowing import narrowed
from avem_train.curation.asking.requests import Request
from avem_train.curation.data.rows import Guessed, Modality, Model, Row
from avem_train.curation.stages.base import Context, Dropped, Expected, Outcome, Stage, client

INSUFFICIENT = "not sufficient"
_SENSED: dict[Modality, str] = {"video": "saw", "audio": "heard"}


@dataclass(frozen=True)
class Settings:
    """Settings of the stage."""

    client: str = client()
    """The client that guesses."""


class EmotionGuess(Model):
    """The emotion that a caption tells of."""

    emotion: str
    """One of the recipe's, or INSUFFICIENT."""


def each(row: Row, ask: Ask, context: Context) -> Outcome:
    """A described clip -> the clip with its label guessed from each caption, where one of them gives the label."""
    if row["emotion"] not in context.emotions:
        reason = f"{row['emotion']!r} is none of the recipe's emotions: {', '.join(context.emotions)}"
        return Outcome(dropped=[Dropped(row["id"], "unknown label", reason, row)])
    guesses: dict[Modality, str] = {medium: _guess(row, medium, ask, context) for medium in _SENSED}
    explained_by = [medium for medium, guess in guesses.items() if guess == row["emotion"]]
    if explained_by:
        more = {f"guess_{medium}": guess for medium, guess in guesses.items()}
        return Outcome([row | more | {"explained_by": explained_by}])
    told = " and ".join(f"{guess or INSUFFICIENT} from the {medium}" for medium, guess in guesses.items())
    reason = f"the label is {row['emotion']}, guessed: {told}"
    return Outcome(dropped=[Dropped(row["id"], "not explained", reason, row)])


def _guess(row: Row, medium: Modality, ask: Ask, context: Context) -> str:
    """One of the recipe's emotions; "" where the caption is empty or not sufficient."""
    caption = row[f"caption_{medium}"]
    if not caption.strip():
        return ""
    values = {
        "sensed": _SENSED[medium],
        "caption": caption,
        "emotions": ", ".join(context.emotions),
        "insufficient": INSUFFICIENT,
    }
    form = narrowed(EmotionGuess, "emotion", (*context.emotions, INSUFFICIENT))
    reply = ask(context.settings.client, Request(prompts.load("emotion_from_caption"), values, form))
    return "" if reply.emotion == INSUFFICIENT else reply.emotion


def _expected(settings: Settings) -> list[Expected]:
    return [Expected(settings.client, 250, 15, count=2)]


EMOTIONS = Stage("emotions", "captions", Guessed, Settings, each, prompts=("emotion_from_caption",), expected=_expected)
