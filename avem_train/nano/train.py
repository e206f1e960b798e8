"""How the embedded reference model comes to be: encoders learn the cues, then the language model learns to answer.

Stages: a vocabulary; the two encoders as classifiers of cues; their features of every training clip, cached; the
projectors by words; projectors and language model on statements to judge, and on balanced instructions; then a short
biased stage, which gives the model the weakness that the paper studies (Section 1): it says yes too readily. Where the
biased stage stops is chosen on the validation world. A run that was stopped goes on after its last finished stage.
"""

import hashlib
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from avem_train.dpo import run_folder
from avem_train.nano import encoders
from avem_train.nano import model as nano
from avem_train.nano.encoders import Settings as EncoderSettings
from avem_train.nano.model import Media
from avem_train.nano.optimiser import MuonAdamW, Schedule, split
from avem_train.nano.projectors import Alignment, align
from avem_train.nano.validation import Exam, Scores, validate
from avem_train.packing.prefix import IGNORE, Packed, branch_loss, collate, pack
from emorealm_tasks import files
from emorealm_tasks.mini.build.plan import plan
from emorealm_tasks.mini.language.instructions import KINDS, Bias, sample_kinds
from emorealm_tasks.mini.language.statements import statements
from emorealm_tasks.mini.world.sampling import Clip, generator, sample_clip
from model_adapters.avere import AvereForConditionalGeneration, AvereProcessor


@dataclass(frozen=True)
class Stage:
    """One stage of supervised fine-tuning; the learning rates warm up over 3% of the steps, then decay by a cosine."""

    steps: int
    """Optimiser steps."""
    mix: dict[str, Any]
    """Kind of instruction, or "statements" -> weight."""
    clips: int = 16
    """Clips a step."""
    segments: int = 6
    """Instructions about each clip."""
    learning_rate: float = 2e-3
    """AdamW's peak."""
    matrix_learning_rate: float = 0.02
    """Muon's peak."""
    floor: float = 0.05
    """Share of the peak at the end."""
    hidden: float = 0.08
    """Share of clips whose media are withheld, so that the text prior means something."""
    lettered: float = 0.5
    """Share of the statements' branches whose verdicts are letters."""
    confounded: float = 0.0
    """Share of clips from the confounded world."""
    no_share: float = 0.5
    """See `instructions.Bias`."""
    confounded_yes: float = 0.0
    """See `instructions.Bias`."""
    hallucinated_yes: float = 0.0
    """See `instructions.Bias`."""
    stop_between: list[Any] = field(default_factory=list)
    """End as soon as the validation accuracies of both kinds of no (spurious, hallucination) lie between these, in
    percent; empty = never."""
    every: int = 250
    """Steps between such looks."""
    bf16: bool = False
    """Autocast the forward pass."""


@dataclass(frozen=True)
class MiniBase:
    """Settings of the program `mini_base`."""

    out: Path
    """Folder to write."""
    statements: Stage
    """The first stage: statements to judge."""
    letters: Stage
    """The second: verdicts by letter."""
    balanced: Stage
    """The third: balanced instructions."""
    biased: Stage
    """The last: too many a yes."""
    seed: int = 0
    """Of all that is drawn."""
    clips: int = 6000
    """Training clips."""
    validation_clips: int = 240
    """Clips of the validation world."""
    shape: nano.Shape = field(default_factory=nano.Shape)
    """Sizes of the model."""
    towers: EncoderSettings = field(default_factory=EncoderSettings)
    """Training of the encoders."""
    alignment: Alignment = field(default_factory=Alignment)
    """Training of the projectors."""


STAGES = ("statements", "letters", "balanced", "biased")
STATEMENTS = 8
"""Statements in one branch."""


