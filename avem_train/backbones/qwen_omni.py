"""Qwen2.5-Omni's thinker for training: text out, video and sound in, through transformers' own classes.

Video and sound stand in blocks of their own (not interleaved), so that one can be replaced without the other. Prompts
and media are made by the harness's own code, and `answering` tells it to ask the trained model the same way. Rotary
positions are triples: those of a prompt are transformers' own (`get_rope_index`), and a response goes on one behind the
prompt's largest, in every branch.
"""

from collections.abc import Hashable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from transformers import BatchFeature, Qwen2_5OmniProcessor, Qwen2_5OmniThinkerForConditionalGeneration

from avem_train.backbones.base import Clip, FrozenEncoders, Prompt, UnreadableMedium, sources_of
from avem_train.data.negatives import altered
from avem_train.data.responses import Source
from avem_train.packing import attention
from avem_train.packing.tree import Token
from emorealm_tasks import media
from emorealm_tasks.errors import stop
from model_adapters.avere.clips import FeatureStore
from model_adapters.base import weight_checks
from model_adapters.base.arguments import first_line
from model_adapters.base.frame_sampling import QWEN, read
from model_adapters.base.media_refs import ClipFiles
from model_adapters.base.system_prompts import QWEN_OMNI
from model_adapters.base.training_prompt import Answering
from model_adapters.in_process.prompts import omni_inputs, templated

ANSWERING = Answering(interleave=False, fps=QWEN.fps, frames=16, least=QWEN.least)
"""How prompts are made here: as in evaluation, but for blocks of their own, and for fewer frames, for memory."""


_TURN = "<|im_start|>"


@dataclass(frozen=True)
class Extent:
    """How long a medium is."""

    tokens: int
    """In the prompt."""
    grid: tuple[int, int, int] = (0, 0, 0)
    """Of a video: time, height and width in patches."""
    seconds: float = 0.0
    """Of a video: what a step of the grid's time stands for."""
    mel: int = 0
    """Of a sound: mel frames."""


