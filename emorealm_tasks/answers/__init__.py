"""Free text -> option letter, read in three ways.

- ``official``: what the released evaluation ships. It only asks whether the gold letter occurs as a word, so the
  article "a" answers A and a bare "Yes" answers nothing.
- ``official_lenient``: the released code's second parser (its ``use_parse_answer``): first listed letter, then
  yes/no words, then choice text.
- ``strict``: a careful reader (:mod:`emorealm_tasks.answers.strict`). It never guesses: no answer is ``None``.

The first two exist for comparability and keep the released code's faults on purpose.
"""

from collections.abc import Sequence
from functools import lru_cache

from emorealm_tasks.answers import strict
from emorealm_tasks.answers.choices import split_choice, yes_no_letters
from emorealm_tasks.answers.official import _has_word, _lenient

__all__ = ["MODES", "choose_option", "is_correct", "split_choice", "yes_no_letters"]

MODES = ("official", "official_lenient", "strict")


def choose_option(prediction: str, choices: Sequence[str], mode: str) -> str | None:
    """The letter that a reply chooses among the choices, or None.

    ``choices`` look like ``["(A) Yes", "(B) No"]``; ``mode`` is ``"strict"`` or ``"official_lenient"``. (``official``
    chooses nothing, it only compares with the gold letter: see :func:`is_correct`.) Raises ValueError for another
    mode or a choice without a letter.
    """
    return _chosen(prediction, tuple(choices), mode)


@lru_cache(maxsize=1 << 15)
def _chosen(prediction: str, choices: tuple[str, ...], mode: str) -> str | None:
    """Tables, intervals and the page of samples read the same replies, one after the other."""
    options = dict(map(split_choice, choices))
    if mode == "strict":
        return strict.read(prediction, options, yes_no_letters(choices))
    if mode == "official_lenient":
        return _lenient(prediction.strip().lower(), options)
    raise ValueError(f"mode is {mode!r}; choose_option knows 'strict' and 'official_lenient'")


def is_correct(prediction: str, answer: str, choices: Sequence[str], mode: str) -> bool:
    """Whether a reply is right, given the gold letter ``answer``, as one of :data:`MODES` reads it."""
    if mode == "official":
        return _has_word(prediction.strip().lower(), answer.lower())
    return choose_option(prediction, choices, mode) == answer.upper()
