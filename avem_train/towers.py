"""Trains the two towers as classifiers of cues, and keeps what they hand on.

A linear head reads every token that a tower hands on; a cue's logit is the log-sum-exp over the tokens, so one token is
enough to show it. After this the towers are frozen.
"""

import math
from dataclasses import dataclass

import torch
from torch import nn
from tqdm import tqdm

from avem_train.mini_clips import target_names
from model_adapters.avere import AvereForConditionalGeneration


@dataclass(frozen=True)
class Settings:
    """epochs over the training clips; batch: clips a step; learning_rate: peak, warm-up 50 steps, cosine to 0."""

    video_epochs: int = 6
    audio_epochs: int = 6
    batch: int = 64
    learning_rate: float = 1.5e-3


def states(model: AvereForConditionalGeneration, modality: str, inputs: torch.Tensor) -> torch.Tensor:
    """What a tower hands on: inputs of `clips` -> (clips, tokens, width).

    Video: all tokens of all frames before the projector. Audio: the Q-Former's outputs before its last linear map.
    """
    inner = model.model
    if modality == "video":
        return inner.video_tower(inputs, num_layers=model.config.vision_layers_run).flatten(1, 2)
    return inner.audio_projector.read(inner.audio_tower(inputs).last_hidden_state)


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
    return torch.cat([states(model, modality, part.float()).half() for part in inputs.split(128)])


def train(model: AvereForConditionalGeneration, modality: str, inputs: torch.Tensor, truth: torch.Tensor, count: int,
          settings: Settings) -> dict[str, float]:
    """Train one tower in place on the first `count` clips.

    inputs: float16 pixel values or mel features of all clips; truth: (clips, cues), see `mini_clips.targets`.
    Returns the balanced accuracy of each cue on the remaining clips, in percent.
    """
    epochs = settings.video_epochs if modality == "video" else settings.audio_epochs
    steps = epochs * (count // settings.batch)
    with torch.no_grad():
        width = states(model, modality, inputs[:1].float()).shape[-1]
    head = nn.Linear(width, truth.shape[1])
    nn.init.zeros_(head.weight)
    nn.init.constant_(head.bias, -3.0)  # cues are rare
    trained = [*_trained(model, modality), *head.parameters()]
    optimiser = torch.optim.AdamW(trained, lr=settings.learning_rate, weight_decay=0.01)
    model.train()
    bar = tqdm(range(steps), desc=f"{modality} tower", unit="step")
    order: list[torch.Tensor] = []
    for step in bar:
        order = order or list(torch.randperm(count)[: count - count % settings.batch].split(settings.batch))
        pick = order.pop()
        for group in optimiser.param_groups:
            cosine = 0.5 * (1 + math.cos(math.pi * step / steps))
            group["lr"] = settings.learning_rate * min(1.0, (step + 1) / 50) * cosine
        logits = torch.logsumexp(head(states(model, modality, inputs[pick].float())), dim=1)
        loss = nn.functional.binary_cross_entropy_with_logits(logits, truth[pick])
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(trained, 1.0)
        optimiser.step()
        if step % 10 == 0:
            bar.set_postfix(loss=f"{loss.item():.4f}")
    kept = encode(model, modality, inputs[count:]).float()
    with torch.no_grad():
        scores = balanced_accuracy(torch.logsumexp(head(kept), dim=1), truth[count:])
    named = dict(zip(target_names(modality), (100 * scores).round(decimals=1).tolist(), strict=True))
    worst = sorted(named.items(), key=lambda item: item[1])[:5]
    print(f"{modality} tower: balanced accuracy {100 * scores.mean():.1f}%; lowest: {worst}")
    return named
