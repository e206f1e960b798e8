"""How much a model attends to the picture and to the sound where its answer begins (Figure 5, left; Section E.8).

The attention of the prompt's last token, whose output is the answer's first token. Shares are ratios of means over
questions, layers and heads: the paper's percentage of the attention to all media tokens.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, cast

import numpy as np

from emorealm_results.analyses import estimates
from emorealm_results.analyses.estimates import Estimate, Figure, Group
from emorealm_results.analyses.scoring import Adapter, Measure, about
from emorealm_tasks.benchmarks.rows import Row
from emorealm_tasks.errors import stop
from emorealm_tasks.harness import messages
from emorealm_tasks.media import MediaError
from emorealm_tasks.metrics import Array

HOLDS = {"attention": [[[float]]]}
"""A line's share of picture and sound in the attention: layers x heads x 2, each 0 to 1; [] where it failed."""
METRICS = ("asked_share", "sound_share", "media_share")
"""In percent: of the attention to media, that to the modality asked about, and to the sound; of all, that to media."""
CHANGE = "asked_share_change"
ABOUT = {"audio": "sound", "video": "picture"}
READABLE = "avere, emotion_llama, emotion_llama_v2, qwen2_5_omni_av or qwen3_omni_av"
_DIGITS = 8
_LEAST = 1e-30  # stands for no attention to media at all


def prepare(rows: Sequence[Row], seed: int) -> Callable[[Adapter], Measure]:
    """What measures attention. Nothing is drawn."""
    return measuring


def measuring(adapter: Adapter) -> Measure:
    """What reads a model's attention, a question at a time; stops where that cannot be done."""
    if not hasattr(adapter.model, "attention_shares"):
        stop(f"--model {adapter.name}: its attention cannot be read; use {READABLE}")
    from model_adapters.base.requests import from_messages

    def of(row: Row) -> dict[str, Any]:
        """What is known of a question, with its attention or why there is none."""
        found = about(row) | {"attention": []}
        try:
            asked = from_messages(messages.doc_to_messages(row, adapter.ways), adapter.task, adapter.name)
            shares = adapter.model.attention_shares(asked)
        except MediaError as error:
            return found | {"error": str(error)}
        if not bool(shares.isfinite().all()):
            return found | {"error": "the model gave no number"}
        return found | {"attention": np.round(shares.double().numpy(), _DIGITS).tolist()}

    return lambda rows: [of(row) for row in rows]


def compact(one: Any) -> Any:
    """A line with its shares as an array: of 784 heads 13 KB a question in place of 116."""
    return {**one, "attention": np.array(one["attention"], dtype=float)}


def report(attended: Sequence[Any]) -> list[Estimate]:
    """Shares of all questions, of those about each modality, and of each task; of the second also by layer and head."""
    found = []
    for group in _groups(attended):
        questions: Sequence[Any] = group.questions
        shares = np.array([one["attention"] for one in questions])
        found += _estimates(group, shares.mean((1, 2))[:, None], [""], METRICS)
        if group.level == "asked":
            layers, heads = shares.shape[1:3]
            names = [f"layer_{layer:02}" for layer in range(layers)]
            found += _estimates(group._replace(level="layer"), shares.mean(2), names, METRICS[:1])
            names = [f"{name}_head_{head:02}" for name in names for head in range(heads)]
            by_head = shares.reshape(len(shares), -1, 2)
            found += _estimates(group._replace(level="head"), by_head, names, METRICS[:1])
    return found


def change(before: Sequence[Any], after: Sequence[Any]) -> list[Estimate]:
    """How many points more of the attention to media go to the asked modality after training, question by question."""
    earlier = {one["id"]: one for one in before}
    paired = [one for one in after if one["id"] in earlier]
    found = []
    for group in _groups(paired):
        questions: Sequence[Any] = group.questions
        pairs = [(earlier[one["id"]], one) for one in questions]
        shares = np.array([[np.mean(one["attention"], (0, 1)) for one in pair] for pair in pairs])
        asked = [int(estimates.asked_modality(one["task"]) == "audio") for one in questions]
        columns = np.concatenate([shares[np.arange(len(asked)), :, asked], shares.sum(-1)], axis=1)
        found += group.estimates((CHANGE,), columns, combine=_points_more)
    return found


def figures(attended: Sequence[Any]) -> list[Figure]:
    """The share of the asked modality of all questions and of those about each modality."""
    found = []
    for group in _groups(attended):
        if group.level != "task":
            shares = np.array([np.mean(cast(Any, one)["attention"], (0, 1)) for one in group.questions])
            asked = [int(estimates.asked_modality(one["task"]) == "audio") for one in group.questions]
            columns = np.column_stack([shares[np.arange(len(asked)), asked], shares.sum(1)])
            found.append(Figure(group, METRICS[0], columns, combine=_percent))
    return found


def _percent(means: Array) -> Array:
    """(resamples, asked and all media) -> (resamples, 1)."""
    share: Array = 100 * means[:, :1] / np.maximum(means[:, 1:], _LEAST)
    return share


def _points_more(means: Array) -> Array:
    """(resamples, asked before, asked after, media before, media after) -> (resamples, 1)."""
    share: Array = 100 * means[:, :2] / np.maximum(means[:, 2:], _LEAST)
    return share[:, 1:] - share[:, :1]


def _groups(attended: Sequence[Any]) -> Iterator[Group]:
    every, *tasks = estimates.groups(attended, ("task",))
    yield every
    for modality, name in ABOUT.items():
        questions = [one for one in attended if estimates.asked_modality(one["task"]) == modality]
        if questions:
            yield Group("asked", name, questions)
    yield from tasks


def _estimates(group: Group, shares: Array, names: Sequence[str], metrics: Sequence[str]) -> list[Estimate]:
    """One estimate a name and metric; shares: (questions, names, 2), picture and sound."""
    hears = np.array([estimates.asked_modality(one["task"]) == "audio" for one in group.questions])
    picture, sound = shares[..., 0], shares[..., 1]
    columns = np.stack([np.where(hears[:, None], sound, picture), sound, picture + sound], -1)

    def in_percent(means: Array) -> Array:
        asked, of_sound, media = np.moveaxis(means.reshape(len(means), -1, 3), -1, 0)
        total = np.maximum(media, _LEAST)
        return np.stack([100 * asked / total, 100 * of_sound / total, 100 * media], -1)[..., : len(metrics)].reshape(
            len(means), -1
        )

    values = estimates.bootstrapped(group.questions, columns.reshape(len(columns), -1), in_percent)
    labels = [(name, metric) for name in names for metric in metrics]
    return [
        group.estimate(metric, value, bounds, name)
        for (name, metric), (value, bounds) in zip(labels, values, strict=True)
    ]
