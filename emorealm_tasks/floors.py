"""How much of a score needs no eyes or ears: the same questions without the clip, or with another clip's media.

Both keep the questions as they are and change only which files a row hands to the model.
"""

import random
import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from emorealm_tasks.emotions import ADJECTIVES, EMOTIONS

SEED = 2026
_SWAPS_A_CLIP = 10
_NAMED = {word: emotion for emotion in EMOTIONS for word in (emotion, ADJECTIVES[emotion])}
_WORD = re.compile(rf"\b({'|'.join(_NAMED)})\b", re.IGNORECASE)


def blind(rows: Sequence[Mapping]) -> list[dict]:
    """The rows with nothing to see or hear: `video` and `audio` are ""."""
    return [{**row, "video": "", "audio": "", "given_clip": ""} for row in rows]


def shuffled(rows: Sequence[Mapping], seed: int = SEED) -> list[dict]:
    """The rows with each clip's media replaced by those of another clip, of another emotion wherever that can be.

    Every clip is given away once (a derangement of the clips), the same way on every run; `given_clip` names it.
    Raises ValueError when there are fewer than two clips.
    """
    media = {row["clip"]: (row["video"], row["audio"]) for row in rows}
    given = derange(clip_emotions(rows), seed)
    return [
        {**row, "video": media[given[row["clip"]]][0], "audio": media[given[row["clip"]]][1],
         "given_clip": given[row["clip"]]}
        for row in rows
    ]  # fmt: skip


def clip_emotions(rows: Sequence[Mapping]) -> dict[str, str]:
    """Each clip's emotion: the rows' own field, else the emotion its questions (else choices) name most, else ""."""
    found: dict[str, str] = {}
    words: dict[str, Counter] = defaultdict(Counter)
    for row in rows:
        found.setdefault(row["clip"], "")
        found[row["clip"]] = found[row["clip"]] or row["emotion"]
        named = _WORD.findall(row["question"]) or _WORD.findall(" ".join(row["choices"]))
        words[row["clip"]].update(_NAMED[word.lower()] for word in named)
    return {clip: emotion or next((word for word, _ in words[clip].most_common(1)), "")
            for clip, emotion in found.items()}  # fmt: skip


def derange(emotions: Mapping[str, str], seed: int = SEED) -> dict[str, str]:
    """A permutation of the clips that leaves none in place, drawn by `seed`; clip -> the clip whose media it gets.

    With clips ordered by emotion, turning the circle by the size of the largest group gives every clip another
    emotion whenever no group holds more than half; random exchanges that keep this then mix the pairs. A clip of
    unknown emotion ("") is a group of its own.
    """
    if len(emotions) < 2:
        raise ValueError(f"{len(emotions)} clip(s) cannot be given each other's media; two are needed")
    group = {clip: emotion or f"\0{clip}" for clip, emotion in emotions.items()}
    draw = random.Random(seed)
    order = sorted(group)
    draw.shuffle(order)
    order.sort(key=group.__getitem__)
    turn = min(max(Counter(group.values()).values()), len(order) - 1)
    given = {clip: order[(place + turn) % len(order)] for place, clip in enumerate(order)}
    for _ in range(_SWAPS_A_CLIP * len(order)):
        one, other = draw.sample(order, 2)
        if _differs(group, one, given[other]) and _differs(group, other, given[one]):
            given[one], given[other] = given[other], given[one]
    return given


def _differs(group: Mapping[str, str], clip: str, giver: str) -> bool:
    return group[clip] != group[giver]
