"""What the released code reads in a prediction: rebuilt from facts, hence *approximate*.

Its word lists are not ours to copy. What is known is how it goes through a text, and what it answered on 80 shown
predictions; both are rebuilt here. A word that was not shown is taken to mean what our lexicon says of its names, so on
other texts this reading can differ from the released one in single words, not in its way of going wrong.
"""

import re
from collections import Counter
from collections.abc import Sequence

from emorealm_tasks.emotions.classes import EMOTIONS
from emorealm_tasks.emotions.lexicon import FAMILIES

FALLBACK = "happiness"
"""The class of every text in which it knows no word."""
_DISPLAY_NAME = {
    "happiness": "excited pleasant relaxed",
    "sadness": "concern crying discomfort quivering sob weeping",
    "neutral": "concerned focused normal",
    "anger": "serious stern",
    "surprise": "excitement gasp",
    "disgust": "disapproval unpleasant",
    "fear": "focus shock trembling",
}
"""Words whose class differs from our lexicon, or that are missing there, by the 80 shown predictions."""
_UNKNOWN = "sad angry afraid scared fearful shocked worried frustrated disgusting unhappy"
"""Words that are in none of its lists."""
_WORD = re.compile(r"[a-z]+(?:['-][a-z]+)*")


def classify_approximately(text: str, labels: Sequence[str] = EMOTIONS) -> str | None:
    """The class the released code would take; None where it fails on the text and drops the question from its scores.

    Sentences end at full stops; one that contains "no" anywhere ("know", "nose") is dropped, unless all do. The first
    known word of the first sentence decides, else the most frequent class of the rest, else happiness. It fails on
    empty text and on a line break before the first full stop. Classes outside `labels` are unknown to it.
    """
    text = text.strip().lower()
    if not text or "\n" in text.partition(".")[0]:
        return None
    sentences = [sentence for sentence in text.split(".") if sentence.strip()]
    affirmative = [sentence for sentence in sentences if "no" not in sentence] or sentences
    read = [
        [_LISTS[word] for word in _WORD.findall(sentence) if _LISTS.get(word) in labels] for sentence in affirmative
    ]
    if read and read[0]:
        return read[0][0]
    counts = Counter(family for sentence in read[1:] for family in sentence)
    return counts.most_common(1)[0][0] if counts else FALLBACK


_LISTS = {
    word: family for family, words in FAMILIES.items() for word in words.names.split() if word not in _UNKNOWN.split()
}
_LISTS |= {word: family for family, words in _DISPLAY_NAME.items() for word in words.split()}
