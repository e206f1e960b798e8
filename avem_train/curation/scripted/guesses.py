"""Guesses: an emotion from a caption, an option from a question's text."""

import re
from collections.abc import Mapping
from typing import Any

from avem_train.curation.scripted import words
from avem_train.curation.scripted.mistakes import Chance, Mistakes

Reply = tuple[dict[str, Any], list[str]]
"""A reply, and the mistakes in it."""
LONGER = 3
"""An option that has so many words more than any other catches a guesser's eye."""
_CHOICE = re.compile(r"^\(([A-Z])\) (.*)$", re.MULTILINE)


def emotion(values: Mapping[str, str], chance: Chance, mistakes: Mistakes, skill: float) -> Reply:
    """EmotionGuess: what most cues of the caption support."""
    label = words.emotion(values["caption"])
    labels = values["emotions"].split(", ")
    if label not in labels:
        return {"emotion": values["insufficient"]}, []
    if chance.happens(mistakes.guess, "guess"):
        return {"emotion": chance.pick([one for one in labels if one != label], "guess")}, ["guess"]
    return {"emotion": label}, []


def option(values: Mapping[str, str], chance: Chance, mistakes: Mistakes, skill: float) -> Reply:
    """TextGuess: with the chance `skill` the option that is longest by far, else any."""
    choices = dict(_CHOICE.findall(values["choices"]))
    striking = longest(list(choices.values()))
    letters = values["letters"].split(", ")
    if striking is not None and chance.happens(skill, "skill"):
        return {"answer": letters[striking]}, []
    return {"answer": chance.pick(letters, "guess")}, []


def longest(choices: list[str]) -> int | None:
    """The place of the option that has LONGER words more than every other one; None where there is none."""
    counts = [len(choice.split()) for choice in choices]
    place = counts.index(max(counts))
    others = counts[:place] + counts[place + 1 :]
    return place if others and counts[place] >= max(others) + LONGER else None
