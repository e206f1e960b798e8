"""MoSEAR (arXiv 2508.01181): its code is not public, so this worker refuses.

Who has the code replaces `load` and `answer`; nothing else is needed (protocol.py states what passes over the pipe).
MoSEAR is a model of the Emotion-LLaMA kind, so emotion_llama_released.py is the nearest example.
"""

from __future__ import annotations

import protocol

MISSING = (
    "MoSEAR's code is not public; once you have it, fill in load and answer of workers/mosear.py "
    "and name your copy with worker=PATH"
)


class Mosear(protocol.Worker):
    """Picture with sound, once there is code."""

    model = "MoSEAR"
    modalities = ("video+audio",)

    def load(self) -> None:
        """Refuse."""
        raise protocol.Refusal(MISSING)

    def answer(self, request: protocol.Request) -> str:
        """Refuse, for who fills in `load` alone."""
        raise protocol.Refusal(MISSING)


if __name__ == "__main__":
    raise SystemExit(protocol.run(Mosear))
