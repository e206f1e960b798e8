"""How the embedded reference model comes to be: towers learn the cues, then the language model learns to answer.

Stages: a vocabulary; the two towers as classifiers of cues; tower features of every training clip, kept; the projectors
and the language model on captions, on telling which cues are there, and on balanced instructions; then a short biased
stage, which gives the model the weakness that the paper studies (Section 1): it says yes too readily. Where the biased
stage stops is chosen on the validation world. A run that was stopped goes on after its last finished stage.
"""

import hashlib
import json
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from avem_train import nano, towers
from avem_train.nano import Media
from avem_train.packing import branch_loss, collate, pack
from avem_train.towers import Settings as TowerSettings
from avem_train.validation import Exam, Scores, validate
from emorealm_tasks.mini.instructions import Bias, instructions
from emorealm_tasks.mini.plan import plan
from emorealm_tasks.mini.world import Clip, generator, sample_clip
from model_adapters.avere import AvereForConditionalGeneration, AvereProcessor


@dataclass(frozen=True)
class Stage:
    """One stage of supervised fine-tuning.

    steps: optimiser steps. clips: clips a step. segments: instructions about each clip. learning_rate: peak, with
    linear warm-up over 3% of the steps and cosine decay to `floor` of it. hidden: share of clips whose media are
    withheld, so that the text prior means something. mix: kind of instruction -> weight. confounded: share of clips
    from the confounded world. no_share, confounded_yes, hallucinated_yes: see `instructions.Bias`. stop_between: end as
    soon as the validation accuracies of both kinds of no (spurious, hallucination) lie between these, in percent;
    empty = never. every: steps between such looks. bf16: autocast the forward pass.
    """

    steps: int
    mix: dict
    clips: int = 16
    segments: int = 6
    learning_rate: float = 2e-3
    floor: float = 0.05
    hidden: float = 0.08
    confounded: float = 0.0
    no_share: float = 0.5
    confounded_yes: float = 0.0
    hallucinated_yes: float = 0.0
    stop_between: list = field(default_factory=list)
    every: int = 250
    bf16: bool = False


@dataclass(frozen=True)
class MiniBase:
    """Settings of the program `mini_base`.

    out: folder to write. clips: training clips. validation_clips: clips of the validation world.
    """

    out: Path
    captions: Stage
    matching: Stage
    balanced: Stage
    biased: Stage
    seed: int = 0
    clips: int = 6000
    validation_clips: int = 240
    shape: nano.Shape = field(default_factory=nano.Shape)
    towers: TowerSettings = field(default_factory=TowerSettings)


STAGES = ("captions", "matching", "balanced", "biased")


