"""What the scripted model writes for questions."""

from collections.abc import Mapping, Sequence
from typing import Any

from avem_train.curation.scripted import words
from avem_train.curation.scripted.guesses import Reply
from avem_train.curation.scripted.mistakes import Chance, Mistakes
from emorealm_tasks.mini.language import wording

_MORE = " plainly for all to notice at once"
"""Makes an option the longest."""
Option = dict[str, str]


def basic(values: Mapping[str, str], chance: Chance, mistakes: Mistakes, skill: float) -> Reply:
    """BasicQuestion."""
    relevant, irrelevant = words.listed(values["relevant"]), words.listed(values["irrelevant"])
    label, medium = values["emotion"], values["medium"]
    planted: list[str] = []
    spurious = chance.order(irrelevant, "irrelevant")
    right = _option(chance.pick(relevant, "right"), label, chance)
    if chance.happens(mistakes.keyed, "keyed"):
        right = _wrongly_keyed(right, spurious[-1], label, chance, planted)
    wrong = spurious[: int(values["irrelevant_count"])]
    hallucinated = _hallucinated(values, int(values["hallucinated_count"]), [*relevant, *irrelevant], chance)
    if chance.happens(mistakes.present, "present"):
        hallucinated[0] = _present([*relevant, *irrelevant], chance, planted)
    reply: dict[str, Any] = {
        "question": wording.basic_stem(chance.generator("stem"), medium),
        "right": right,
        "irrelevant": [_option(cue, label, chance) for cue in wrong],
        "hallucinated": [_option(cue, label, chance) for cue in hallucinated],
    }
    if chance.happens(mistakes.leak, "leak"):
        planted.append("leak")
        reply["question"] = reply["question"].rstrip("?") + f", who feels {words.feeling(chance, label, 'leak')}?"
    if chance.happens(mistakes.guessable, "guessable"):
        planted.append("guessable")
        right["text"] = right["text"].rstrip(".") + _MORE + "."
    return reply, planted


def _option(cue: str, label: str, chance: Chance) -> Option:
    return {"cue": cue, "text": words.claim(chance, cue, label)}


def _wrongly_keyed(right: Option, spurious: str, label: str, chance: Chance, planted: list[str]) -> Option:
    """The right option by an irrelevant cue: openly, or by its text alone."""
    wrong = _option(spurious, label, chance)
    if chance.pick((True, False), "openly"):
        planted.append("keyed:openly")
        return wrong
    planted.append("keyed:by its text alone")
    return {"cue": right["cue"], "text": wrong["text"]}


def _present(there: Sequence[str], chance: Chance, planted: list[str]) -> str:
    """A cue that is there, as it was listed or in other words."""
    cue = chance.pick(there, "present")
    if cue in words.PHRASES and chance.pick((True, False), "reworded"):
        planted.append("present:in other words")
        return words.other_phrase(cue)
    planted.append("present:as listed")
    return cue


def absent(values: Mapping[str, str], chance: Chance, mistakes: Mistakes, skill: float) -> Reply:
    """AbsentCues."""
    planted: list[str] = []
    there = words.listed(values["cues"])
    cues = _hallucinated(values, int(values["count"]), there, chance)
    if words.known(there) and chance.happens(mistakes.present, "present"):
        cues[0] = _present(words.known(there), chance, planted)
    return {"cues": cues}, planted


def _hallucinated(values: Mapping[str, str], count: int, listed: Sequence[str], chance: Chance) -> list[str]:
    """Cues of the emotion that are absent from a medium, then scene cues that are."""
    medium = values["medium"]
    there = words.cues(". ".join([*listed, values["caption"]]))
    of_emotion = [cue for cue in words.absent(values["emotion"], medium, there) if cue.modality == medium]
    found = [*chance.order(of_emotion, "affect"), *chance.order(words.strangers(medium, there), "scene")]
    return [words.phrase(chance, cue) for cue in found[:count]]
