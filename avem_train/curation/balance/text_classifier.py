"""What a classifier finds that never sees a clip: which words and lengths of the text give the answer away."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from avem_train.curation.data.rows import Row

FEWEST = 20
"""Questions below which nothing is learned."""
_FOLDS = 5


def accuracy(rows: Sequence[Row]) -> float | None:
    """Share of a task's questions answered right by words and length alone, in cross-validation over clips.

    Where the options differ from question to question it reads the options, each by itself; where they are yes and no
    it reads the question. None for too few questions or clips, or where all have the same answer.
    """
    clips = {row["clip"] for row in rows}
    if len(rows) < FEWEST or len(clips) < _FOLDS:
        return None
    if is_yes_no(rows[0]):
        answers = np.array([row["roles"][row["answer"]] == "yes" for row in rows])
        if len(set(answers)) < 2:
            return None
        scores = _scores([row["question"] for row in rows], answers, [row["clip"] for row in rows])
        return float(np.mean((scores > 0) == answers))
    return _of_options(rows)


def is_yes_no(row: Row) -> bool:
    """Whether a question is answered by yes or no."""
    return {"yes", "no"} == set(row["roles"])


def _of_options(rows: Sequence[Row]) -> float:
    options = [(row, place) for row in rows for place in range(len(row["choices"]))]
    texts = [row["choices"][place] for row, place in options]
    right = np.array([place == row["answer"] for row, place in options])
    scores = iter(_scores(texts, right, [row["clip"] for row, _ in options]))
    picked = [int(np.argmax([next(scores) for _ in row["choices"]])) for row in rows]
    return float(np.mean([pick == row["answer"] for pick, row in zip(picked, rows, strict=True)]))


def _scores(texts: Sequence[str], right: Any, groups: Sequence[str]) -> Any:
    """How far each text is taken for a right one, above 0 for right, by models that did not see its clip."""
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GroupKFold
    from sklearn.pipeline import make_pipeline, make_union
    from sklearn.preprocessing import FunctionTransformer, StandardScaler

    scores = np.zeros(len(texts))
    array = np.array(texts, dtype=object)
    for train, test in GroupKFold(_FOLDS).split(array, right, groups):
        if len(set(right[train])) < 2:
            continue
        lengths = make_pipeline(FunctionTransformer(_lengths), StandardScaler())
        words = CountVectorizer(binary=True, token_pattern=r"\b\w+\b")
        model = make_pipeline(make_union(words, lengths), LogisticRegression(max_iter=500))
        scores[test] = model.fit(array[train], right[train]).decision_function(array[test])
    return scores


def _lengths(texts: Any) -> Any:
    """Words and characters of each text."""
    return np.array([[len(text.split()), len(text)] for text in texts], float)
