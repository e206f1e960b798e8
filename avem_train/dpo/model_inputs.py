"""What a forward pass takes beside weights and features: ids, positions, masks, where media and targets stand.

All of it is made on the host, from texts and from how many tokens each medium has: before the step where that is known
(`ahead`, `Backbone.knows`), else in it, once the media are encoded.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from transformers import PreTrainedModel

from avem_train.backbones.base import Backbone, Prompt
from avem_train.data.responses import Response
from avem_train.packing import attention, tree
from avem_train.packing.tree import Packing, Token
from model_adapters.base.transfer import to_device


@dataclass(frozen=True)
class Sequences:
    """Responses as inputs and targets."""

    tokens: list[tuple[Token, ...]]
    """Of each, the prompt and the response up to its last token but one (the last predicts nothing)."""
    targets: list[list[int]]
    """The ids to be predicted in each, of the response."""
    places: list[list[int]]
    """Of each id to be predicted, the place in the sequence that predicts it."""


def sequences(backbone: Backbone, responses: Sequence[Response]) -> Sequences:
    """The inputs of each response; the backbone must know its sources."""
    tokens, targets, places = [], [], []
    prompts: dict[tuple[Any, ...], Prompt] = {}
    for response in responses:
        about = (response.prompt, response.sources)
        if about not in prompts:
            prompts[about] = backbone.prompt(*about)
        prompt, target = prompts[about], backbone.response(response.text)
        tokens.append((*prompt.tokens, *following(prompt, target[:-1])))
        targets.append(target)
        places.append(list(range(len(prompt.tokens) - 1, len(tokens[-1]))))
    return Sequences(tokens, targets, places)


def following(prompt: Prompt, ids: Sequence[int]) -> list[Token]:
    """Ids of text behind a prompt as tokens."""
    triple = isinstance(prompt.tokens[0].position, tuple)
    places = (prompt.next + number for number in range(len(ids)))
    return [Token(id_, (place,) * 3 if triple else place) for id_, place in zip(ids, places, strict=True)]


@dataclass(frozen=True)
class ModelInputs:
    """A forward pass in the host's memory. Rows are padded on the right to `length`; spots are inputs from media."""

    ids: torch.Tensor
    """(rows, length); 0 where a medium stands: features are put over it."""
    positions: torch.Tensor
    """(rows, length), or (3, rows, length) for a model whose positions are triples."""
    allowed: torch.Tensor
    """What sees what, bool: `tree.mask` from `causal_until` on, empty with `trees`; where the model takes neither
    the whole mask, or `tree.real` where no row branches.
    """
    causal_until: int | None
    """How many tokens of every row are plainly causal, see `attention`; None with `trees`, or where it takes none."""
    media: list[Hashable]
    """What stands in the rows, by `Token.medium`, each once."""
    spots: torch.Tensor
    """Row, place, number in `media` and row of that medium's features of each spot, row by row, (4, spots)."""
    predicting: torch.Tensor
    """Row and place of every token that predicts a target, one sequence after the other, (2, targets)."""
    targets: torch.Tensor
    """The ids to be predicted, (targets,)."""
    counts: list[int]
    """How many of them each sequence has."""
    tree_sizes: list[int]
    """Tokens of each tree in the rows, padding left out."""
    trees: list[attention.Tree]
    """Where a row has several, and the model can attend each alone: all of them, with bool masks. Else none."""

    def arguments(self, model: PreTrainedModel) -> dict[str, Any]:
        """Those of the model's forward, on its device; four-dimensional masks are additive."""
        table = next(model.get_input_embeddings().parameters())
        allowed = to_device(self.allowed, table.device)
        named: dict[str, Any] = {
            "input_ids": to_device(self.ids, table.device),
            "position_ids": to_device(self.positions, table.device),
            "attention_mask": _additive(allowed, table.dtype) if allowed.ndim == 4 else allowed,
            "use_cache": False,
        }
        if self.trees:
            return named | {"trees": [_sent(one, table.device, table.dtype) for one in self.trees]}
        return named if self.causal_until is None else named | {"causal_until": self.causal_until}


