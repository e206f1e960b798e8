"""The scripted model: from the form of a reply, the prompt's values and what is perceived, to the reply."""

import json
from collections.abc import Callable, Mapping, Sequence

from avem_train.curation.scripted import captions, guesses, matches, preferences, questions
from avem_train.curation.scripted.captions import Perceived
from avem_train.curation.scripted.guesses import Reply
from avem_train.curation.scripted.mistakes import Chance, Mistakes, noted

_Writer = Callable[[Mapping[str, str], Chance, Mistakes, float], Reply]
CAPTIONS = {"PictureCaption": "video", "SoundCaption": "audio"}
"""Form of reply -> what is described."""
TEXTS: dict[str, _Writer] = {
    "EmotionGuess": guesses.emotion,
    "TextGuess": guesses.option,
    "BasicQuestion": questions.basic,
    "AbsentCues": questions.absent,
    "CueMatches": matches.matches,
    "EmotionDescription": preferences.description,
    "AnswerVariations": preferences.answer,
    "VerdictVariations": preferences.verdict,
    "DescriptionVariations": preferences.of_description,
    "IrrelevantVariation": preferences.irrelevant,
}
"""Form of reply -> what writes it."""


def describe(form: str, perceived: Sequence[Perceived], chance: Chance, mistakes: Mistakes) -> str:
    """A caption of what is perceived, as JSON."""
    reply, planted = captions.caption(perceived, CAPTIONS[form], chance, mistakes)
    return noted(planted, json.dumps(reply))


def write(form: str, values: Mapping[str, str], chance: Chance, mistakes: Mistakes, skill: float) -> str:
    """A reply to a text, as JSON. skill: a guesser's, from 0 to 1. Raises KeyError for a form that is unknown."""
    reply, planted = TEXTS[form](values, chance, mistakes, skill)
    return noted(planted, json.dumps(reply))


def spoilt(reply: str, chance: Chance, mistakes: Mistakes, attempt: int) -> str:
    """The reply, or what is no JSON where it is broken. attempt: 0 or 1."""
    for name, rate, last in (("broken_twice", mistakes.broken_twice, 1), ("broken", mistakes.broken, 0)):
        if chance.happens(rate, name):
            return noted([name], "I would say that it is so.") if attempt <= last else reply
    return reply
