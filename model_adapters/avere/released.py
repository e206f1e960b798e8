"""Token ids as the released code writes them -> ids with expanded placeholders."""

import torch

from .configuration import AvereConfig

FRAME_ID = -200
"""One a frame."""
SOUND_ID = -300
"""One a clip."""
IGNORED = -100


def from_released_ids(
    config: AvereConfig,
    input_ids: torch.Tensor,
    attention_mask: torch.Tensor | None = None,
    labels: torch.Tensor | None = None,
) -> dict[str, torch.Tensor]:
    """Released ids, mask and labels, each (batch, length) -> the same with every medium's placeholders written out.

    As in the released merge: padding is dropped by the mask, -200 becomes a frame's placeholders and -300 a sound's,
    their labels are -100, what is longer than `config.max_sequence_length` is cut, and rows are padded on the right
    (id 0, mask 0, label -100). `labels` is in the result only when given.

    Raises ValueError where the cut would go through a medium.
    """
    mask = torch.ones_like(input_ids) if attention_mask is None else attention_mask
    targets = torch.full_like(input_ids, IGNORED) if labels is None else labels
    rows = [
        _expand(config, ids[is_real], target[is_real])
        for ids, target, is_real in zip(input_ids, targets, mask.bool(), strict=True)
    ]

    def padded(column: list[torch.Tensor], value: int) -> torch.Tensor:
        return torch.nn.utils.rnn.pad_sequence(column, batch_first=True, padding_value=value)

    expanded = {
        "input_ids": padded([ids for ids, _ in rows], 0),
        "attention_mask": padded([torch.ones_like(ids, dtype=mask.dtype) for ids, _ in rows], 0),
    }
    return expanded if labels is None else expanded | {"labels": padded([target for _, target in rows], IGNORED)}


def _expand(config: AvereConfig, ids: torch.Tensor, labels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    counts = torch.ones_like(ids)
    counts[ids == FRAME_ID] = config.vision_config.tokens_per_frame
    counts[ids == SOUND_ID] = config.audio_tokens
    is_medium = (ids == FRAME_ID) | (ids == SOUND_ID)
    written = ids.masked_fill(ids == FRAME_ID, config.video_token_id)
    written = written.masked_fill(ids == SOUND_ID, config.audio_token_id)
    end = config.max_sequence_length
    if is_medium.repeat_interleave(counts)[end:].any():
        raise ValueError(f"the media of a sample do not fit in {end} tokens; shorten the text before them")
    labels = labels.masked_fill(is_medium, IGNORED)
    return written.repeat_interleave(counts)[:end], labels.repeat_interleave(counts)[:end]
