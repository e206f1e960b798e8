"""The world's words: phrases that stand for cues, found in texts and put into sentences."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence

from avem_train.curation.checks.leaks import named
from avem_train.curation.scripted.mistakes import Chance
from emorealm_tasks.mini.language import wording
from emorealm_tasks.mini.world.cues import BY_NAME, CUES, FEELINGS, Cue

PHRASES: dict[str, Cue] = {phrase: cue for cue in CUES for phrase in cue.phrases}
"""Phrase -> the cue that it stands for."""
_PHRASE = re.compile(
    r"\b(?:" + "|".join(map(re.escape, sorted(PHRASES, key=len, reverse=True))) + r")\b", re.IGNORECASE
)
_CLAIM = re.compile(r"(?P<cue>.+?) (?P<verb>show|convey|reveal|suggest)s? (?P<feeling>\w+)(?P<more>.*)\.")


def phrases(text: str) -> list[str]:
    """The world's phrases in a text, in lower case, each once, in their order."""
    return list(dict.fromkeys(found.lower() for found in _PHRASE.findall(text)))


def cues(text: str) -> list[Cue]:
    """The cues that a text names."""
    return list(dict.fromkeys(PHRASES[phrase] for phrase in phrases(text)))


def emotion(text: str, modality: str = "") -> str:
    """The emotion that most affect cues named in a text support; "" for none, and for a tie."""
    votes = Counter(cue.emotion for cue in cues(text) if cue.emotion and modality in ("", cue.modality))
    best = votes.most_common(2)
    return best[0][0] if best and (len(best) == 1 or best[0][1] > best[1][1]) else ""


def phrase(chance: Chance, cue: Cue) -> str:
    """One of a cue's phrases."""
    return chance.pick(cue.phrases, cue.name)


def other_phrase(text: str) -> str:
    """The same cue in other words."""
    return next(words for words in PHRASES[text].phrases if words != text)


def feeling(chance: Chance, label: str, *names: object) -> str:
    """A noun for an emotion, by which a reader knows it."""
    return chance.pick([noun for noun in FEELINGS[label] if named(noun, label)], label, *names)


def claim(chance: Chance, words: str, label: str) -> str:
    """A sentence that explains the emotion by a cue."""
    return said(chance.pick(wording.CLAIMS, words), words, feeling(chance, label))


def said(template: str, words: str, noun: str) -> str:
    """A sentence of the world's language about one cue; what is no phrase of the world is singular."""
    cue = PHRASES.get(words)
    return wording.sentence(wording.filled(template, words, cue.name if cue else "", noun))


def claim_about(sentence: str, words: str) -> str:
    """The claim that says the same of another cue; a text of another form with its first cue replaced."""
    if found := _CLAIM.fullmatch(sentence):
        return said("{cue} " + found["verb"] + "{s} {feeling}" + found["more"] + ".", words, found["feeling"])
    there = phrases(sentence)
    return replaced(sentence, there[0], words) if there else sentence


def replaced(text: str, old: str, new: str) -> str:
    """A text with one phrase in place of another."""
    return re.sub(rf"\b{re.escape(old)}\b", lambda match: _as(match[0], new), text, count=1, flags=re.IGNORECASE)


def _as(old: str, new: str) -> str:
    return wording.sentence(new) if old[0].isupper() else new


def absent(label: str, modality: str, there: Iterable[Cue]) -> list[Cue]:
    """Affect cues of an emotion that are none of those, in the modality first, then in the other one."""
    names = {cue.name for cue in there}
    found = [cue for cue in CUES if cue.emotion == label and cue.name not in names]
    return sorted(found, key=lambda cue: cue.modality != modality)


def strangers(modality: str, there: Iterable[Cue]) -> list[Cue]:
    """Scene cues of a modality that are none of those."""
    names = {cue.name for cue in there}
    return [cue for cue in CUES if not cue.emotion and cue.modality == modality and cue.name not in names]


def listed(value: str) -> list[str]:
    """The lines of a list in a prompt."""
    return [line.removeprefix("- ").strip() for line in value.splitlines() if line.startswith("- ")]


def known(texts: Sequence[str]) -> list[str]:
    """Those texts that are phrases of the world."""
    return [text for text in texts if text in PHRASES]


def by_name(name: str) -> Cue:
    """The cue of that name."""
    return BY_NAME[name]
