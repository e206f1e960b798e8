"""The layouts: a function for a pair of responses and one for an instruction.

- `trl`: a conversational preference with an explicit prompt (https://huggingface.co/docs/trl/dataset_formats, read in
  November 2026, and TRL 1.16). TRL's own collators load images alone: `videos` and `audios` are for a collator of
  yours, with `remove_unused_columns=False`. `images`, empty, has TRL leave the texts to the collator; without it TRL
  tokenizes them first and stops at the video.
- `ms-swift`: `messages`, `rejected_response`, `videos`, `audios`, a tag for each medium
  (https://swift.readthedocs.io/en/latest/Customization/Custom-dataset.html, read in November 2026).
- `llama-factory`: ShareGPT with `chosen` and `rejected`, a tag for each medium, columns named in `dataset_info.json`
  (https://github.com/hiyouga/LLaMA-Factory/blob/main/data/README.md and `dataset_info.json` beside it, read in November
  2026).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from avem_train.curation.data.rows import Row
from avem_train.curation.export.media import Media, lists, tags

Record = dict[str, Any]


@dataclass(frozen=True)
class Layout:
    """How a trainer wants its data."""

    pair: Callable[[Row, Media, str, str], Record]
    """From a preference, its media, its id and one of its rejected responses."""
    instruction: Callable[[Row, Media], Record]
    """From an instruction and its media."""
    parquet: bool
    """Whether the trainer reads Parquet as well."""
    registered: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """What of the data -> its entry in `dataset_info.json`, which is written beside them."""


def _said(role: str, text: str) -> list[Record]:
    return [{"role": role, "content": [{"type": "text", "text": text}]}]


def _trl_prompt(row: Row, media: Media) -> list[Record]:
    there = [kind for kind, file in (("video", media.video), ("audio", media.sound)) if file]
    blocks = [*({"type": kind} for kind in there), {"type": "text", "text": row["prompt"]}]
    return [{"role": "user", "content": blocks}]


def _trl_pair(row: Row, media: Media, identity: str, rejected: str) -> Record:
    chosen = {"chosen": _said("assistant", row["chosen"]), "rejected": _said("assistant", rejected)}
    return {"id": identity, "prompt": _trl_prompt(row, media), **chosen, "images": [], **lists(media)}


def _trl_instruction(row: Row, media: Media) -> Record:
    completion = _said("assistant", row["response"])
    return {"id": row["id"], "prompt": _trl_prompt(row, media), "completion": completion, "images": [], **lists(media)}


def _messages(row: Row, media: Media, response: str) -> list[Record]:
    asked = {"role": "user", "content": tags(media) + row["prompt"]}
    return [asked, {"role": "assistant", "content": response}]


def _swift_pair(row: Row, media: Media, identity: str, rejected: str) -> Record:
    messages = _messages(row, media, row["chosen"])
    return {"id": identity, "messages": messages, "rejected_response": rejected, **lists(media)}


def _swift_instruction(row: Row, media: Media) -> Record:
    return {"id": row["id"], "messages": _messages(row, media, row["response"]), **lists(media)}


def _turn(speaker: str, text: str) -> Record:
    return {"from": speaker, "value": text}


def _factory_pair(row: Row, media: Media, identity: str, rejected: str) -> Record:
    conversation = [_turn("human", tags(media) + row["prompt"])]
    chosen = {"chosen": _turn("gpt", row["chosen"]), "rejected": _turn("gpt", rejected)}
    return {"id": identity, "conversations": conversation, **chosen, **lists(media)}


def _factory_instruction(row: Row, media: Media) -> Record:
    return {"id": row["id"], "conversations": conversation(row, media), **lists(media)}


def conversation(row: Row, media: Media) -> list[Record]:
    """A prompt with its media's tags and the response, as LLaVA and ShareGPT write it."""
    return [_turn("human", tags(media) + row["prompt"]), _turn("gpt", row["response"])]


_COLUMNS = {"messages": "conversations", "videos": "videos", "audios": "audios"}
_FACTORY: Mapping[str, Mapping[str, Any]] = {
    "supervise": {"formatting": "sharegpt", "columns": _COLUMNS},
    "preferences": {
        "formatting": "sharegpt",
        "ranking": True,
        "columns": _COLUMNS | {"chosen": "chosen", "rejected": "rejected"},
    },
}
LAYOUTS = {
    "trl": Layout(_trl_pair, _trl_instruction, parquet=True),
    "ms-swift": Layout(_swift_pair, _swift_instruction, parquet=False),
    "llama-factory": Layout(_factory_pair, _factory_instruction, parquet=True, registered=_FACTORY),
}
"""Name -> layout."""
