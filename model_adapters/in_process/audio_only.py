"""Models that only hear: the picture of a clip is never decoded, whatever the task hands over."""

from collections.abc import Mapping

from torch import Tensor
from transformers import (
    AudioFlamingo3ForConditionalGeneration,
    AudioFlamingo3Processor,
    Qwen2AudioForConditionalGeneration,
    Qwen2AudioProcessor,
)

from model_adapters.base.frame_sampling import ClipMedia
from model_adapters.in_process.base import InProcessChat
from model_adapters.in_process.prompts import sound_inputs


class AudioOnlyAV(InProcessChat):
    """See `InProcessChat`."""

    def process(self, prompt: str, clip_media: ClipMedia) -> Mapping[str, Tensor]:
        """The waveform at the rate of the feature extractor."""
        return sound_inputs(self.processor, prompt, clip_media, self.reader.sampling.rate)


class Qwen2AudioAV(AudioOnlyAV):
    """Qwen2-Audio with its default conversation template (Appendix D.4); of longer sounds it hears the first 30 s."""

    name = "qwen2_audio_av"
    model_class = Qwen2AudioForConditionalGeneration
    processor_class = Qwen2AudioProcessor
    model_types = ("qwen2_audio",)


class AudioFlamingo3AV(AudioOnlyAV):
    """Audio Flamingo 3 with its default template (Appendix D.4); windows of 30 s, ten minutes at most."""

    name = "audio_flamingo3_av"
    model_class = AudioFlamingo3ForConditionalGeneration
    processor_class = AudioFlamingo3Processor
    model_types = ("audioflamingo3",)
