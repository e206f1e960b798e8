"""The deterministic judge of the embedded world: compares a description with the cues that are truly there.

It reads which cues a description claims and which emotions it names, sentence by sentence, and counts. Fractions become
whole scores on the language model's scale: 1 + 9 x fraction, halves rounded up.

- clue: F1 of the cues claimed against the cues that matter (those that convey the emotion or are reacted to); cues that
  the description calls irrelevant are left out
- label: F1 of the emotions named against the emotions conveyed
- spurious: share of the cues claimed as reasons that speak for the emotion of their sentence, 1 if there are none. An
  affect cue speaks for its own emotion, there or not; a scene cue only where it matters
- halluc: share of the cues claimed that are there; 10 if there are none
"""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from emorealm_tasks.emotions import ADJECTIVES, EMOTIONS
from emorealm_tasks.metrics.description import CRITERIA, HIGHEST, LOWEST, Verdict
from emorealm_tasks.mini.world.cues import BY_NAME, CUES, FEELINGS

NAME = "cues"
"""What this judge is called in results."""
_SENTENCE = re.compile(r"[.!?;\n]+")
_ARTICLE = re.compile(r"^(?:a|an|the) ")
_DENIED_BEFORE = re.compile(r"\b(?:no|not|never|without|neither|nor|lacks?|absence of)(?: \w+){0,2} $")
_DENIED_AFTER = re.compile(r" (?:is|are) (?:not|absent|missing|nowhere)\b")
_REACH = 200  # characters in front of a cue in which its denial is looked for
_IDLE = re.compile(r"\b(?:merely there|without bearing)\b")


class Claims(NamedTuple):
    """What a description says."""

    cues: frozenset[str]
    """All cues it names."""
    idle: frozenset[str]
    """Those of them that it calls irrelevant."""
    emotions: frozenset[str]
    """The emotions it names."""
    reasons: frozenset[tuple[str, frozenset[str]]]
    """The cues given as reasons, with the emotions of their sentence."""


def verdict(description: str, truth: Mapping[str, Sequence[str]]) -> Verdict:
    """Score a description against the truth that :func:`emorealm_tasks.mini.build.emer_layout.truth` writes."""
    claimed = claims(description)
    present, relevant = set(truth["present"]), set(truth["relevant"])
    apt = [pair for pair in claimed.reasons if _speaks_for(*pair, relevant)]
    invented = claimed.cues - present
    fractions = {
        "clue": _f1(claimed.cues - claimed.idle, relevant),
        "label": _f1(claimed.emotions, set(truth["emotions"])),
        "spurious": len(apt) / len(claimed.reasons) if claimed.reasons else 0.0,
        "halluc": 1 - len(invented) / len(claimed.cues) if claimed.cues else 1.0,
    }
    unapt = sorted({cue for cue, _ in claimed.reasons - set(apt)})
    reasons = {
        "clue": f"named {_names(claimed.cues & relevant)}; left out {_names(relevant - claimed.cues)}",
        "label": f"named {_names(claimed.emotions)}; conveyed {_names(truth['emotions'])}",
        "spurious": f"do not speak for it: {_names(unapt)}" if claimed.reasons else "no cue is given as a reason",
        "halluc": f"not there: {_names(invented)}",
    }
    return Verdict({name: _score(fractions[name]) for name in CRITERIA}, reasons)


def claims(description: str) -> Claims:
    """What a description claims; denied cues ("no smile", "tears are absent") are not claimed."""
    cues: set[str] = set()
    idle: set[str] = set()
    emotions: set[str] = set()
    reasons: set[tuple[str, frozenset[str]]] = set()
    for sentence in _SENTENCE.split(_normalised(description)):
        names = {_WORDS[match[0]] for match in _PATTERN.finditer(sentence) if not _denied(sentence, match)}
        named_emotions = frozenset(name for name in names if name in EMOTIONS)
        named_cues = names - named_emotions
        cues |= named_cues
        emotions |= named_emotions
        if _IDLE.search(sentence):
            idle |= named_cues
        elif named_emotions:
            reasons |= {(cue, named_emotions) for cue in named_cues}
    return Claims(frozenset(cues), frozenset(idle), frozenset(emotions), frozenset(reasons))


def _speaks_for(cue: str, emotions: frozenset[str], relevant: set[str]) -> bool:
    return BY_NAME[cue].emotion in emotions if BY_NAME[cue].emotion else cue in relevant


def _denied(sentence: str, match: re.Match[str]) -> bool:
    start = match.start()
    denial = _DENIED_BEFORE.search(sentence, max(0, start - _REACH), start)
    return bool(denial or _DENIED_AFTER.match(sentence, match.end()))


def _f1(claimed: frozenset[str], true: set[str]) -> float:
    return 2 * len(claimed & true) / (len(claimed) + len(true)) if claimed or true else 1.0


def _score(fraction: float) -> int:
    return math.floor(LOWEST + (HIGHEST - LOWEST) * fraction + 0.5)


def _names(names: Iterable[str]) -> str:
    return ", ".join(name.replace("_", " ") for name in sorted(names)) or "nothing"


def _normalised(text: str) -> str:
    return re.sub(r"[^\S\n]+", " ", text.lower().replace("-", " "))


def _words() -> dict[str, str]:
    """Words, without articles -> the cue or the emotion they mean."""
    meaning = {}
    for cue in CUES:
        for words in (*cue.phrases, cue.name.replace("_", " ")):
            meaning[_ARTICLE.sub("", _normalised(words))] = cue.name
    for emotion in EMOTIONS:
        for words in (emotion, ADJECTIVES[emotion], *FEELINGS[emotion]):
            meaning[words] = emotion
    return meaning


_WORDS = _words()
_PATTERN = re.compile(r"\b(?:" + "|".join(sorted(map(re.escape, _WORDS), key=len, reverse=True)) + r")\b")
