"""What the scripted model says of statements and cues: it knows the world's synonyms."""

import re
from collections.abc import Mapping

from avem_train.curation.scripted import words
from avem_train.curation.scripted.guesses import Reply
from avem_train.curation.scripted.mistakes import Chance, Mistakes

_LINE = re.compile(r"^(\d+)\. (.*)$", re.MULTILINE)


def matches(values: Mapping[str, str], chance: Chance, mistakes: Mistakes, skill: float) -> Reply:
    """CueMatches: a match wherever a statement has a phrase of a cue, but for those that are overlooked."""
    notes, statements = (_LINE.findall(values[name]) for name in ("cues", "statements"))
    numbers = {cue: int(number) for number, note in reversed(notes) for cue in words.cues(note)}
    found: list[dict[str, int]] = []
    planted: list[str] = []
    for number, statement in statements:
        there = [cue for cue in words.cues(statement) if cue in numbers]
        if there and chance.happens(mistakes.overlooked, "overlooked", number):
            planted += [f"overlooked:{cue.name}" for cue in there]
        elif there:
            found += [{"statement": int(number), "cue": numbers[cue]} for cue in there]
        elif chance.happens(mistakes.overzealous, "overzealous", number):
            planted.append("overzealous")
            found.append({"statement": int(number), "cue": int(chance.pick(notes, "overzealous", number)[0])})
    return {"matches": found}, planted
