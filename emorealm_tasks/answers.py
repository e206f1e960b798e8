"""Free text -> option letter, read in three ways.

- ``official``: what the released evaluation ships. It only asks whether the gold letter occurs as a word, so the
  article "a" answers A and a bare "Yes" answers nothing.
- ``official_lenient``: the released code's second parser (its ``use_parse_answer``): first listed letter, then
  yes/no words, then choice text.
- ``strict``: a careful reader (:mod:`emorealm_tasks.careful_reader`). It never guesses: no answer is ``None``.

The first two exist for comparability and keep the released code's faults on purpose.
"""

import re
from collections.abc import Sequence

from emorealm_tasks import careful_reader

MODES = ("official", "official_lenient", "strict")
_CHOICE = re.compile(r"\s*[(\[]?([A-Za-z])[)\].:]\s*(.*?)\s*$", re.DOTALL)
_YES_NO = re.compile(r"(yes|no)\b", re.IGNORECASE)
_CLOSING = " .,;:!?"


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
    found: dict[str, list[str]] = {"yes": [], "no": []}
    for letter, text in map(split_choice, choices):
        if match := _YES_NO.match(text):
            found[match[1].lower()].append(letter)
    if any(len(letters) != 1 for letters in found.values()):
        return {}
    return {word: letters[0] for word, letters in found.items()}


def choose_option(prediction: str, choices: Sequence[str], mode: str) -> str | None:
    """The letter that a reply chooses among the choices, or None.

    ``choices`` look like ``["(A) Yes", "(B) No"]``; ``mode`` is ``"strict"`` or ``"official_lenient"``. (``official``
    chooses nothing, it only compares with the gold letter: see :func:`is_correct`.) Raises ValueError for another
    mode or a choice without a letter.
    """
    options = dict(map(split_choice, choices))
    if mode == "strict":
        return careful_reader.read(prediction, options, yes_no_letters(choices))
    if mode == "official_lenient":
        return _lenient(prediction.strip().lower(), options)
    raise ValueError(f"mode is {mode!r}; choose_option knows 'strict' and 'official_lenient'")


def is_correct(prediction: str, answer: str, choices: Sequence[str], mode: str) -> bool:
    """Whether a reply is right, given the gold letter ``answer``, as one of :data:`MODES` reads it."""
    if mode == "official":
        return _has_word(prediction.strip().lower(), answer.lower())
    return choose_option(prediction, choices, mode) == answer.upper()


def _has_word(text: str, word: str) -> bool:
    return re.search(rf"\b{re.escape(word)}\b", text) is not None


def _lenient(text: str, options: dict[str, str]) -> str | None:
    for letter in options:
        if _has_word(text, letter.lower()):
            return letter
    for word in ("yes", "no"):
        # substring match, and the last such choice wins: "no" finds "Noise from the street"
        holders = [letter for letter, choice in options.items() if word in choice.lower()]
        if holders and _has_word(text, word):
            return holders[-1]
    # its closing punctuation stripped, a choice is looked for within words too: "No." in "unknown"
    lowered = {letter: choice.lower() for letter, choice in options.items()}
    return next((letter for letter, choice in lowered.items() if (choice.rstrip(_CLOSING) or choice) in text), None)
