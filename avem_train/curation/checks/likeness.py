"""Whether two phrases name the same thing, by the words they share."""

import re

ALIKE = 0.6
"""Two phrases are alike where they share at least this part of the shorter one's words."""
_WORD = re.compile(r"[^\W\d_]+")
_SENTENCE = re.compile(r"[.!?;\n]+")
_COMMON = frozenset(
    (
        *("a", "an", "the", "of", "on", "in", "at", "to", "by", "for", "with", "from", "into", "as", "and", "or"),
        *("his", "her", "their", "its", "he", "she", "they", "it", "this", "that", "there", "s", "very"),
        *("is", "are", "be", "being", "been", "was", "were", "person", "man", "woman", "character"),
    )
)
"""Words that tell nothing of a cue."""


def stems(text: str) -> frozenset[str]:
    """The words of a text that tell something, without their endings: "clapping hands" -> {"clap", "hand"}."""
    words = _WORD.findall(text.lower())
    return frozenset(_stem(word) for word in words if word not in _COMMON)


def alike(one: str, other: str) -> bool:
    """Whether two phrases share enough words to name the same thing."""
    a, b = stems(one), stems(other)
    if not a or not b:
        return one.strip().lower() == other.strip().lower()
    return len(a & b) >= ALIKE * min(len(a), len(b))


def holds(text: str, phrase: str) -> bool:
    """Whether one sentence of a text has all words of a phrase, whatever their endings and order."""
    wanted = stems(phrase)
    return bool(wanted) and any(wanted <= stems(sentence) for sentence in _SENTENCE.split(text))


def _stem(word: str) -> str:
    for ending in ("ing", "ly", "ed", "es", "s"):
        if word.endswith(ending) and len(word) - len(ending) >= 3 and not word.endswith("ss"):
            word = word[: -len(ending)]
            break
    if len(word) > 3 and word[-1] == word[-2]:
        word = word[:-1]
    return word[:-1] + "i" if word.endswith("y") else word.removesuffix("e")
