"""Stage 5b: chosen and rejected responses to every question and description (Sections 4.1, 4.3, C.2, Table 12).

A rejected response explains the emotion by something that is there and does not explain it (`video_relevant`), or by a
cue of the emotion that is not there (`emotion_relevant`). A model writes variations of the right answer. Each is held
against the clip's cues, and a row of which one fails a check is dropped.
"""

from dataclasses import dataclass

from avem_train.curation.asking.asker import Ask
from avem_train.curation.data.rows import PreferenceRow, Row, prompted
from avem_train.curation.preferences import checks, lettered, written
from avem_train.curation.stages.base import Context, Expected, Outcome, Stage, client


@dataclass(frozen=True)
class Settings:
    """Settings of the stage."""

    client: str = client()
    """The client that writes variations."""
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


def each(row: Row, ask: Ask, context: Context) -> Outcome:
    """A question or a description -> a preference."""
    settings: Settings = context.settings
    if row["is_a"] == "question" and lettered.by_letter(row, settings.letters, context.seed):
        rejected = lettered.rejected(row)
        if not settings.irrelevant:
            del rejected["irrelevant"]
        form = f"{row['task']}_letters"
        return Outcome([_preference(row, form, lettered.prompt(row), lettered.right(row), rejected)])
    chosen, rejected = written.answers(row, ask, settings.client)
    if settings.irrelevant:
        rejected["irrelevant"] = written.irrelevant(row, chosen, ask, settings.client)
    checks.check_texts(chosen, rejected, settings.length_factor)
    if row["is_a"] == "description":
        return Outcome([_preference(row, "description", row["prompt"], chosen, rejected)])
    return Outcome([_preference(row, row["task"], row["question"], chosen, rejected)])


def _preference(row: Row, form: str, prompt: str, chosen: str, rejected: dict[str, str]) -> Row:
    return {
        **prompted(row, form, prompt),
        "chosen": chosen,
        **{f"rejected_{kind}": text for kind, text in rejected.items()},
    }


def _expected(settings: Settings) -> list[Expected]:
    """As if descriptions were a quarter of the rows."""
    share = 0.25 + 0.75 * (1 - settings.letters)
    requests = [Expected(settings.client, 700, 160, count=share)]
    return [*requests, Expected(settings.client, 350, 60, count=share)] if settings.irrelevant else requests


PREFERENCES = Stage(
    "preferences",
    ("filter", "descriptions"),
    PreferenceRow,
    Settings,
    each,
    prompts=written.PROMPTS,
    expected=_expected,
)
