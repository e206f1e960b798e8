"""Aligns the projectors: what an encoder hands on comes to lie near the embeddings of the words that name it.

A few seconds on cached encoder states, before the language model learns anything. After it a question's word and the
medium it asks about look alike, so telling whether a cue is there is one act of matching, learnt once for all cues.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import nn
from tqdm import tqdm

from avem_train.nano.miniature import MODALITIES, Media, Miniature
from emorealm_tasks.mini.world.cues import BY_NAME, FEELINGS
from emorealm_tasks.mini.world.sampling import Clip


@dataclass(frozen=True)
class Alignment:
    """Settings of the training."""

    steps: int = 400
    """For each projector."""
    clips: int = 128
    """A step."""
    learning_rate: float = 2e-3
    """AdamW's peak; linear decay to 0."""


def named_by(clip: Clip, modality: str) -> list[str]:
    """The phrases that name what a modality of a clip shows: its cues, what it conveys, whether there is a reaction."""
    phrases = [phrase for name in [*clip.shown(modality), *clip.scene(modality)] for phrase in BY_NAME[name].phrases]
    return [*phrases, *FEELINGS[clip.emotion(modality)], *(["reacts"] if clip.matters(modality) else [])]


def word_truth(clips: list[Clip], modality: str, miniature: Miniature) -> tuple[torch.Tensor, torch.Tensor]:
    """Which pieces of the vocabulary name something in which clip.

    Returns (pieces,) ids and (clips, pieces) of 0 and 1; pieces that name nothing or nearly everything are left out.
    """
    present = torch.zeros(len(clips), len(miniature.tokenizer))
    for row, clip in enumerate(clips):
        for phrase in named_by(clip, modality):
            present[row, miniature.text_ids(phrase)] = 1
    share = present.mean(0)
    pieces = ((share > 0.003) & (share < 0.9)).nonzero()[:, 0]
    return pieces, present[:, pieces]


def align_projector(
    project: Callable[[torch.Tensor], torch.Tensor],
    parameters: list[nn.Parameter],
    states: torch.Tensor,
    words: torch.Tensor,
    truth: torch.Tensor,
    settings: Alignment,
) -> float:
    """Train one projector; returns the loss of the last step.

    project: encoder states (clips, tokens, width) -> embeddings (clips, tokens, hidden). words: embeddings of the
    pieces (pieces, hidden), fixed. truth: (clips, pieces). A piece's logit is the log-sum-exp over the tokens of the
    scaled cosine between token and piece: one token is enough to show it.
    """
    words = nn.functional.normalize(words.detach(), dim=-1)
    scale = nn.Parameter(torch.tensor(20.0))
    bias = nn.Parameter(torch.full((len(words),), -6.0))
    optimiser = torch.optim.AdamW(
        [
            {"params": parameters, "lr": settings.learning_rate},
            {"params": [scale, bias], "lr": 10 * settings.learning_rate},
        ],
        weight_decay=0.0,
    )
    decay = torch.optim.lr_scheduler.LinearLR(optimiser, 1.0, 0.01, settings.steps)
    for _ in tqdm(range(settings.steps), desc="alignment", unit="step", mininterval=5):
        pick = torch.randint(len(states), (settings.clips,))
        tokens = nn.functional.normalize(project(states[pick].float()), dim=-1)
        logits = torch.logsumexp(scale * tokens @ words.T, dim=1) + bias
        loss = nn.functional.binary_cross_entropy_with_logits(logits, truth[pick])
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        decay.step()
    return loss.item()


def align(miniature: Miniature, media: Media, settings: Alignment) -> dict[str, float]:
    """Align both projectors in place; returns "video" and "audio" -> loss of the last step."""
    embedded = miniature.model.get_input_embeddings().weight
    losses = {}
    for modality in MODALITIES:
        pieces, truth = word_truth(media.clips, modality, miniature)
        trained = [parameter for part in miniature.projectors(modality) for parameter in part.parameters()]
        states, project = getattr(media, modality), partial(miniature.project, modality)
        losses[modality] = align_projector(project, trained, states, embedded[pieces], truth, settings)
    return losses
