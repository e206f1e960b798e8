"""VideoLLaMA2.1-7B-AV: github.com/DAMO-NLP-SG/VideoLLaMA2, branch audio_visual (the main branch is deaf).

16 frames; with a picture the sound is heard in eight clips of 2 s, alone up to 30 s of it; greedy: as the checkpoint's
configuration and the repository say. Sound that it cannot read the repository replaces by silence and says so in a
print only; here that is an error.
"""

from __future__ import annotations

import protocol


class VideoLlama2(protocol.Worker):
    """Picture, sound or both, through `mm_infer`."""

    model = "VideoLLaMA2.1-7B-AV"
    modalities = ("video", "audio", "video+audio", "text")
    packages = ("torch", "transformers", "decord", "pytorchvideo")

    def load(self) -> None:
        """Load the checkpoint with the repository's `model_init`."""
        checkpoint = self.needs_checkpoint("the folder of DAMO-NLP-SG/VideoLLaMA2.1-7B-AV or that hub id")
        from videollama2 import mm_infer, model_init
        from videollama2.mm_utils import load_audio_from_video, process_audio_from_video
        from videollama2.utils import disable_torch_init

        disable_torch_init()
        self.infer, self.check_sound, self.joint_sound = mm_infer, load_audio_from_video, process_audio_from_video
        self.network, self.processor, self.tokenizer = model_init(checkpoint)

    def answer(self, request: protocol.Request) -> tuple[str, dict[str, float]]:
        """One greedy answer."""
        frames = self.processor["video"](request.video, va=False) if request.video else None
        media_used = request.media(0 if frames is None else len(frames), at_most=16 if request.video else 30)
        media, modal = self._combine(frames, request.audio)
        text = self.infer(
            media,
            request.prompt,
            model=self.network,
            tokenizer=self.tokenizer,
            modal=modal,
            do_sample=False,
            max_new_tokens=request.max_new_tokens,
        )
        return text, media_used

    def _combine(self, frames: object, audio: str | None) -> tuple[object, str]:
        """What `mm_infer` takes and its `modal`: what the repository's `va=True` makes, of the sound that is given."""
        if frames is None:
            return (self.processor["audio"](audio), "audio") if audio else (None, "text")
        if not audio:
            return frames, "video"
        self.check_sound(audio)  # raises where process_audio_from_video would put silence in its place
        return {"video": frames, "audio": self.joint_sound(audio, None)}, "video"


if __name__ == "__main__":
    raise SystemExit(protocol.run(VideoLlama2))
