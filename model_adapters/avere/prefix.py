"""Greedy answers and option scores for many questions about few clips, each clip's prefix run once.

Every prompt is a prefix (system text and media, the same ids for every clip with the same modalities) and a suffix
(the question). The prefix of each clip of a batch goes through the language model once; its keys and values are then
repeated for each of the clip's questions, and all suffixes run in one left-padded batch after them:

    [prefix of clip 0] [pad pad  question 0]        positions: the prefix counts 0 .. P-1, a suffix goes on from P;
    [prefix of clip 0] [pad      question 1]        padding is masked, so that a row sees what it would see alone.
    [prefix of clip 1] [question 2         ]
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from transformers import DynamicCache, PreTrainedModel
from transformers.cache_utils import CacheLayerMixin

from model_adapters.base.finite import broken

from . import step_graph
from .growing_cache import GrowingLayer
from .modeling import CACHE
from .step_graph import StepGraph


@dataclass(frozen=True)
class Prefix:
    """Keys and values of the prefixes of a batch of clips."""

    cache: DynamicCache
    """One row a clip."""
    length: int
    """Tokens of each row."""
    noised: int = 0
    """How many rows at the end are the same clips under noise."""
    last: bool = False
    """No rows are taken after the next: then the cache is let go, layer by layer, and memory holds it once."""


@dataclass(frozen=True)
class Rows:
    """Suffixes after their prefixes, left-padded to one width."""

    input_ids: torch.Tensor
    """(rows, width)"""
    attention_mask: torch.Tensor
    """(rows, prefix + width)"""
    position_ids: torch.Tensor
    """(rows, width)"""


@torch.inference_mode()
def run_prefix(
    model: PreTrainedModel,
    ids: Sequence[int],
    clips: int,
    video_features: torch.Tensor | None,
    audio_features: torch.Tensor | None,
) -> Prefix:
    """Run the shared ids for `clips` clips; those before the media, equal for all, once for all where that pays.

    Features are what `get_video_features` and `get_audio_features` return, (clips, tokens, hidden), or None for a
    modality the prompt does not have.
    """
    media = (model.config.video_token_id, model.config.audio_token_id)
    alike = next((place for place, id_ in enumerate(ids) if id_ in media), len(ids))

    def extend(cache: DynamicCache, rows: int, start: int, end: int, **features: torch.Tensor | None) -> DynamicCache:
        """`cache` with `ids[start:end]` run after what it holds, in each of its `rows`."""
        return model(
            input_ids=torch.tensor([list(ids[start:end])] * rows, device=model.device),
            attention_mask=torch.ones(rows, end, dtype=torch.long, device=model.device) if start else None,
            cache=cache,
            use_cache=True,
            logits_to_keep=1,
            **features,
        )[CACHE]

    cache = DynamicCache()
    cache.layers.extend(GrowingLayer() for _ in range(model.config.text_config.num_hidden_layers))
    if alike < len(ids) and one_piece_pays(len(ids), alike, clips, model.config.text_config.hidden_size):
        alike = 0
    if alike:
        cache = _take_rows(extend(cache, 1, 0, alike), [0] * clips)
    if alike < len(ids):
        cache = extend(cache, clips, alike, len(ids), video_features=video_features, audio_features=audio_features)
    return Prefix(cache, len(ids))


def one_piece_pays(length: int, alike: int, clips: int, hidden_size: int) -> bool:
    """Whether a prefix of `length` tokens is best run whole for each clip, though the first `alike` are the same.

    After a cached part attention needs a dense mask, and computes all pairs of tokens. Whole, it is causal by itself:
    fast kernels take it and compute half of them. Counted in multiply-adds of a layer: length^2 x hidden saved for each
    clip, 12 x hidden^2 spent for each token of the shared part but those of one clip.
    """
    return clips * length**2 > 12 * hidden_size * alike * (clips - 1)


class Branch:
    """Suffixes after their prefixes, which go on token by token.

    `clip_of[row]` is the row of `prefix` of a suffix. limit: new tokens at most.
    """

    @torch.inference_mode()
    def __init__(
        self,
        model: PreTrainedModel,
        prefix: Prefix,
        clip_of: Sequence[int],
        suffixes: Sequence[Sequence[int]],
        limit: int,
    ) -> None:
        rows = _left_padded(suffixes, prefix.length, model.device)
        self.device = model.device
        self._model = model
        self._cache = _take_rows(prefix.cache, clip_of, prefix.last)
        self._ids, self._mask, self._positions = rows.input_ids, rows.attention_mask, rows.position_ids
        self._recorded = step_graph.pays(model.device, model.get_decoder().config._attn_implementation, limit)
        self._graph: StepGraph | None = None

    def logits(self) -> torch.Tensor:
        """Of the next token, (rows, vocabulary); the next call may write over them."""
        if self._graph:
            return self._graph.logits(self._ids[:, 0])
        logits: torch.Tensor = self._model(
            input_ids=self._ids,
            attention_mask=self._mask,
            position_ids=self._positions,
            cache=self._cache,
            use_cache=True,
            logits_to_keep=1,
        ).logits[:, -1]
        return logits

    def go_on(self, token: torch.Tensor) -> None:
        """With a token a row, (rows,)."""
        if self._recorded:
            self._graph = self._graph or StepGraph(self._model, self._cache, self._mask, self._positions[:, -1:])
            self._ids = token[:, None]
            return
        self._ids, self._positions = token[:, None], self._positions[:, -1:] + 1
        self._mask = torch.cat([self._mask, torch.ones_like(self._mask[:, :1])], dim=1)


@torch.inference_mode()
def generate(
    model: PreTrainedModel,
    prefix: Prefix,
    clip_of: Sequence[int],
    suffixes: Sequence[Sequence[int]],
    limits: Sequence[int],
    eos: int,
    contrast: Callable[[None, torch.Tensor], torch.Tensor] | None = None,
) -> list[list[int] | None]:
    """Greedy continuation of each suffix, as `continued` has it.

    `clip_of[row]` is the row of `prefix` that a suffix belongs to. `contrast` changes the logits (rows, vocabulary) of
    each step.
    """
    branch = Branch(model, prefix, clip_of, suffixes, max(limits))
    return continued([branch], limits, eos, lambda logits: contrast(None, logits[0]) if contrast else logits[0])


@torch.inference_mode()
def continued(
    branches: Sequence[Branch],
    limits: Sequence[int],
    eos: int,
    combine: Callable[[Sequence[torch.Tensor]], torch.Tensor],
) -> list[list[int] | None]:
    """Greedy continuation of each row: new ids without the closing `eos`, at most `limits[row]` (>= 1) of them.

    None for a row whose logits were no numbers at any step. `combine` makes one (rows, vocabulary) of the logits of the
    branches, which all go on with the same tokens.
    """
    limit = torch.tensor(limits, device=branches[0].device)
    finished = torch.zeros_like(limit, dtype=torch.bool)
    lost = torch.zeros_like(finished)
    steps: list[torch.Tensor] = []
    while True:
        chosen = combine([branch.logits() for branch in branches])
        lost = lost | broken(chosen) & ~finished
        token = chosen.argmax(-1).masked_fill(finished, eos)
        steps.append(token)
        finished = finished | (token == eos) | (limit <= len(steps))
        if finished.all():
            break
        for branch in branches:
            branch.go_on(token)
    token_ids = torch.stack(steps, 1).tolist()
    return [None if is_lost else truncate_at(row, eos) for row, is_lost in zip(token_ids, lost.tolist(), strict=True)]


@torch.inference_mode()
def score(
    model: PreTrainedModel,
    prefix: Prefix,
    clip_of: Sequence[int],
    suffixes: Sequence[Sequence[int]],
    options: Sequence[Sequence[int]],
) -> list[tuple[float, bool] | None]:
    """Each row's option after its suffix: (summed log-probability <= 0, is it what greedy decoding would say?).

    None where the logits are no numbers.
    Options are non-empty id lists; log-probabilities are taken in float32 over the whole vocabulary.
    """
    option_ids = [[*suffix, *option] for suffix, option in zip(suffixes, options, strict=True)]
    rows = _left_padded(option_ids, prefix.length, model.device)
    logits = model(
        input_ids=rows.input_ids,
        attention_mask=rows.attention_mask,
        position_ids=rows.position_ids,
        cache=_take_rows(prefix.cache, clip_of, prefix.last),
        use_cache=True,
        logits_to_keep=max(map(len, options)) + 1,
    ).logits.float()
    results: list[tuple[float, bool] | None] = []
    for row, option in zip(logits, options, strict=True):
        logps = row[-len(option) - 1 : -1].log_softmax(-1)
        target = torch.tensor(option, device=logps.device)
        total = logps.gather(-1, target[:, None]).sum().item()
        results.append((total, bool((logps.argmax(-1) == target).all())) if math.isfinite(total) else None)
    return results


def _take_rows(cache: DynamicCache, rows: Sequence[int], last: bool = False) -> DynamicCache:
    """A cache holding `rows` (repeats allowed) of `cache`, which stays as it is; `last`: which is used up."""
    clips, device = len(_keys_and_values(cache.layers[0])[0]), _keys_and_values(cache.layers[0])[0].device
    index = None if last and list(rows) == list(range(clips)) else torch.tensor(rows, device=device)
    selected = DynamicCache()
    for number in range(len(cache.layers)):
        selected.layers.append(GrowingLayer.of(*_keys_and_values(cache.layers[0 if last else number]), index))
        if last:
            del cache.layers[0]
    return selected


def _keys_and_values(layer: object) -> tuple[torch.Tensor, torch.Tensor]:
    """Both of a layer that has run."""
    if not isinstance(layer, CacheLayerMixin) or layer.keys is None or layer.values is None:
        raise ValueError(f"a layer of the cache holds no keys and values: {type(layer).__name__}")
    return layer.keys, layer.values


def _left_padded(sequences: Sequence[Sequence[int]], prefix: int, device: torch.device) -> Rows:
    width = max(map(len, sequences))
    ids = torch.tensor([[0] * (width - len(ids)) + list(ids) for ids in sequences], device=device)
    mask = torch.tensor([[0] * (width - len(ids)) + [1] * len(ids) for ids in sequences], device=device)
    positions = prefix + (mask.cumsum(-1) - 1).clamp(min=0)
    return Rows(ids, torch.cat([mask.new_ones(len(mask), prefix), mask], dim=1), positions)


def truncate_at(ids: list[int], stop: int) -> list[int]:
    """The ids up to and without the first `stop`, or all of them."""
    return ids[: ids.index(stop)] if stop in ids else ids
