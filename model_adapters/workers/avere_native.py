"""AVERE through this package's own model, in a process of its own: an example, and a way to another device.

`checkpoint` is a converted folder, or the word avere_nano for the embedded model. It asks transformers' plain
`generate` for one question at a time, on the CPU in float32 or on a GPU in bfloat16.
"""

from __future__ import annotations

import protocol


class AvereNative(protocol.Worker):
    """Picture, sound, both or text."""

    model = "AVERE"
    modalities = ("video", "audio", "video+audio", "text")
    packages = ("emorealm", "torch", "transformers")

    def load(self) -> None:
        """Load the folder as `--model avere` does."""
        checkpoint = self.needs_checkpoint("a folder made by model_adapters.avere.convert, or avere_nano")
        from model_adapters.avere import folders, loading
        from model_adapters.base import arguments, embedded

        folder = embedded.weights_folder(checkpoint)
        device = arguments.choose_device("auto", "avere_native")
        weights = folders.find_weights(str(folder))
        dtype = arguments.choose_dtype("auto", device, "avere_native")
        self.network = loading.load_model(weights.folder, device, dtype, None, weights.adapter)
        self.processor = loading.load_processor(weights.folder)
        self.model = f"AVERE ({weights.folder.name})"

    def answer(self, request: protocol.Request) -> tuple[str, dict[str, float]]:
        """One greedy answer."""
        import torch

        from emorealm_tasks import media

        count = self.network.config.vision_config.num_frames
        prompt = self.processor.prompt(request.prompt, video=bool(request.video), audio=bool(request.audio))
        inputs = self.processor(
            [prompt],
            videos=[media.read_frames(request.video, count)[0]] if request.video else None,
            audio=[media.read_audio(request.audio)] if request.audio else None,
        )
        inputs_on_device = {
            name: value.to(self.network.device, self.network.dtype if value.is_floating_point() else None)
            for name, value in inputs.items()
        }
        end = self.processor.tokenizer.eos_token_id
        with torch.inference_mode():
            output = self.network.generate(
                **inputs_on_device,
                max_new_tokens=request.max_new_tokens,
                do_sample=False,
                eos_token_id=end,
                pad_token_id=0,
            )
        new = output[0, inputs_on_device["input_ids"].shape[1] :]
        text = self.processor.tokenizer.decode(new, skip_special_tokens=True).strip()
        return text, request.media(count, at_most=30)


if __name__ == "__main__":
    raise SystemExit(protocol.run(AvereNative))
