"""How the released evaluation reads a reply, faults included; for comparability."""

import re

_CLOSING = " .,;:!?"


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