def training_clips(count: int, seed: int) -> list[Clip]:
    """The training world: first half balanced, second half confounded."""
    rng = generator("train", seed)
    return [sample_clip(rng, confounded=number >= count // 2) for number in range(count)]


def _prompts(rng: np.random.Generator, clip: Clip, stage: Stage, hidden: bool, processor: AvereProcessor) -> tuple:
    bias = Bias(stage.no_share, stage.confounded_yes, stage.hallucinated_yes)
    asked = instructions(rng, clip, stage.mix, stage.segments, bias)
    prompts = [processor.encode_prompt(processor.prompt(text, video=not hidden, audio=not hidden)) for text, _ in asked]
    return prompts, [nano.response_ids(processor, response) for _, response in asked]


def batches(rng: np.random.Generator, media: Media, stage: Stage, processor: AvereProcessor) -> Iterator[dict]:
    """Endless packed batches: clips drawn at random, instructions drawn anew each time."""
    half = len(media.clips) // 2
    while True:
        pick = rng.integers(0, half, size=stage.clips) + half * (rng.random(stage.clips) < stage.confounded)
        hidden = rng.random(stage.clips) < stage.hidden
        hidden[0] = False  # a batch without any medium has no features to project
        rows = [pack(*_prompts(rng, media.clips[i], stage, h, processor)) for i, h in zip(pick, hidden, strict=True)]
        batch = collate(rows, processor.tokenizer.pad_token_id)
        seen = torch.from_numpy(pick[~hidden])
        yield batch | {"video": media.video[seen].float(), "audio": media.audio[seen].float()}


def _schedule(stage: Stage, step: int) -> float:
    warm = max(1, round(0.03 * stage.steps))
    progress = step / stage.steps
    cosine = stage.floor + (1 - stage.floor) * 0.5 * (1 + np.cos(np.pi * progress))
    return stage.learning_rate * min(1.0, (step + 1) / warm) * cosine


def train_stage(
    model: AvereForConditionalGeneration,
    media: Media,
    stage: Stage,
    processor: AvereProcessor,
    seed: int,
    exam: Exam,
    name: str,
) -> Scores:
    """Run one stage in place; returns the validation scores at its end.

    Raises RuntimeError where the loss stops being a number.
    """
    rng = np.random.default_rng(seed)
    trained = nano.language_parameters(model)
    optimiser = torch.optim.AdamW(trained, lr=stage.learning_rate, betas=(0.9, 0.98), weight_decay=0.01)
    source = batches(rng, media, stage, processor)
    bar = tqdm(range(stage.steps), desc=name, unit="step", mininterval=5)
    for step in bar:
        batch = next(source)
        for group in optimiser.param_groups:
            group["lr"] = _schedule(stage, step)
        model.train()
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=stage.bf16):
            logits = nano.forward(model, batch)
        loss = branch_loss(logits, batch["labels"], batch["branch"])
        if not torch.isfinite(loss):
            raise RuntimeError(f"{name}: the loss is {loss.item()} at step {step}; lower learning_rate")
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimiser.step()
        if step % 10 == 0:
            bar.set_postfix(loss=f"{loss.item():.3f}")
        if (step + 1) % stage.every == 0:
            scores = validate(model, processor, exam)
            bar.write(f"{name} step {step + 1}: {scores.line()}")
            if stage.stop_between and scores.weak(stage.stop_between):
                return scores
    return validate(model, processor, exam)


def _stage_key(settings: MiniBase, processor: AvereProcessor, names: tuple[str, ...]) -> str:
    """What the weights after the named stages depend on."""
    rest = (settings.shape, settings.towers, settings.clips, settings.validation_clips, settings.seed)
    pieces = sorted(processor.tokenizer.get_vocab().items())
    return hashlib.sha256(repr((rest, pieces, [getattr(settings, name) for name in names])).encode()).hexdigest()


def _resumed(model: AvereForConditionalGeneration, kept: Path, key: str) -> Scores | None:
    """The scores of a stage that an earlier run finished with the same settings, its weights put in; else None."""
    if not kept.exists() or (found := torch.load(kept, weights_only=True))["key"] != key:
        return None
    model.load_state_dict(found["model"])
    print(f"stage taken from {kept}")
    return Scores(**found["scores"])


def run(settings: MiniBase) -> None:
    """Build the model and write it, its processor and what was measured on the way (`training.json`) to `out`."""
    started = time.monotonic()
    torch.manual_seed(settings.seed)
    processor = nano.build_processor(settings.shape, settings.seed)
    model = nano.build_model(settings.shape)
    print(f"{sum(p.numel() for p in model.parameters()):,} parameters")
    clips = training_clips(settings.clips, settings.seed)
    checked = plan(generator("validation", settings.seed), settings.validation_clips)
    every = [*clips, *(clip for clip, _ in checked)]
    report = {"settings": json.loads(json.dumps(asdict(settings), default=str)), "seconds": {}, "validation": {}}
    learnt = towers.learn(settings.shape, processor, every, len(clips), settings.towers, settings.seed, settings.out)
    for modality, tower in learnt.items():
        model.load_state_dict(tower.weights, strict=False)
        report["validation"][modality] = tower.scores
    report["seconds"]["until towers"] = round(time.monotonic() - started)
    count, video, audio = len(clips), learnt["video"].states, learnt["audio"].states
    media = Media(clips, video[:count], audio[:count])
    exam = Exam.of(checked, video[count:], audio[count:])
    for number, name in enumerate(STAGES):
        kept, key = settings.out / f"{name}_stage.pt", _stage_key(settings, processor, STAGES[: number + 1])
        scores = _resumed(model, kept, key)
        if scores is None:
            stage = getattr(settings, name)
            scores = train_stage(model, media, stage, processor, settings.seed + number, exam, name)
            torch.save({"key": key, "model": model.state_dict(), "scores": asdict(scores)}, kept)
        print(f"{name}: {scores.line()}")
        report["validation"][name] = asdict(scores)
        report["seconds"][f"until {name}"] = round(time.monotonic() - started)
    nano.save(model, processor, settings.out)
    (settings.out / "training.json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
