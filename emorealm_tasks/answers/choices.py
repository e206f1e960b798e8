"""A question's choices: their letters, their texts, and which say yes and no."""

import re
from collections.abc import Sequence
from functools import lru_cache

_CHOICE = re.compile(r"\s*[(\[]?([A-Za-z])[)\].:]\s*(.*?)\s*$", re.DOTALL)
_YES_NO = re.compile(r"(yes|no)\b", re.IGNORECASE)


def split_choice(choice: str) -> tuple[str, str]:
    """``"(A) A wide smile"`` -> ``("A", "A wide smile")``; also reads ``A. x``, ``A: x`` and ``A) x``.

    Raises ValueError when the choice does not start with a letter in one of these forms.
    """
    match = _CHOICE.match(choice)
    if match is None:
        raise ValueError(f'choice {choice!r} does not start with its letter, as in "(A) Yes"')
    return match[1].upper(), match[2]


def yes_no_letters(choices: Sequence[str]) -> dict[str, str]:
    """Map ``"yes"``/``"no"`` to the letter of the choice whose text starts with that word.

    Empty unless exactly one choice says yes and exactly one says no.
    """
    return dict(_yes_no(tuple(choices)))


@lru_cache(maxsize=1 << 14)
def _yes_no(choices: tuple[str, ...]) -> dict[str, str]:
    letters_of: dict[str, list[str]] = {"yes": [], "no": []}
    for letter, text in map(split_choice, choices):
        if match := _YES_NO.match(text):
            letters_of[match[1].lower()].append(letter)
    if any(len(letters) != 1 for letters in letters_of.values()):
        return {}
    return {word: letters[0] for word, letters in letters_of.items()}
