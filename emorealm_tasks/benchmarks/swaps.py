"""The same questions with one modality of another clip: which clip it is, and the rows of the two swaps.

The partner is a clip for which a question of the same task has another right answer; of those, one whose question and
options have the most words in common with this question's, rare words counting for more: so that the clip most likely
contradicts this question's right answer.
"""

import hashlib
import math
import re
from collections import Counter
from collections.abc import Sequence

from emorealm_tasks.answers.choices import split_choice
from emorealm_tasks.benchmarks.controls import SEED
from emorealm_tasks.benchmarks.rows import Row

_WORD = re.compile(r"[a-z]+")
_ROUNDING = 1e-9  # of sums of weights


def partners(rows: Sequence[Row], seed: int = SEED) -> dict[str, Row]:
    """Question's id -> the row whose clip is its partner; the same whatever the order of the rows.

    Ties are drawn by `seed` and the question's id. Raises ValueError where no other clip of the same task has another
    right answer.
    """
    found = {}
    for task in sorted({row["task"] for row in rows}):
        candidates = _Candidates([row for row in rows if row["task"] == task])
        for row in candidates.rows:
            alike = candidates.alike(row)
            if not alike:
                raise ValueError(f"question {row['id']} has no partner: no other clip of {task} has another answer")
            found[row["id"]] = min(alike, key=lambda other: draw(seed, row["id"], other["id"]))
    return found


class _Candidates:
    """The rows of one task, found by their words, so that a row need not be compared with every other."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self.rows = rows
        self._words = {row["id"]: frozenset(_words(row)) for row in rows}
        often = Counter(word for words in self._words.values() for word in words)
        self._weight = {word: math.log(len(rows) / count) for word, count in often.items()}
        self._with_words: dict[frozenset[str], list[tuple[Row, str]]] = {}
        for row in rows:
            self._with_words.setdefault(self._words[row["id"]], []).append((row, gold_text(row)))
        self._holding: dict[str, list[frozenset[str]]] = {}
        for words in self._with_words:
            for word in words:
                self._holding.setdefault(word, []).append(words)

    def alike(self, row: Row) -> list[Row]:
        """Of the rows about another clip and with another answer, those with the most words in common with `row`.

        Its rarest words come first; once those left weigh less than what a candidate has in common with it, no row that
        was not looked at can be as much alike.
        """
        words, gold, weight = self._words[row["id"]], gold_text(row), self._weight
        rarest = sorted((word for word in words if weight[word] > 0), key=lambda word: (-weight[word], word))
        left, most, alike = sum(weight[word] for word in rarest), 0.0, list[Row]()
        looked_at = set()
        for word in rarest:
            if left < most - _ROUNDING:
                break
            for others in self._holding[word]:
                if others in looked_at:
                    continue
                looked_at.add(others)
                common = sum(weight[one] for one in sorted(words & others))
                if common >= most and (able := self._contradicting(others, row, gold)):
                    alike = able if common > most else alike + able
                    most = common
            left -= weight[word]
        return alike or [other for others in self._with_words for other in self._contradicting(others, row, gold)]

    def _contradicting(self, words: frozenset[str], row: Row, gold: str) -> list[Row]:
        return [other for other, answer in self._with_words[words] if other["clip"] != row["clip"] and answer != gold]


def draw(seed: int, *names: str) -> str:
    """Digits to order things by at random: the same for the same seed and names."""
    return hashlib.sha256("\0".join([str(seed), *names]).encode()).hexdigest()


def gold_text(row: Row) -> str:
    """The right option without its letter."""
    return dict(map(split_choice, row["choices"]))[row["answer"]]


def swap_audio(rows: Sequence[Row], seed: int = SEED) -> list[Row]:
    """The rows with the picture of their own clip and the sound of their partner's; `given_clip` names the partner."""
    found = partners(rows, seed)
    return [crossed(row, row, found[row["id"]]) | {"given_clip": found[row["id"]]["clip"]} for row in rows]


def swap_video(rows: Sequence[Row], seed: int = SEED) -> list[Row]:
    """The rows with the picture of their partner's clip and the sound of their own; `given_clip` names the partner."""
    found = partners(rows, seed)
    return [crossed(row, found[row["id"]], row) | {"given_clip": found[row["id"]]["clip"]} for row in rows]


def sound_of(row: Row) -> str:
    """The file that holds a row's sound."""
    return row["audio"] or row["video"]


def crossed(row: Row, picture: Row, sound: Row) -> Row:
    """A row with the picture of one row's clip and the sound of another's."""
    return {**row, "video": picture["video"], "audio": sound_of(sound), "swapped": True}


def _words(row: Row) -> set[str]:
    return set(_WORD.findall(" ".join([row["question"], *row["choices"]]).lower()))