class QwenBackbone:
    """See `base.Backbone`."""

    def __init__(
        self,
        model: Qwen2_5OmniThinkerForConditionalGeneration,
        processor: Qwen2_5OmniProcessor,
        folder: Path,
        cache_bytes: int,
    ) -> None:
        self.model = model
        self.processor = processor
        self.folder = folder
        self.answering = asdict(ANSWERING)
        self._sampling = replace(ANSWERING.sampling(QWEN), rate=processor.feature_extractor.sampling_rate)
        self.template = f"{self._chat('?', ('video', 'audio'))} {self._sampling} {processor.video_processor.to_dict()}"
        owner = model.model if hasattr(model.model, "visual") else model  # transformers up to 5.20 has them outside
        self._encoders = FrozenEncoders(owner, ("visual", "audio_tower"))
        attention.install(model.get_decoder())
        self._store = FeatureStore[Source](cache_bytes)
        self._extents: dict[Source, Extent] = {}

    @classmethod
    def load(
        cls, folder: Path, device: torch.device, dtype: torch.dtype, cache_bytes: int, **options: Any
    ) -> "QwenBackbone":
        """The thinker of a folder of the whole Qwen2.5-Omni, or of a thinker alone. Stops where it is not complete.

        `options` go to `from_pretrained`.
        """
        try:
            model = weight_checks.load_whole(
                Qwen2_5OmniThinkerForConditionalGeneration, str(folder), dtype=dtype, local_files_only=True, **options
            )
        except weight_checks.Unusable as error:
            stop(f"model={folder}: {error}; download it again, or name another folder")
        try:
            processor = Qwen2_5OmniProcessor.from_pretrained(folder, local_files_only=True)
        except Exception as error:  # of whatever kind the files are broken in
            stop(f"model={folder}: its processor cannot be loaded ({first_line(error)}); download it again")
        return cls(model.to(device).eval(), processor, folder, cache_bytes)  # type: ignore[arg-type]  # as in `loading.place`

    def encode(self, clips: Sequence[Clip]) -> dict[Hashable, torch.Tensor]:
        """Projected features (tokens, hidden) of each source. Raises UnreadableMedium."""
        features: dict[Hashable, torch.Tensor] = {}
        for source in sources_of(clips):
            cached = self._store.get(source)
            if cached is None:
                try:
                    with self._encoders.gradients():
                        cached = self._video(source) if source.kind == "video" else self._sound(source)
                except media.MediaError as error:
                    raise UnreadableMedium(str(error)) from error
                self._store.put(source, cached)
            features[source] = cached.to(self.model.device)
        return features

    def prefetch(self, sources: Sequence[Source]) -> None:
        """Nothing to do: a medium is read when it is encoded."""

    def _read(self, prompt: str, clip: ClipFiles) -> BatchFeature:
        """What the processor makes of a clip with one medium. Raises MediaError."""
        clip_media = read(clip, self._sampling)
        return omni_inputs(self.processor, prompt, clip_media, self._sampling.rate, ANSWERING.interleave)

    def _video(self, source: Source) -> torch.Tensor:
        inputs = self._read(self.processor.video_token, ClipFiles(source.path, None))
        visual, grid = self._encoders.visual, inputs["video_grid_thw"]
        pixels = altered(inputs["pixel_values_videos"], source.noise)
        features = visual(pixels.to(self.model.device, visual.dtype), grid_thw=grid.to(self.model.device)).pooler_output
        step = float(inputs["video_second_per_grid"][0])
        time, height, width = grid[0].tolist()
        self._extents[source] = Extent(len(features), grid=(time, height, width), seconds=step)
        return features

    def _sound(self, source: Source) -> torch.Tensor:
        inputs = self._read(self.processor.audio_token, ClipFiles(None, source.path))
        mel = altered(inputs["input_features"][0][:, inputs["feature_attention_mask"][0].bool()], source.noise)
        audio = self._encoders.audio_tower
        length = torch.tensor([mel.shape[1]], device=self.model.device)
        after_cnn, _ = audio._get_feat_extract_output_lengths(length)
        features = audio(
            mel.to(self.model.device, audio.dtype), feature_lens=length, aftercnn_lens=after_cnn
        ).last_hidden_state
        self._extents[source] = Extent(len(features), mel=mel.shape[1])
        return features

    def prompt(self, text: str, sources: Clip) -> Prompt:
        """The checkpoint's chat template with the default system text; media in front of the text."""
        chat = self._chat(text, [source.kind for source in sources])
        for source in sources:  # the first of its mark is the block's: the text stands behind
            mark = self._mark(source.kind)
            chat = chat.replace(mark, mark * self._extents[source].tokens, 1)
        ids = self.processor.tokenizer(chat)["input_ids"]
        positions = self._positions(ids, sources)
        config = self.model.config
        by_kind: dict[str, Source] = {source.kind: source for source in sources}
        of = {config.video_token_id: "video", config.audio_token_id: "audio"}
        rows = {"video": 0, "audio": 0}
        tokens = []
        for id_, position in zip(ids, positions, strict=True):
            kind = of.get(id_)
            tokens.append(Token(id_, position, by_kind[kind], rows[kind]) if kind else Token(id_, position))
            if kind:
                rows[kind] += 1
        return Prompt(tuple(tokens), 1 + max(map(max, positions)))

    def _chat(self, text: str, blocks: Sequence[str]) -> str:
        return templated(self.processor, blocks, text, QWEN_OMNI)

    def _mark(self, kind: str) -> str:
        return self.processor.video_token if kind == "video" else self.processor.audio_token

    def _positions(self, ids: Sequence[int], sources: Sequence[Source]) -> list[tuple[int, int, int]]:
        """Time, height and width of each id."""
        extents = {source.kind: self._extents[source] for source in sources}
        extent_inputs: dict[str, Any] = {}
        if "video" in extents:
            extent_inputs["video_grid_thw"] = torch.tensor([extents["video"].grid])
            extent_inputs["second_per_grids"] = torch.tensor([extents["video"].seconds])
        if "audio" in extents:
            extent_inputs["audio_seqlens"] = torch.tensor([extents["audio"].mel])
        line = torch.LongTensor([list(ids)])
        position_ids, _ = self.model.get_rope_index(line, attention_mask=torch.ones_like(line), **extent_inputs)
        return [(time, height, width) for time, height, width in position_ids[:, 0].T.tolist()]

    def response(self, text: str) -> list[int]:
        """Ids of a response and of the mark that ends a turn."""
        tokenizer = self.processor.tokenizer
        return [*tokenizer.encode(text, add_special_tokens=False), tokenizer.eos_token_id]

    def follow_up(self, text: str) -> list[int]:
        """Ids of another turn of the user, as the chat template writes it, behind the mark that ended the last one."""
        chat = self._chat(text, ())
        return self.processor.tokenizer("\n" + chat[chat.rindex(f"{_TURN}user") :])["input_ids"]

    @property
    def projectors(self) -> Sequence[str]:
        """The last map of each encoder."""
        inside = "model." if self._encoders.owner is not self.model else ""
        return (f"{inside}visual.merger", f"{inside}audio_tower.proj")

    def train_projectors(self) -> None:
        """See `base.Backbone`."""
        self._encoders.put_back()
        self._store = FeatureStore[Source](0)

    def close(self) -> None:
        """Put the encoders back; forget the features."""
        self._store = FeatureStore[Source](0)
        self._encoders.put_back()
        attention.remove(self.model.get_decoder())
