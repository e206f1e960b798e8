"""The seven emotion classes, their names, and free text -> one of them.

Order and classes are DFEW's (labels 1 to 7), from which EmoReAlM takes its clips. A text is read sentence by sentence:
words of the lexicon are mentions of an emotion, each asserted or denied, each a name or a mere sign. What the released
code reads in a text is in `emorealm_tasks.emotions.official`.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from emorealm_tasks.emotions import lexicon
from emorealm_tasks.emotions.classes import EMOTIONS

Words = Mapping[str, tuple[str, int]]
"""Word (a phrase joined by underscores) -> its emotion, and NAME or SIGN."""
NAME, SIGN = 0, 1
_WEIGHTS = {"weak": 1, "": 2, "strong": 4}
_LONGEST = 4  # words in a phrase of the lexicon
_MARKUP = re.compile(r"<[^<>\n]{1,20}>")
_ABBREVIATION = re.compile(r"\b(dr|mr|mrs|ms|prof|st|e\.g|i\.e|etc|vs)\.", re.IGNORECASE)
_NO_EMOTION = re.compile(
    r"(?:\b(?:no|without(?: any)?|lack(?:s|ing)?(?: of)?(?: any)?|absence of|devoid of)|"
    r"(?:\bnot|n't) (?:show|display|express|convey|exhibit)(?:ing)?(?: any)?) "
    r"(?:(?:visible|clear|particular|strong|obvious|specific|apparent|noticeable|facial|evident|significant|real) )?"
    r"(?:emotion|feeling)s?\b(?! (?:of|like|can|could|other))"
)
_TOKEN = re.compile(r"[^\W\d_]+(?:['-][^\W\d_]+)*|[.!?\n,;:()\u2013\u2014]")
_ENDS, _BREAKS = frozenset(".!?\n"), frozenset(",;:()\u2013\u2014")


@dataclass(frozen=True)
class Mention:
    """An emotion that a text asserts."""

    family: str
    """Which one."""
    rank: int
    """NAME or SIGN."""
    weight: int
    """How much it counts among several."""


def classify(text: str, labels: Sequence[str] = EMOTIONS, words: Words | None = None) -> str | None:
    """The label that a text asserts, None where it asserts none of them or several alike.

    Names count before signs ("smiling"), the first sentence before the rest; among several emotions the one that is
    mentioned most, where "mainly" counts more and "a hint of" less; a tie is None. Denied emotions ("not happy") do not
    count, and questions only where nothing else does. The labels narrow the answer, not the reading: fear is None where
    fear is no label. ``words`` stands in for the lexicon (:func:`words_of`). Raises ValueError for an unknown
    label, or for two labels of one emotion.
    """
    spelled = _spelled(labels)
    sentences = _sentences(text, _WORDS if words is None else words)
    statements = [mentions for mentions, is_question in sentences if not is_question]
    label = _decide(statements)
    if label is None and not any(statements):
        label = _decide([mentions for mentions, _ in sentences])
    return spelled.get(label)


def words_of(families: Mapping[str, lexicon.Family]) -> Words:
    """The words of some families, as :func:`classify` looks them up."""
    return {
        word: (family, rank)
        for family, words in families.items()
        for rank, words_by_label in ((NAME, words.names), (SIGN, words.signs))
        for word in words_by_label.split()
    }


def _spelled(labels: Sequence[str]) -> dict[str | None, str]:
    """Emotion -> the label that stands for it, in the labels' own spelling."""
    spelled: dict[str | None, str] = {}
    for label in labels:
        family, rank = _WORDS.get(label.lower(), ("", SIGN))
        if rank != NAME or family in spelled:
            raise ValueError(f"label {label!r} is not the name of one of {', '.join(EMOTIONS)}, or not the only one")
        spelled[family] = label
    return spelled


def _decide(sentences: Sequence[Sequence[Mention]]) -> str | None:
    for rank in (NAME, SIGN):
        for scope in (sentences[:1], sentences):
            weights: Counter[str] = Counter()
            for mention in (one for sentence in scope for one in sentence if one.rank == rank):
                weights[mention.family] += mention.weight
            (first, most), (_, second) = [*weights.most_common(2), ("", 0), ("", 0)][:2]
            if most > second:
                return first
        if weights:
            return None
    return None


def _sentences(text: str, words: Words) -> list[tuple[list[Mention], bool]]:
    """The mentions of each sentence, and whether it is a question."""
    sentences, tokens = [], []
    for token in [*_TOKEN.findall(_plain(text)), "\n"]:
        if token not in _ENDS:
            tokens.append(token)
        elif tokens:
            sentences.append((list(_mentions(tokens, words)), token == "?"))
            tokens = []
    return sentences


