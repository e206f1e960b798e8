"""Free text -> emotion class: strict (ours) and official (as the released code reads it)."""

from emorealm_tasks.emotions.classes import ADJECTIVES, EMOTIONS
from emorealm_tasks.emotions.strict import Words, classify, words_of

__all__ = ["ADJECTIVES", "EMOTIONS", "Words", "classify", "words_of"]
