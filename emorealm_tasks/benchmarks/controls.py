"""How much of a score is reached without the clip: the same questions with text alone, or with another clip's media.

Both keep the questions as they are and change only which files a row hands to the model.
"""

import random
import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from emorealm_tasks.benchmarks.rows import Row
from emorealm_tasks.emotions import ADJECTIVES, EMOTIONS

SEED = 2026
_EMOTION_OF_WORD = {word: emotion for emotion in EMOTIONS for word in (emotion, ADJECTIVES[emotion])}
_WORD = re.compile(rf"\b({'|'.join(_EMOTION_OF_WORD)})\b", re.IGNORECASE)


def blind(rows: Sequence[Row]) -> list[Row]:
    """The rows with nothing to see or hear: `video` and `audio` are ""."""
    return [{**row, "video": "", "audio": "", "given_clip": ""} for row in rows]


def shuffled(rows: Sequence[Row], seed: int = SEED) -> list[Row]:
    """The rows with each clip's media replaced by those of another clip, of another emotion wherever that can be.

    Every clip is given away once (a derangement of the clips), the same way on every run; `given_clip` names it.
    Raises ValueError when there are fewer than two clips.
    """
    media = {row["clip"]: (row["video"], row["audio"]) for row in rows}
    source_clip = derange(clip_emotions(rows), seed)
    return [
        {**row, "video": media[source_clip[row["clip"]]][0], "audio": media[source_clip[row["clip"]]][1],
         "given_clip": source_clip[row["clip"]]}
        for row in rows
    ]  # fmt: skip


def clip_emotions(rows: Sequence[Row]) -> dict[str, str]:
    """Each clip's emotion: the rows' own field, else the emotion its questions (else choices) name most, else ""."""
    emotions: dict[str, str] = {}
    words: dict[str, Counter[str]] = defaultdict(Counter)
    for row in rows:
        emotions.setdefault(row["clip"], "")
        emotions[row["clip"]] = emotions[row["clip"]] or row["emotion"]
        emotion_words = _WORD.findall(row["question"]) or _WORD.findall(" ".join(row["choices"]))
        words[row["clip"]].update(_EMOTION_OF_WORD[word.lower()] for word in emotion_words)
    return {clip: emotion or next((word for word, _ in words[clip].most_common(1)), "")
            for clip, emotion in emotions.items()}  # fmt: skip


def derange(emotions: Mapping[str, str], seed: int = SEED) -> dict[str, str]:
    """A permutation of the clips that leaves none in place, drawn by `seed`; clip -> the clip whose media it gets.

    A random permutation is repaired by exchanges. Where no emotion holds more than half of the clips, an exchange that
    gives both clips another emotion always exists; where one does, turning the clips, ordered by emotion, by the size
    of that group changes as many as can be. A clip of unknown emotion ("") is a group of its own. Raises ValueError
    for fewer than two clips.
    """
    if len(emotions) < 2:
        raise ValueError(f"{len(emotions)} clip(s) cannot be given each other's media; two are needed")
    group = {clip: emotion or f"\0{clip}" for clip, emotion in emotions.items()}
    order = sorted(group)
    random.Random(seed).shuffle(order)
    largest = max(Counter(group.values()).values())
    if 2 * largest > len(order):
        order.sort(key=group.__getitem__)
        turn = min(largest, len(order) - 1)
        return {clip: order[(place + turn) % len(order)] for place, clip in enumerate(order)}
    source_clip = dict(zip(sorted(group), order, strict=True))
    for clip in source_clip:
        if group[clip] == group[source_clip[clip]]:
            partner = next(one for one in order if group[clip] not in (group[one], group[source_clip[one]]))
            source_clip[clip], source_clip[partner] = source_clip[partner], source_clip[clip]
    return source_clip