def of_responses(backbone: Backbone, responses: Sequence[Response], packing: Packing) -> ModelInputs:
    """The pass that scores different responses; the backbone must know their sources."""
    batch = sequences(backbone, responses)
    return of_rows(backbone.model, packing.rows(batch.tokens), batch)


def of_rows(model: PreTrainedModel, rows: Sequence[tree.PackedRow], batch: Sequences) -> ModelInputs:
    """The pass over rows that hold a batch's sequences."""
    length = max(len(row.tokens) for row in rows)
    triple = isinstance(rows[0].tokens[0].position, tuple)
    filler = Token(0, (0, 0, 0) if triple else 0)
    padded = [[*row.tokens, *[filler] * (length - len(row.tokens))] for row in rows]
    ids = torch.tensor([[0 if token.medium is not None else token.id for token in row] for row in padded])
    positions = torch.tensor([[token.position for token in row] for row in padded])
    extents = [tree.trees(row) for row in rows]
    splits = attention.installed(model.get_decoder())
    trees = _alone(rows, extents) if splits and any(len(of_row) > 1 for of_row in extents) else []
    since = length if trees else tree.prefix_length(rows, length)
    if splits:  # also for rows without branches: of a two-dimensional mask transformers reads values, which waits
        allowed = tree.mask(rows, length, since)
    else:
        allowed = tree.mask(rows, length) if since < length else tree.real(rows, length)
    media, spots = _media_spots(rows)
    return ModelInputs(
        ids=ids,
        positions=positions.permute(2, 0, 1) if triple else positions,
        allowed=allowed,
        causal_until=since if splits and not trees else None,
        media=media,
        spots=spots,
        predicting=_predicting(rows, batch),
        targets=torch.tensor([id_ for target in batch.targets for id_ in target]),
        counts=[len(target) for target in batch.targets],
        tree_sizes=[one.end - one.start for of_row in extents for one in of_row],
        trees=trees,
    )


def _alone(rows: Sequence[tree.PackedRow], extents: Sequence[Sequence[tree.Extent]]) -> list[attention.Tree]:
    """The trees of all rows."""
    return [
        attention.Tree(number, one, _branches(row, one))
        for number, (row, of_row) in enumerate(zip(rows, extents, strict=True))
        for one in of_row
    ]


def _branches(row: tree.PackedRow, extent: tree.Extent) -> torch.Tensor | None:
    return tree.visible(row, extent.branches, extent)[None, None] if extent.branches < extent.end else None


def _sent(one: attention.Tree, device: torch.device, dtype: torch.dtype) -> attention.Tree:
    """With an additive mask on a device."""
    return one if one.mask is None else one._replace(mask=_additive(to_device(one.mask, device), dtype))


def _additive(allowed: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """0 where attention is allowed, else the least number."""
    return torch.zeros(allowed.shape, dtype=dtype, device=allowed.device).masked_fill_(~allowed, torch.finfo(dtype).min)


def _predicting(rows: Sequence[tree.PackedRow], batch: Sequences) -> torch.Tensor:
    where = {
        number: (row, places) for row, packed_row in enumerate(rows) for number, places in packed_row.places.items()
    }
    row_of, place = [], []
    for number, predicting in enumerate(batch.places):
        row, places = where[number]
        place += [places[at] for at in predicting]
        row_of += [row] * len(predicting)
    return torch.tensor([row_of, place])


def _media_spots(rows: Sequence[tree.PackedRow]) -> tuple[list[Hashable], torch.Tensor]:
    numbers: dict[Hashable, int] = {}
    spots = [
        (row_number, place, numbers.setdefault(token.medium, len(numbers)), token.row)
        for row_number, row in enumerate(rows)
        for place, token in enumerate(row.tokens)
        if token.medium is not None
    ]
    return list(numbers), torch.tensor(spots, dtype=torch.long).view(-1, 4).T
