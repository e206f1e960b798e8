"""Where a decoder looks: its attention weights at chosen positions, exactly, beside whatever attention it runs with.

transformers hands the queries and keys of every layer, with their positions worked in and what the cache holds before
them, to one function by the name of the attention. While `watched` is open that function also leaves the weights of
the positions asked for: rows of softmax(q k^T * scaling + mask), not whole matrices, so that memory grows with the
length of the prompt and never with its square.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

OTHER, PICTURE, SOUND = range(3)
"""Kinds of tokens; text and what stands for both at once is `OTHER`."""


@contextmanager
def watched(model: nn.Module, positions: Sequence[int] = (-1,)) -> Iterator[dict[int, Tensor]]:
    """Layer -> float32 weights (batch, heads, positions, keys) of each forward pass inside the block, the last one.

    positions: queries of the pass, counted from its first token, or from its end where negative. Not for several
    threads at once. Raises ValueError for a model without a decoder.
    """
    layers = {id(attention): number for number, attention in enumerate(attentions(model))}
    name = attentions(model)[0].config._attn_implementation
    run: Callable[..., Any] = ALL_ATTENTION_FUNCTIONS.get(name, sdpa_attention_forward)  # eager is in no table
    found: dict[int, Tensor] = {}

    def watching(
        module: nn.Module, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor | None, **settings: Any
    ) -> Any:
        if id(module) in layers:
            scaling = settings["scaling"]
            found[layers[id(module)]] = weights(query, key, attention_mask, scaling, positions)
        return run(module, query, key, value, attention_mask, **settings)

    ALL_ATTENTION_FUNCTIONS[name] = watching
    try:
        yield found
    finally:
        del ALL_ATTENTION_FUNCTIONS[name]


def attentions(model: nn.Module) -> list[Any]:
    """The self-attention of each layer of a model's decoder. Raises ValueError where there is none."""
    for module in model.modules():
        layers = getattr(module, "layers", None)
        if isinstance(layers, nn.ModuleList) and hasattr(module, "embed_tokens"):
            return [layer.self_attn for layer in layers]
    raise ValueError(f"{type(model).__name__} has no decoder with layers whose attention could be read")


def weights(query: Tensor, key: Tensor, mask: Tensor | None, scaling: float, positions: Sequence[int]) -> Tensor:
    """Causal attention weights of some queries: float32 (batch, heads, positions, keys), each row adds up to 1.

    query: (batch, heads, queries, dim), the last queries of the keys. key: (batch, key heads, keys, dim), each for as
    many neighbouring heads. mask: None, (batch, keys) of 0 and 1, or (batch, 1, queries, keys), truth values or added.
    """
    queries, keys = query.shape[2], key.shape[2]
    rows = torch.tensor([position % queries for position in positions], device=query.device)
    grouped = query[:, :, rows].float().unflatten(1, (key.shape[1], -1))
    scores = scaling * torch.einsum("bgnqd,bgkd->bgnqk", grouped, key.float()).flatten(1, 2)
    if mask is not None and mask.ndim == 4:
        mask = mask[:, :, rows, :keys]
        scores = scores.masked_fill(~mask, -torch.inf) if mask.dtype == torch.bool else scores + mask.float()
    else:
        later = torch.arange(keys, device=query.device) > rows[:, None] + (keys - queries)
        scores = scores.masked_fill(later, -torch.inf)
        if mask is not None:
            scores = scores.masked_fill(mask[:, None, None, :keys] == 0, -torch.inf)
    return scores.softmax(-1)


@torch.inference_mode()
def shares(model: PreTrainedModel, kinds: Tensor, **inputs: Any) -> Tensor:
    """How much of the last position's attention goes to the picture and to the sound: (layers, heads, 2), each 0 to 1.

    kinds: PICTURE, SOUND or OTHER of each token of one prompt, (length,). inputs: the model's, a batch of one.
    """
    head = model.get_output_embeddings().register_forward_pre_hook(lambda _, states: (states[0][:, -1:],))
    try:  # the logits are not needed, and those of a whole prompt take the most memory
        with watched(model) as found:
            model(**inputs, use_cache=False)
    finally:
        head.remove()
    of_kind = torch.stack([kinds == PICTURE, kinds == SOUND], -1).float()
    return torch.stack([(found[layer][0, :, 0].cpu() @ of_kind.cpu()) for layer in sorted(found)])


def kinds_of(ids: Tensor, video_token: int, audio_token: int) -> Tensor:
    """The kind of each token by its id; ids: (length,)."""
    kinds = torch.full_like(ids, OTHER)
    kinds[ids == video_token] = PICTURE
    kinds[ids == audio_token] = SOUND
    return kinds