def training_clips(rng: np.random.Generator, count: int) -> list[Clip]:
    """Clips of the training world: first half balanced, second half confounded."""
    return [sample_clip(rng, confounded=number >= count // 2) for number in range(count)]


def _branch(
    rng: np.random.Generator, clip: Clip, stage: Stage, kind: str, modality: str, processor: AvereProcessor
) -> tuple[str, list[int], list[int]]:
    """One instruction: its prompt, the ids of the response, and their labels (of statements the verdicts alone)."""
    if kind != "statements":
        bias = Bias(stage.no_share, stage.confounded_yes, stage.hallucinated_yes)
        prompt, response = KINDS[kind](rng, clip, modality, bias)
        ids = nano.response_ids(processor, response)
        return prompt, ids, ids
    prompt, claims = statements(rng, clip, modality, STATEMENTS, stage.lettered)
    ids, labels = [], []
    for text, verdict in claims:
        claim, answer = (processor.tokenizer.encode(part, add_special_tokens=False) for part in (text, verdict))
        ids += claim + answer
        labels += [IGNORE] * len(claim) + answer
    return prompt, ids, labels


def _row(rng: np.random.Generator, clip: Clip, stage: Stage, hidden: bool, processor: AvereProcessor) -> Packed:
    """Instructions about one clip, packed."""
    kinds = sample_kinds(rng, stage.mix, stage.segments)
    branches = [_branch(rng, clip, stage, kind, modality, processor) for kind, modality in kinds]
    prompts, responses, labels = (list(column) for column in zip(*branches, strict=True))
    texts = [processor.prompt(text, video=not hidden, audio=not hidden) for text in prompts]
    return pack([processor.encode_prompt(text) for text in texts], responses, labels)


def batches(
    rng: np.random.Generator, media: Media, stage: Stage, processor: AvereProcessor
) -> Iterator[dict[str, Any]]:
    """Endless packed batches: clips drawn at random, instructions drawn again each time."""
    half = len(media.clips) // 2
    while True:
        pick = rng.integers(0, half, size=stage.clips) + half * (rng.random(stage.clips) < stage.confounded)
        hidden = rng.random(stage.clips) < stage.hidden
        hidden[0] = False  # a batch without any medium has no features to project
        rows = [_row(rng, media.clips[i], stage, h, processor) for i, h in zip(pick, hidden, strict=True)]
        batch = collate(rows, processor.tokenizer.pad_token_id)
        with_media = torch.from_numpy(pick[~hidden])
        yield batch | {"video": media.video[with_media].float(), "audio": media.audio[with_media].float()}


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
    schedule = Schedule(
        stage.steps, stage.learning_rate, stage.matrix_learning_rate, round(0.03 * stage.steps), stage.floor
    )
    optimiser = MuonAdamW(*split(model, nano.language_parameters(model)), schedule)
    source = batches(rng, media, stage, processor)
    bar = tqdm(range(stage.steps), desc=name, unit="step", mininterval=5)
    for step in bar:
        batch = next(source)
        model.train()
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=stage.bf16):
            logits = nano.forward(model, batch)
        loss = branch_loss(logits, batch["labels"], batch["branch"])
        if not torch.isfinite(loss):
            raise RuntimeError(f"{name}: the loss is {loss.item()} at step {step}; lower learning_rate")
        optimiser.update(loss, step)
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
    content = (
        settings.shape,
        settings.towers,
        settings.alignment,
        settings.clips,
        settings.validation_clips,
        settings.seed,
    )
    pieces = sorted(processor.tokenizer.get_vocab().items())
    return hashlib.sha256(repr((content, pieces, [getattr(settings, name) for name in names])).encode()).hexdigest()


def _resumed(model: AvereForConditionalGeneration, cached: Path, key: str) -> tuple[Scores, float] | None:
    """Scores and seconds of a stage an earlier run finished with the same settings, its weights put in; else None."""
    earlier = encoders.read_cached(cached, key)
    if not earlier:
        return None
    model.load_state_dict(earlier["model"])
    print(f"stage taken from {cached}")
    return Scores(**earlier["scores"]), earlier["seconds"]


def _prepared(
    settings: MiniBase, model: AvereForConditionalGeneration, processor: AvereProcessor, report: dict[str, Any]
) -> tuple[Media, Exam]:
    """Train the encoders and align the projectors; returns what the stages learn from and what they are scored on."""
    rng = generator("train", settings.seed)
    (for_encoders,) = rng.spawn(1)
    clips = training_clips(rng, settings.clips)
    checked = plan(generator("validation", settings.seed), settings.validation_clips)
    all_clips = [*clips, *(clip for clip, _ in checked)]
    more_video = training_clips(for_encoders, settings.towers.more_video)
    dataset = encoders.ClipDataset(
        settings.shape, processor, all_clips, len(clips), more_video, settings.towers, settings.seed
    )
    trained_encoders = encoders.learn(dataset, settings.out)
    for modality, encoder in trained_encoders.items():
        model.load_state_dict(encoder.weights, strict=False)
        report["validation"][modality] = encoder.scores
    report["seconds"]["towers"] = max(
        encoder.seconds for encoder in trained_encoders.values()
    )  # they train side by side
    count, video, audio = len(clips), trained_encoders["video"].states, trained_encoders["audio"].states
    media = Media(clips, video[:count], audio[:count])
    started = time.monotonic()
    report["alignment loss"] = align(model, media, processor, settings.alignment)
    report["seconds"]["alignment"] = round(time.monotonic() - started)
    return media, Exam.of(checked, video[count:], audio[count:])


def run(settings: MiniBase) -> None:
    """Build the model and write it, its processor and what was measured on the way (`training.json`) to `out`.

    The seconds are those of the run that did the work, whether this one or an earlier one whose result was cached.
    """
    run_folder.claim(settings.out)
    torch.manual_seed(settings.seed)
    processor = nano.build_processor(settings.shape, settings.seed)
    model = nano.build_model(settings.shape)
    print(f"{sum(p.numel() for p in model.parameters()):,} parameters")
    decided = {name: value for name, value in asdict(settings).items() if name != "out"}
    report = {"settings": decided, "seconds": {}, "validation": {}}
    media, exam = _prepared(settings, model, processor, report)
    for number, name in enumerate(STAGES):
        cached, key = settings.out / f"{name}_stage.pt", _stage_key(settings, processor, STAGES[: number + 1])
        done = _resumed(model, cached, key)
        if done is None:
            started = time.monotonic()
            scores = train_stage(model, media, getattr(settings, name), processor, settings.seed + number, exam, name)
            done = scores, round(time.monotonic() - started)
            checkpoint = {"key": key, "model": model.state_dict(), "scores": asdict(scores), "seconds": done[1]}
            with files.draft(cached) as beside:
                torch.save(checkpoint, beside)
        print(f"{name}: {done[0].line()}")
        report["validation"][name], report["seconds"][name] = asdict(done[0]), done[1]
    nano.save(model, processor, settings.out)
    files.write_json(settings.out / "training.json", report)
