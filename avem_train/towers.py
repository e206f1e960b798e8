"""Trains the two towers as classifiers of cues, and keeps what they hand on.

A linear head reads every token that a tower hands on; a cue's logit is the log-sum-exp over the tokens, so one token is
enough to show it. After this the towers are frozen. The two share nothing, so each is trained in a process of its own.
"""

import hashlib
import math
import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn
from tqdm import tqdm

from avem_train import nano
from avem_train.mini_clips import rendered, target_names, targets
from emorealm_tasks.mini.world import Clip
from model_adapters.avere import AvereForConditionalGeneration, AvereProcessor

_OTHER = {"video": "audio", "audio": "video"}


@dataclass(frozen=True)
class Settings:
    """epochs over the training clips; batch: clips a step; learning rates: peak, warm-up 100 steps, cosine to 0."""

    video_epochs: int = 20
    audio_epochs: int = 11
    batch: int = 64
    video_learning_rate: float = 3e-3
    audio_learning_rate: float = 2e-3


def views(model: AvereForConditionalGeneration, modality: str, inputs: torch.Tensor) -> list[torch.Tensor]:
    """What the heads read, each (clips, tokens, width); the first is what the tower hands on.

    Video: all tokens of all frames before the projector. Audio: the Q-Former's outputs before its last linear map, and
    the means of the audio tower's own states over the same windows, since through the Q-Former alone it learns slowly.
    """
    inner = model.model
    if modality == "video":
        return [inner.video_tower(inputs, num_layers=model.config.vision_layers_run).flatten(1, 2)]
    heard = inner.audio_tower(inputs).last_hidden_state
    window, stride = model.config.qformer_config.window_states, model.config.qformer_config.stride_states
    return [inner.audio_projector.read(heard), heard.unfold(1, window, stride).mean(-1)]


def _trained(model: AvereForConditionalGeneration, modality: str) -> list[nn.Parameter]:
    inner = model.model
    if modality == "video":
        return list(inner.video_tower.parameters())
    kept = [p for name, p in inner.audio_projector.named_parameters() if not name.startswith("linear")]
    return [*(p for p in inner.audio_tower.parameters() if p.requires_grad), *kept]


