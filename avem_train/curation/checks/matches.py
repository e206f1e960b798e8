"""Whether statements speak of cues that are there, in whatever words: a model compares what words cannot tell."""

from collections.abc import Sequence

from avem_train.curation import prompts
from avem_train.curation.asking.asker import Ask, Rejected
from avem_train.curation.asking.requests import Request
from avem_train.curation.data.rows import Model, Row

PROMPT = "cue_matches"


class Match(Model):
    """A statement and a cue that it speaks of; both count from 1."""

    statement: int
    """Number of the statement."""
    cue: int
    """Number of the cue."""


class CueMatches(Model):
    """Which statements speak of which cues."""

    matches: list[Match]
    """Empty where none does."""


def matched(statements: Sequence[str], cues: Sequence[Row], ask: Ask, checker: str) -> list[list[Row]]:
    """For each statement, the cues that it speaks of. checker: the client that is asked.

    Raises Rejected where its reply names a statement or a cue that does not exist.
    """
    notes = [cue for cue in cues if cue["text"].strip()]
    found: list[list[Row]] = [[] for _ in statements]
    if not notes or not statements:
        return found
    values = {"cues": numbered([cue["text"] for cue in notes]), "statements": numbered(statements)}
    for match in ask(checker, Request(prompts.load(PROMPT), values, CueMatches)).matches:
        if not (1 <= match.statement <= len(statements) and 1 <= match.cue <= len(notes)):
            told = f"statement {match.statement}, cue {match.cue}, of {len(statements)} and {len(notes)}"
            raise Rejected("no valid check", f"{checker} names what it was not asked about: {told}")
        found[match.statement - 1].append(notes[match.cue - 1])
    return found


def numbered(texts: Sequence[str]) -> str:
    """Texts as lines of a prompt, numbered from 1."""
    return "\n".join(f"{number}. {' '.join(text.split())}" for number, text in enumerate(texts, 1))