def _plain(text: str) -> str:
    """The text in lower case with straight apostrophes, without markup, pictographs replaced by their names."""
    text = unicodedata.normalize("NFKC", text).replace("\u2019", "'").lower()
    text = _ABBREVIATION.sub(r"\1", _MARKUP.sub(" ", text))
    text = "".join(f" {unicodedata.name(c, '').lower()} " if unicodedata.category(c) == "So" else c for c in text)
    return _NO_EMOTION.sub(" emotionless ", text)


def _mentions(tokens: Sequence[str], lexicon_words: Words) -> Iterator[Mention]:
    """The asserted emotions of one sentence."""
    parts = _parts(tokens, lexicon_words)
    lists, clauses = _list_ends(parts), _emotion_follows(parts)
    denied, emphasis = False, ""
    for place, (kind, value) in enumerate(parts):
        if kind in ("weak", "strong"):
            emphasis = kind
        elif kind == "denial":
            denied = True
        elif kind == "contrast":
            denied, emphasis = False, ""
        elif kind == "break" or value == "and":
            denied = denied and _continues(parts, place, lists)
        elif kind == "emotion":
            family, rank = lexicon_words[value]
            if not denied and not (_denied_behind(parts[place + 1 : place + 3]) and not clauses[place + 1]):
                yield Mention(family, rank, _WEIGHTS[emphasis])


def _parts(tokens: Sequence[str], lexicon_words: Words) -> list[tuple[str, str]]:
    """(kind, text) of each word, phrase and mark; kinds: those of `_KINDS`, "emotion", "break" and "word"."""
    parts, start = [], 0
    words = [
        part
        for token in tokens
        for part in ([token] if token in lexicon_words or token in _KINDS else token.split("-"))
    ]
    while start < len(words):
        for length in range(min(_LONGEST, len(words) - start), 0, -1):
            phrase = "_".join(words[start : start + length])
            kind = _KINDS.get(phrase) or ("emotion" if phrase in lexicon_words else "")
            if kind:
                break
        if not kind:
            kind = "break" if phrase in _BREAKS else "denial" if phrase.endswith("n't") else "word"
        parts.append((kind, phrase))
        start += length
    return parts


def _list_ends(parts: Sequence[tuple[str, str]]) -> list[int]:
    """For each place where the emotions and commas that stand from there on have their end."""
    ends = [len(parts)] * (len(parts) + 1)
    for place in reversed(range(len(parts))):
        kind, value = parts[place]
        ends[place] = ends[place + 1] if value == "," or (kind == "emotion" and value not in _LINKS) else place
    return ends


def _emotion_follows(parts: Sequence[tuple[str, str]]) -> list[bool]:
    """For each place whether there is an emotion from there to the end of the clause."""
    follows = [False] * (len(parts) + 1)
    for place in reversed(range(len(parts))):
        kind = parts[place][0]
        follows[place] = kind == "emotion" or (kind not in ("break", "contrast") and follows[place + 1])
    return follows


def _continues(parts: Sequence[tuple[str, str]], place: int, lists: Sequence[int]) -> bool:
    """Whether a denial goes on behind a comma or "and": in a list, as in "not angry, sad or afraid"."""
    if parts[place][1] not in (",", "and") or parts[place - 1][0] != "emotion":
        return False
    if parts[place][1] == "and":
        return place + 1 < len(parts) and parts[place + 1][0] == "emotion" and parts[place + 1][1] not in _LINKS
    end = lists[place + 1]
    return end < len(parts) and parts[end][1] in ("or", "nor")


def _denied_behind(following: Sequence[tuple[str, str]]) -> bool:
    """Whether a denial follows, in the two parts behind an emotion: "(happiness) is not visible"."""
    values = []
    for kind, value in following:
        if kind in ("break", "contrast"):
            break
        values.append(value)
    if not values or not (values[0] in _COPULAS or values[0].endswith("n't")):
        return False
    return values[0].endswith("n't") or (len(values) > 1 and values[1] in _DENIED_AFTER)


_LINKS = frozenset(("or", "nor", "and", ","))
_WORDS = words_of(lexicon.FAMILIES)
_KINDS: dict[str, str] = {
    phrase: kind
    for kind, listed in (
        ("contrast", lexicon.CONTRASTS),
        ("denial", lexicon.NEGATORS),
        ("weak", lexicon.WEAK),
        ("strong", lexicon.STRONG),
        ("word", lexicon.NEUTRALISED),
    )
    for phrase in listed.split()
}
_COPULAS, _DENIED_AFTER = frozenset(lexicon.COPULAS.split()), frozenset(lexicon.DENIED_AFTER.split())
