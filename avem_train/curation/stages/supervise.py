"""Stage 6: instruction data of the same tasks and descriptions (Section D.2). Asks nobody."""

from dataclasses import dataclass

from avem_train.curation.asking.asker import Ask
from avem_train.curation.balance.text_classifier import is_yes_no
from avem_train.curation.data.rows import Instruction, Row, prompted
from avem_train.curation.preferences import lettered
from avem_train.curation.questions import yes_no
from avem_train.curation.stages.base import Context, Outcome, Stage


@dataclass(frozen=True)
class Settings:
    """Settings of the stage."""

    letters: float = 0.5
    """Share of the questions answered by letter; the others in a sentence."""

    def __post_init__(self) -> None:
        if not 0 <= self.letters <= 1:
            raise ValueError(f"letters must be between 0 and 1, got {self.letters}")


def each(row: Row, ask: Ask, context: Context) -> Outcome:
    """A question or a description -> an instruction."""
    if row["is_a"] == "description":
        return Outcome([_instruction(row, "description", row["prompt"], row["description"])])
    if lettered.by_letter(row, context.settings.letters, context.seed):
        return Outcome([_instruction(row, f"{row['task']}_letters", lettered.prompt(row), lettered.right(row))])
    response = yes_no.reasoned(row) if is_yes_no(row) else row["choices"][row["answer"]]
    return Outcome([_instruction(row, row["task"], row["question"], response)])


def _instruction(row: Row, form: str, prompt: str, response: str) -> Row:
    return {**prompted(row, form, prompt), "response": response, "checks": row["checks"]}


SUPERVISE = Stage("supervise", ("filter", "descriptions"), Instruction, Settings, each, version=2)
