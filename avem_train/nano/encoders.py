"""Trains the two encoders as classifiers of cues, and caches what they hand on.

A linear head reads every token that an encoder hands on; a cue's logit is the log-sum-exp over the tokens, so one
token is enough to show it. After this the encoders are frozen. The two share nothing, so each is trained in a process
of its own.
"""

import hashlib
import multiprocessing
import os
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from tqdm import tqdm

from avem_train.nano.miniature import Miniature, Shape
from avem_train.nano.optimiser import MuonAdamW, Schedule, split
from avem_train.nano.rendered_clips import rendered, target_names, targets
from emorealm_tasks import files
from emorealm_tasks.interruption import follow_parent
from emorealm_tasks.mini.world.sampling import Clip
from emorealm_tasks.untrusted import brief

_OTHER = {"video": "audio", "audio": "video"}


@dataclass(frozen=True)
class Settings:  # its name is part of the keys of cached stages
    """Of both trainings; the learning rates have a warm-up of 100 steps and go to 0 as a cosine (see `optimiser`)."""

    video_steps: int = 1050
    """Updates of the video encoder."""
    audio_steps: int = 480
    """Updates of the audio encoder."""
    batch: int = 64
    """Clips a step."""
    video_learning_rate: float = 3e-3
    """AdamW's peak."""
    audio_learning_rate: float = 2e-3
    """AdamW's peak."""
    more_video: int = 10000
    """Further clips, for the video encoder alone: pictures are drawn in no time, sounds take long."""


