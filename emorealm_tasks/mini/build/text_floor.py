"""How much of the mini benchmark a reader of the text alone can answer: exactly, and by a fitted classifier."""

from collections import defaultdict
from typing import Any

import numpy as np


def _views(item: dict[str, Any]) -> list[str]:
    """What the classifier reads of each choice: its words, and the question's and the other choices', marked."""

    def bare(choice: str) -> list[str]:
        return choice[4:].lower().rstrip(".").split()

    stem = [f"q_{word}" for word in item["question"].lower().split()]
    texts = [bare(choice) for choice in item["choices"]]
    views = []
    for option, words in enumerate(texts):
        other_words = [f"o_{word}" for i, other in enumerate(texts) if i != option for word in other]
        crossed = [f"{word}|{token}" for word in words for token in stem] if len(texts) == 2 else []
        views.append(" ".join([*words, *other_words, *stem, *crossed]))
    return views


def bag_of_words(train: list[dict[str, Any]], test: list[dict[str, Any]]) -> dict[str, float]:
    """Accuracy in percent, by task, of a logistic regression over words (and their crossings with the question's).

    train, test: items in the released layout. Each choice is scored for being the answer; the best one is taken.
    """
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    by_task: dict[str, tuple[list[dict[str, Any]], list[dict[str, Any]]]] = defaultdict(lambda: ([], []))
    for part, items in enumerate((train, test)):
        for item in items:
            by_task[item["task"]][part].append(item)
    scores = {}
    for task, (training, test_items) in sorted(by_task.items()):
        texts = [view for item in training for view in _views(item)]
        right = [choice[1] == item["answer"] for item in training for choice in item["choices"]]
        model = make_pipeline(
            CountVectorizer(token_pattern=r"\S+", binary=True), LogisticRegression(C=0.3, max_iter=300)
        )
        model.fit(texts, right)
        views = [_views(item) for item in test_items]
        chances = iter(model.predict_proba([view for of_item in views for view in of_item])[:, 1])
        hits = []
        for item, of_item in zip(test_items, views, strict=True):
            best = int(np.argmax([next(chances) for _ in of_item]))
            hits.append(item["choices"][best][1] == item["answer"])
        scores[task] = round(100 * float(np.mean(hits)), 2)
    return scores
