"""Qwen2.5-Omni's thinker for preference training: text out, video and sound in, through transformers' own classes.

Video and sound stand in blocks of their own (`separate`, not interleaved), so that one can be replaced without the
other. Rotary positions are triples: those of a prompt are transformers' own (`get_rope_index`), and a response goes on
one behind the prompt's largest, in every branch.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import Qwen2_5OmniProcessor, Qwen2_5OmniThinkerForConditionalGeneration

from avem_train import attention
from avem_train.backbone import Prompt, Towers, UnreadableMedium
from avem_train.forest import Token
from avem_train.negatives import altered
from avem_train.replies import Source
from emorealm_tasks import media
from model_adapters.avere.clips import FeatureStore
from model_adapters.system_prompts import QWEN_OMNI

FRAMES_PER_SECOND = 2
MOST_FRAMES = 16


@dataclass(frozen=True)
class Extent:
    """How long a medium is: `tokens` in the prompt; a video's grid (time, height, width) in patches and the seconds a
    step of it stands for; a sound's mel frames.
    """

    tokens: int
    grid: tuple[int, int, int] = (0, 0, 0)
    seconds: float = 0.0
    mel: int = 0


class QwenBackbone:
    """See `backbone.Backbone`."""

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
        self.template = f"{chat('?', '')} {FRAMES_PER_SECOND} {MOST_FRAMES} {processor.video_processor.to_dict()}"
        owner = model.model if hasattr(model.model, "visual") else model  # transformers up to 5.20 has them outside
        self._towers = Towers(owner, ("visual", "audio_tower"))
        attention.install(model.get_decoder())
        self._store = FeatureStore(cache_bytes)
        self._extents: dict[Source, Extent] = {}

    @classmethod
    def load(cls, folder: Path, device: torch.device, dtype: torch.dtype, cache_bytes: int) -> "QwenBackbone":
        """The thinker of a folder of the whole Qwen2.5-Omni, or of a thinker alone."""
        model = Qwen2_5OmniThinkerForConditionalGeneration.from_pretrained(folder, dtype=dtype, local_files_only=True)
        processor = Qwen2_5OmniProcessor.from_pretrained(folder, local_files_only=True)
        return cls(model.to(device).eval(), processor, folder, cache_bytes)

    @torch.no_grad()
    def encode(self, sources: Sequence[Source]) -> dict[Source, torch.Tensor]:
        """Projected features (tokens, hidden) of each source. Raises UnreadableMedium."""
        features = {}
        for source in sources:
            kept = self._store.get(source)
            if kept is None:
                try:
                    kept = self._video(source) if source.kind == "video" else self._sound(source)
                except media.MediaError as error:
                    raise UnreadableMedium(str(error)) from error
                self._store.put(source, kept)
            features[source] = kept.to(self.model.device)
        return features

    def prefetch(self, sources: Sequence[Source]) -> None:
        """Nothing to do: a medium is read when it is encoded."""

    def _video(self, source: Source) -> torch.Tensor:
        seconds = media.probe(source.path).seconds
        count = min(MOST_FRAMES, max(2, 2 * round(seconds * FRAMES_PER_SECOND / 2)))
        frames, _ = media.read_frames(source.path, count)
        # the processor's own call, not its video processor's: it has sizes of its own
        made = self.processor(
            text=self.processor.video_token,
            videos=[frames],
            fps=count / seconds,
            do_sample_frames=False,
            return_tensors="pt",
        )
        visual, grid = self._towers.visual, made["video_grid_thw"]
        pixels = altered(made["pixel_values_videos"], source.noise)
        features = visual(pixels.to(self.model.device, visual.dtype), grid_thw=grid.to(self.model.device)).pooler_output
        step = float(made["video_second_per_grid"][0])
        self._extents[source] = Extent(len(features), grid=tuple(grid[0].tolist()), seconds=step)
        return features

    def _sound(self, source: Source) -> torch.Tensor:
        wave = media.read_audio(source.path, self.processor.feature_extractor.sampling_rate)
        made = self.processor(text=self.processor.audio_token, audio=[wave], return_tensors="pt")
        mel = altered(made["input_features"][0][:, made["feature_attention_mask"][0].bool()], source.noise)
        tower = self._towers.audio_tower
        length = torch.tensor([mel.shape[1]], device=self.model.device)
        after_cnn, _ = tower._get_feat_extract_output_lengths(length)
        features = tower(
            mel.to(self.model.device, tower.dtype), feature_lens=length, aftercnn_lens=after_cnn
        ).last_hidden_state
        self._extents[source] = Extent(len(features), mel=mel.shape[1])
        return features

    def prompt(self, text: str, sources: Sequence[Source]) -> Prompt:
        """ChatML with the default system text; media in front of the text."""
        tokenizer = self.processor.tokenizer
        ids = tokenizer.encode(chat(text, self._blocks(sources)), add_special_tokens=False)
        positions = self._positions(ids, sources)
        config = self.model.config
        of = {config.video_token_id: "video", config.audio_token_id: "audio"}
        by_kind = {source.kind: source for source in sources}
        rows = {"video": 0, "audio": 0}
        tokens = []
        for id_, position in zip(ids, positions, strict=True):
            kind = of.get(id_)
            tokens.append(Token(id_, position, by_kind[kind], rows[kind]) if kind else Token(id_, position))
            if kind:
                rows[kind] += 1
        return Prompt(tuple(tokens), 1 + max(map(max, positions)))

    def _blocks(self, sources: Sequence[Source]) -> str:
        own = self.processor
        marks = {
            "video": (own.vision_bos_token, own.video_token, own.vision_eos_token),
            "audio": (own.audio_bos_token, own.audio_token, own.audio_eos_token),
        }
        blocks = ""
        for source in sources:
            opening, token, closing = marks[source.kind]
            blocks += opening + token * self._extents[source].tokens + closing
        return blocks

    def _positions(self, ids: Sequence[int], sources: Sequence[Source]) -> list[tuple[int, int, int]]:
        """Time, height and width of each id."""
        extents = {source.kind: self._extents[source] for source in sources}
        given: dict[str, Any] = {}
        if "video" in extents:
            given["video_grid_thw"] = torch.tensor([extents["video"].grid])
            given["second_per_grids"] = torch.tensor([extents["video"].seconds])
        if "audio" in extents:
            given["audio_seqlens"] = torch.tensor([extents["audio"].mel])
        line = torch.tensor([list(ids)])
        found, _ = self.model.get_rope_index(line, attention_mask=torch.ones_like(line), **given)
        return [tuple(position) for position in found[:, 0].T.tolist()]

    def response(self, text: str) -> list[int]:
        """Ids of a response and of the mark that ends a turn."""
        tokenizer = self.processor.tokenizer
        return [*tokenizer.encode(text, add_special_tokens=False), tokenizer.eos_token_id]

    def close(self) -> None:
        """Put the towers back; forget the features."""
        self._store = FeatureStore(0)
        self._towers.put_back()
        attention.remove(self.model.get_decoder())


def chat(text: str, blocks: str) -> str:
    """A user's turn of media blocks and text, and the opening of the answer."""
    system = f"<|im_start|>system\n{QWEN_OMNI}<|im_end|>\n"
    return f"{system}<|im_start|>user\n{blocks}{text}<|im_end|>\n<|im_start|>assistant\n"
