"""MoSEAR (arXiv 2508.01181): its code is not public, so this worker refuses.

Who has the code replaces `load` and `answer`; nothing else is needed (protocol.py states what passes over the pipe).
MoSEAR is a model of the Emotion-LLaMA kind, so emotion_llama.py is the nearest example.
"""

from __future__ import annotations

import protocol


class Mosear(protocol.Worker):
    """Picture with sound, once there is code."""

    model = "MoSEAR"
    modalities = ("video+audio",)

    def load(self) -> None:
        """Refuse."""
        raise protocol.Refusal(
            "MoSEAR's code is not public; once you have it, fill in load and answer of workers/mosear.py "
            "and name your copy with worker=PATH"
        )


if __name__ == "__main__":
    raise SystemExit(protocol.run(Mosear))
