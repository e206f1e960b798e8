"""Positions of interleaved sound and picture in vLLM, as transformers and the official code number them.

vLLM (measured on 0.32, since its pull request 32772) numbers the tokens of a video with its sound from the token that
opens the sound, but counts neither that token nor those that close sound and video: each medium's token has the
position of its neighbour. `AlignedPositions` adds them where they are missing. vLLM takes it as a worker extension, so
it reaches the model in whatever process it lives.
"""

from typing import Any

import numpy as np


def with_marks(positions: np.ndarray, start: int) -> np.ndarray:
    """Positions (3, tokens) of interleaved media that begin at `start` -> (3, tokens + 3), those of their marks too.

    <vision_bos> and <audio_bos> share a position, the one before `start`; <audio_eos> and <vision_eos> share the one
    after the last.
    """
    opening = np.full((3, 1), start - 1, positions.dtype)
    closing = np.full((3, 2), positions.max() + 1, positions.dtype)
    return np.concatenate([opening, positions, closing], axis=1)


class AlignedPositions:
    """What vLLM adds to its workers."""

    model_runner: Any
    """vLLM's own, which runs the model in this worker."""

    def align_positions(self) -> bool:
        """Correct the model of this worker; whether it needed that, which it does once."""
        kind = type(self.model_runner.get_model())
        numbered = kind._compute_interleaved_positions
        if getattr(numbered, "aligned", False):
            return False

        def aligned(model: Any, start: int, media: dict[str, Any]) -> tuple[np.ndarray, int]:
            positions, count = numbered(model, start, media)
            tokens = media["grid_t"] * media["grid_h"] * media["grid_w"]
            tokens += model._compute_audio_token_count(media["audio_feature_length"])
            if count != tokens:  # a vLLM that counts the marks
                return positions, count
            return with_marks(positions, start), count + 3

        aligned.aligned = True  # type: ignore[attr-defined]  # a mark on the replaced method
        kind._compute_interleaved_positions = aligned
        return True
