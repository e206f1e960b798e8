"""Whether a text names an emotion, in whatever form of the word."""

import re
from functools import cache

from emorealm_tasks.emotions import ADJECTIVES, words_of
from emorealm_tasks.emotions.lexicon import FAMILIES, NEUTRALISED

_WORDS = words_of(FAMILIES)
_ENDING = re.compile(r"(ness|ment|ety|ity|ion|e|y)$")


def named(text: str, emotion: str) -> str:
    """The first word or phrase of a text that names the emotion: its forms, adjectives and synonyms; "" for none."""
    found = _pattern(emotion).search(_neutral().sub(" ", text.lower().replace("\u2019", "'")))
    return found[0] if found else ""


@cache
def _pattern(emotion: str) -> re.Pattern[str]:
    label = emotion.lower()
    family, _ = _WORDS.get(label, ("", 0))
    words = {label, ADJECTIVES.get(label, label)}
    if family:
        words |= set(FAMILIES[family].names.split())
    root = _ENDING.sub("", label)
    forms = [re.escape(word.replace("_", " ")) for word in sorted(words, key=len, reverse=True)]
    if len(root) >= 4:
        forms.append(re.escape(root) + r"\w*")
    return re.compile(rf"\b(?:{'|'.join(forms)})\b")


@cache
def _neutral() -> re.Pattern[str]:
    """Phrases that hold an emotion's word and name no emotion: "the content"."""
    phrases = [re.escape(phrase.replace("_", " ")) for phrase in NEUTRALISED.split() if phrase.startswith("the_")]
    phrases += [re.escape(phrase.replace("_", " ")) for phrase in ("content_of", "video_content")]
    return re.compile(rf"\b(?:{'|'.join(phrases)})\b")
