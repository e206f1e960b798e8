"""Kimi-Audio-7B-Instruct: github.com/MoonshotAI/Kimi-Audio.

As its infer.py does: the text first, then the sound, no system message, text out (the speech decoder is not loaded),
temperature 0. It takes sound only.
"""

from __future__ import annotations

import protocol


class Kimi(protocol.Worker):
    """Sound, through `KimiAudio.generate`."""

    model = "Kimi-Audio-7B-Instruct"
    modalities = ("audio",)
    packages = ("torch", "transformers", "flash-attn")

    def load(self) -> None:
        """Load the checkpoint with the repository's `KimiAudio`."""
        checkpoint = self.needs_checkpoint("the folder of moonshotai/Kimi-Audio-7B-Instruct or that hub id")
        from kimia_infer.api.kimia import KimiAudio

        self.network = KimiAudio(model_path=checkpoint, load_detokenizer=False)

    def answer(self, request: protocol.Request) -> tuple[str, dict[str, float]]:
        """One greedy answer."""
        media_used = request.media()
        turn = [
            {"role": "user", "message_type": "text", "content": request.prompt},
            {"role": "user", "message_type": "audio", "content": request.audio},
        ]
        _, text = self.network.generate(
            turn,
            output_type="text",
            text_temperature=0.0,
            text_top_k=5,
            audio_temperature=0.0,
            audio_top_k=5,
            max_new_tokens=request.max_new_tokens,
        )
        return text.strip(), media_used


if __name__ == "__main__":
    raise SystemExit(protocol.run(Kimi))