def balanced_accuracy(logits: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """Mean of the recalls of present and of absent, for each column; logits and truth (clips, cues); in [0, 1]."""
    predicted, present = logits > 0, truth > 0.5
    return ((predicted & present).sum(0) / present.sum(0) + (~predicted & ~present).sum(0) / (~present).sum(0)) / 2


@torch.no_grad()
def encode(miniature: Miniature, modality: str, inputs: torch.Tensor) -> torch.Tensor:
    """Encoder states of all clips, float16 (clips, tokens, width)."""
    miniature.model.eval()
    return torch.cat([miniature.views(modality, part.float())[0].half() for part in inputs.split(128)])


def states(miniature: Miniature, modality: str, clips: list[Clip], cached: Path) -> torch.Tensor:
    """What `encode` makes of clips; from the file `cached` where an earlier run made it of the same."""
    digest = hashlib.sha256(repr(clips).encode())
    for name, value in miniature.model.state_dict().items():
        if name.startswith(miniature.ENCODERS[modality]):
            digest.update(value.numpy().tobytes())
    key = digest.hexdigest()
    if earlier := read_cached(cached, key):
        return earlier["states"]
    made = encode(miniature, modality, rendered(clips, modality, miniature))
    with files.draft(cached) as beside:
        torch.save({"key": key, "states": made}, beside)
    return made


def _cue_loss(head: nn.Linear, view: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    return nn.functional.binary_cross_entropy_with_logits(torch.logsumexp(head(view), dim=1), truth)


def train(
    miniature: Miniature, modality: str, inputs: torch.Tensor, truth: torch.Tensor, settings: Settings
) -> nn.Linear:
    """Train one encoder in place; returns the head that reads what the encoder hands on.

    inputs: float16, see `rendered_clips.rendered`; truth: (clips, cues), see `rendered_clips.targets`.
    """
    with torch.no_grad():
        widths = [view.shape[-1] for view in miniature.views(modality, inputs[:1].float())]
    heads = [nn.Linear(width, truth.shape[1]) for width in widths]
    for head in heads:
        nn.init.zeros_(head.weight)
        nn.init.constant_(head.bias, -3.0)  # cues are rare
    matrices, other_parameters = split(miniature.model, miniature.encoder_parameters(modality))
    steps, peak = getattr(settings, f"{modality}_steps"), getattr(settings, f"{modality}_learning_rate")
    of_heads = [parameter for head in heads for parameter in head.parameters()]
    optimiser = MuonAdamW(matrices, [*other_parameters, *of_heads], Schedule(steps, peak))
    miniature.model.train()
    bar = tqdm(range(steps), desc=f"{modality} encoder", unit="step", mininterval=5)
    order: list[torch.Tensor] = []
    for step in bar:
        order = order or list(torch.randperm(len(inputs)).split(settings.batch))
        pick = order.pop()
        read = miniature.views(modality, inputs[pick].float())
        losses = [_cue_loss(head, view, truth[pick]) for head, view in zip(heads, read, strict=True)]
        optimiser.update(sum(losses, start=torch.zeros(())), step)
        if step % 10 == 0:
            bar.set_postfix(loss=f"{losses[0].item():.4f}")
    return heads[0]


@torch.no_grad()
def cue_scores(head: nn.Linear, states: torch.Tensor, truth: torch.Tensor, modality: str) -> dict[str, float]:
    """Balanced accuracy of each cue in percent, from encoder states (clips, tokens, width) and truth (clips, cues)."""
    scores = balanced_accuracy(torch.logsumexp(head(states.float()), dim=1), truth)
    score_by_cue = dict(zip(target_names(modality), (100 * scores).round(decimals=1).tolist(), strict=True))
    worst = sorted(score_by_cue.items(), key=lambda item: item[1])[:5]
    print(f"{modality} encoder: balanced accuracy {100 * scores.mean():.1f}%; lowest: {worst}")
    return score_by_cue


@dataclass(frozen=True)
class ClipDataset:
    """What the encoders learn from."""

    family: type[Miniature]
    """Of the model that they are part of."""
    shape: Shape
    """Of that model."""
    processor: Any
    """What makes their inputs."""
    clips: list[Clip]
    """The first `count` are learnt from, the rest are for the scores; the states of all are cached."""
    count: int
    """See `clips`."""
    more_video: list[Clip]
    """Further clips whose pictures are learnt from."""
    settings: Settings
    """Steps, batch and learning rates."""
    seed: int
    """Of the weights and the batches."""

    def learnt_from(self, modality: str) -> list[Clip]:
        """The clips that an encoder is trained on."""
        return [*self.clips[: self.count], *(self.more_video if modality == "video" else [])]

    def key(self, modality: str) -> str:
        """What a trained encoder depends on."""
        own_settings = {
            name: value for name, value in vars(self.settings).items() if not name.startswith(_OTHER[modality])
        }
        made_from = (modality, self.shape, self.clips, self.learnt_from(modality), own_settings, self.seed)
        return hashlib.sha256(repr(made_from).encode()).hexdigest()


@dataclass
class Encoder:
    """A trained encoder."""

    weights: dict[str, torch.Tensor]
    """Its part of the model's."""
    states: torch.Tensor
    """Of the dataset's clips."""
    scores: dict[str, float]
    """By cue."""
    seconds: int
    """That the training took."""


def _truth(clips: list[Clip], modality: str) -> torch.Tensor:
    return torch.from_numpy(np.stack([targets(clip, modality) for clip in clips]))


def read_cached(path: Path, key: str) -> dict[str, Any]:
    """What an earlier run cached under that key; {} where there is nothing or a damaged file: then it is made again."""
    try:
        cached = torch.load(path, weights_only=True) if path.is_file() else None
    except Exception as error:  # of whatever kind the file is broken in
        print(f"{path}: cannot be read ({brief(error)}), made again")
        return {}
    if not isinstance(cached, dict) or cached.get("key") != key:
        return {}
    return {name: value for name, value in cached.items() if name != "key"}


def _kept(modality: str, dataset: ClipDataset, cached: Path) -> Encoder | None:
    """What an earlier run made from the same dataset."""
    earlier = read_cached(cached, dataset.key(modality))
    if not earlier:
        return None
    print(f"{modality} encoder taken from {cached}")
    return Encoder(**earlier)


def _learn(modality: str, dataset: ClipDataset, cached: Path) -> Encoder:
    started = time.monotonic()
    torch.set_num_threads(max(1, (os.cpu_count() or 2) // 2))
    torch.manual_seed(dataset.seed)
    miniature = dataset.family(dataset.shape, dataset.processor)
    learnt_from = dataset.learnt_from(modality)
    held_out = dataset.clips[dataset.count :]
    inputs = rendered([*learnt_from, *held_out], modality, miniature)
    fitted, checked = inputs.tensor_split([len(learnt_from)])
    head = train(miniature, modality, fitted, _truth(learnt_from, modality), dataset.settings)
    states = torch.cat([encode(miniature, modality, part) for part in (fitted[: dataset.count], checked)])
    scores = cue_scores(head, states[dataset.count :], _truth(held_out, modality), modality)
    state = miniature.model.state_dict()
    weights = {name: value for name, value in state.items() if name.startswith(miniature.ENCODERS[modality])}
    encoder = Encoder(weights, states, scores, round(time.monotonic() - started))
    cached.parent.mkdir(parents=True, exist_ok=True)
    with files.draft(cached) as beside:
        torch.save({"key": dataset.key(modality), **vars(encoder)}, beside)
    return encoder


def learn(dataset: ClipDataset, folder: Path) -> dict[str, Encoder]:
    """Train both encoders side by side.

    folder: where each encoder is cached (`video_tower.pt`, `audio_tower.pt`), so that a run that was stopped later goes
    on with it; a cached encoder is used if it was made from the same dataset. Returns "video" and "audio" -> encoder.
    """
    files_of = {modality: folder / f"{modality}_tower.pt" for modality in _OTHER}
    kept = {
        modality: encoder
        for modality, cached in files_of.items()
        if (encoder := _kept(modality, dataset, cached)) is not None
    }
    missing = [modality for modality in files_of if modality not in kept]
    if not missing:
        return kept
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])  # torch and transformers are imported once, not once an encoder
    with ProcessPoolExecutor(len(missing), context, follow_parent) as pool:
        work = {modality: pool.submit(_learn, modality, dataset, files_of[modality]) for modality in missing}
        return kept | {modality: future.result() for modality, future in work.items()}
