"""Stage 5b: chosen and rejected responses to every question and description (Sections 4.1, 4.3, C.2, Table 12).

A rejected response explains the emotion by something that is there and does not explain it (`video_relevant`), or by a
cue of the emotion that is not there (`emotion_relevant`). A model writes variations of the right answer. Each is held
against the clip's cues, and a row of which one fails a check is dropped.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from avem_train.curation.asking.asker import Ask
from avem_train.curation.checks import matches
from avem_train.curation.data.rows import PreferenceRow, Row, prompted
from avem_train.curation.preferences import checks, lettered, written
from avem_train.curation.questions import clip
from avem_train.curation.stages import base
from avem_train.curation.stages.base import Context, Expected, Outcome, Stage


@dataclass(frozen=True)
class Settings:
    """Settings of the stage."""

    client: str = base.client()
    """The client that writes variations."""
    checker: str = base.client()
    """The client that compares their cues with the clip's, in whatever words; "" = `client`."""
    letters: float = 0.4
    """Share of the questions answered by letter, without a client: formats that training never sees decay."""
    irrelevant: bool = False
    """Also a response that has nothing to do with the clip (Table 18)."""
    length_factor: float = 2.0
    """A rejected response that is so many times longer or shorter than the chosen one, in words, is dropped."""

    def __post_init__(self) -> None:
        if not 0 <= self.letters <= 1:
            raise ValueError(f"letters must be between 0 and 1, got {self.letters}")
        if self.length_factor < 1:
            raise ValueError(f"length_factor must be at least 1, got {self.length_factor}")

    @property
    def compares(self) -> str:
        """The client that compares."""
        return self.checker or self.client


_WRITTEN = ("responses differ", "lengths alike", "cues by their words", clip.BY_MEANING)
_LETTERED = ("options of each kind",)


def each(row: Row, ask: Ask, context: Context) -> Outcome:
    """A question or a description -> a preference."""
    settings: Settings = context.settings
    if row["is_a"] == "question" and lettered.by_letter(row, settings.letters, context.seed):
        rejected = lettered.rejected(row)
        if not settings.irrelevant:
            del rejected["irrelevant"]
        form = f"{row['task']}_letters"
        return Outcome([_preference(row, form, lettered.prompt(row), lettered.right(row), rejected, _LETTERED)])
    chosen, rejected = _written(row, ask, settings)
    form, prompt = (row["task"], row["question"]) if row["is_a"] == "question" else ("description", row["prompt"])
    return Outcome([_preference(row, form, prompt, chosen, rejected, _WRITTEN)])


def _written(row: Row, ask: Ask, settings: Settings) -> tuple[str, dict[str, str]]:
    """The chosen response, and the rejected ones by kind. Raises Rejected where they fail a check."""
    chosen, variations = written.answers(row, ask, settings.client)
    if settings.irrelevant:
        variations["irrelevant"] = written.irrelevant(row, chosen, ask, settings.client)
    rejected = {kind: variation.text.strip() for kind, variation in variations.items()}
    checks.check_texts(chosen, rejected, settings.length_factor)
    named = [variation.cue for variation in variations.values()]
    found = matches.matched(named, row["cues"], ask, settings.compares)
    checks.check_matches(dict(zip(variations, found, strict=True)))
    return chosen, rejected


def _preference(row: Row, form: str, prompt: str, chosen: str, rejected: dict[str, str], passed: Sequence[str]) -> Row:
    """passed: the checks of this stage; those of the question or description come before them."""
    return {
        **prompted(row, form, prompt),
        "chosen": chosen,
        **{f"rejected_{kind}": text for kind, text in rejected.items()},
        "checks": [*row["checks"], *passed],
    }


def _expected(settings: Settings) -> list[Expected]:
    """As if descriptions were a quarter of the rows."""
    share = 0.25 + 0.75 * (1 - settings.letters)
    requests = [
        Expected(settings.client, 700, 160, count=share),
        Expected(settings.compares, 320, 20, count=share),
    ]
    return [*requests, Expected(settings.client, 350, 60, count=share)] if settings.irrelevant else requests


PREFERENCES = Stage(
    "preferences",
    ("filter", "descriptions"),
    PreferenceRow,
    Settings,
    each,
    prompts=(*written.PROMPTS, matches.PROMPT),
    expected=_expected,
    version=2,
)