def balanced_accuracy(logits: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """Mean of the recalls of present and of absent, for each column; logits and truth (clips, cues); in [0, 1]."""
    said, there = logits > 0, truth > 0.5
    return ((said & there).sum(0) / there.sum(0) + (~said & ~there).sum(0) / (~there).sum(0)) / 2


@torch.no_grad()
def encode(model: AvereForConditionalGeneration, modality: str, inputs: torch.Tensor) -> torch.Tensor:
    """Tower states of all clips, float16 (clips, tokens, width)."""
    model.eval()
    return torch.cat([views(model, modality, part.float())[0].half() for part in inputs.split(128)])


def _cue_loss(head: nn.Linear, view: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    return nn.functional.binary_cross_entropy_with_logits(torch.logsumexp(head(view), dim=1), truth)


def train(
    model: AvereForConditionalGeneration,
    modality: str,
    inputs: torch.Tensor,
    truth: torch.Tensor,
    count: int,
    settings: Settings,
) -> dict[str, float]:
    """Train one tower in place on the first `count` clips.

    inputs: float16 pixel values or mel features of all clips; truth: (clips, cues), see `mini_clips.targets`.
    Returns the balanced accuracy of each cue on the remaining clips, in percent.
    """
    epochs, peak = getattr(settings, f"{modality}_epochs"), getattr(settings, f"{modality}_learning_rate")
    steps = epochs * (count // settings.batch)
    with torch.no_grad():
        widths = [view.shape[-1] for view in views(model, modality, inputs[:1].float())]
    heads = nn.ModuleList(nn.Linear(width, truth.shape[1]) for width in widths)
    for head in heads:
        nn.init.zeros_(head.weight)
        nn.init.constant_(head.bias, -3.0)  # cues are rare
    trained = [*_trained(model, modality), *heads.parameters()]
    optimiser = torch.optim.AdamW(trained, lr=peak, weight_decay=0.01)
    model.train()
    bar = tqdm(range(steps), desc=f"{modality} tower", unit="step", mininterval=5)
    order: list[torch.Tensor] = []
    for step in bar:
        order = order or list(torch.randperm(count)[: count - count % settings.batch].split(settings.batch))
        pick = order.pop()
        for group in optimiser.param_groups:
            cosine = 0.5 * (1 + math.cos(math.pi * step / steps))
            group["lr"] = peak * min(1.0, (step + 1) / 100) * cosine
        read = views(model, modality, inputs[pick].float())
        losses = [_cue_loss(head, view, truth[pick]) for head, view in zip(heads, read, strict=True)]
        loss = sum(losses)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(trained, 1.0)
        optimiser.step()
        if step % 10 == 0:
            bar.set_postfix(loss=f"{losses[0].item():.4f}")
    kept = encode(model, modality, inputs[count:]).float()
    with torch.no_grad():
        scores = balanced_accuracy(torch.logsumexp(heads[0](kept), dim=1), truth[count:])
    named = dict(zip(target_names(modality), (100 * scores).round(decimals=1).tolist(), strict=True))
    worst = sorted(named.items(), key=lambda item: item[1])[:5]
    print(f"{modality} tower: balanced accuracy {100 * scores.mean():.1f}%; lowest: {worst}")
    return named


@dataclass
class Tower:
    """A trained tower: its part of the model's weights, its states of all clips, and its scores by cue."""

    weights: dict[str, torch.Tensor]
    states: torch.Tensor
    scores: dict[str, float]


def _learn(
    modality: str,
    shape: nano.Shape,
    processor: AvereProcessor,
    clips: list[Clip],
    count: int,
    settings: Settings,
    seed: int,
    kept: Path,
) -> Tower:
    mine = {name: value for name, value in vars(settings).items() if not name.startswith(_OTHER[modality])}
    key = hashlib.sha256(repr((modality, shape, clips, count, mine, seed)).encode()).hexdigest()
    if kept.exists() and (found := torch.load(kept, weights_only=True)).pop("key") == key:
        print(f"{modality} tower taken from {kept}")
        return Tower(**found)
    torch.set_num_threads(max(1, (os.cpu_count() or 2) // 2))
    torch.manual_seed(seed)
    model = nano.build_model(shape)
    truth = torch.from_numpy(np.stack([targets(clip, modality) for clip in clips]))
    inputs = rendered(clips, modality, processor)
    scores = train(model, modality, inputs, truth, count, settings)
    parts = ("model.video_tower.",) if modality == "video" else ("model.audio_tower.", "model.audio_projector.")
    weights = {name: value for name, value in model.state_dict().items() if name.startswith(parts)}
    tower = Tower(weights, encode(model, modality, inputs), scores)
    kept.parent.mkdir(parents=True, exist_ok=True)
    torch.save({"key": key, **vars(tower)}, kept)
    return tower


def learn(
    shape: nano.Shape,
    processor: AvereProcessor,
    clips: list[Clip],
    count: int,
    settings: Settings,
    seed: int,
    folder: Path,
) -> dict[str, Tower]:
    """Train both towers side by side, on the first `count` clips; the rest are for the scores.

    folder: where each tower is kept (`video_tower.pt`, `audio_tower.pt`), so that a run that was stopped later need not
    train it again; a kept tower is used if it was made from the same arguments. Returns "video" and "audio" -> tower.
    """
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool:
        work = {
            modality: pool.submit(
                _learn, modality, shape, processor, clips, count, settings, seed, folder / f"{modality}_tower.pt"
            )
            for modality in _OTHER
        }
        return {modality: future.result() for modality, future in work.items()}
