"""How an embedded base model comes to be: encoders learn the cues, then the language model learns to answer.

Stages: a vocabulary; the two encoders as classifiers of cues; their features of every training clip, cached; the
projectors by words; projectors and language model on statements to judge, and on balanced instructions; then a short
biased stage, which gives the model the weakness that the paper studies (Section 1): it says yes too readily. Where the
biased stage stops is chosen on the validation world. A run that was stopped goes on after its last finished stage.
A base that begins with another one whole (`begin_with`) has its encoders and projectors, and learns its stages alone.
"""

import hashlib
import time
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm import tqdm
from transformers import LlamaTokenizer

from avem_train.dpo import run_folder
from avem_train.nano import encoders
from avem_train.nano.miniature import MODALITIES, Media, Miniature
from avem_train.nano.optimiser import MuonAdamW, Schedule, split
from avem_train.nano.projectors import align
from avem_train.nano.settings import MiniBase, Stage
from avem_train.nano.validation import Exam, Scores, validate
from avem_train.packing.prefix import IGNORE, Packed, branch_loss, collate, pack
from emorealm_tasks import files
from emorealm_tasks.errors import stop
from emorealm_tasks.mini.build.plan import plan
from emorealm_tasks.mini.language.beliefs import PLAUSIBLE
from emorealm_tasks.mini.language.instructions import KINDS, Bias, sample_kinds
from emorealm_tasks.mini.language.statements import statements
from emorealm_tasks.mini.world.sampling import Clip, generator, sample_clip
from model_adapters.base.embedded import BASES, weights_folder
from model_adapters.base.fingerprint import fingerprint

STAGES = ("statements", "letters", "balanced", "biased")
STATEMENTS = 8
"""Statements in one branch."""


def training_clips(rng: np.random.Generator, count: int) -> list[Clip]:
    """Clips of the training world: first half balanced, second half confounded."""
    return [sample_clip(rng, confounded=number >= count // 2) for number in range(count)]


def _branch(
    rng: np.random.Generator, clip: Clip, bias: Bias, lettered: float, kind: str, modality: str, miniature: Miniature
) -> tuple[str, list[int], list[int]]:
    """One instruction: its prompt, the ids of the response, and their labels (of statements the verdicts alone)."""
    if kind != "statements":
        prompt, response = KINDS[kind](rng, clip, modality, bias)
        ids = miniature.response_ids(response)
        return prompt, ids, ids
    prompt, claims = statements(rng, clip, modality, STATEMENTS, lettered)
    ids, labels = [], []
    for text, verdict in claims:
        claim, answer = miniature.text_ids(text), miniature.answer_ids(verdict)
        ids += claim + answer
        labels += [IGNORE] * len(claim) + answer
    return prompt, ids, labels


def _row(rng: np.random.Generator, clip: Clip, stage: Stage, hidden: bool, miniature: Miniature) -> Packed:
    """Instructions about one clip, packed."""
    kinds = sample_kinds(rng, stage.mix, stage.segments)
    bias = Bias(stage.no_share, stage.confounded_yes, stage.hallucinated_yes, stage.beliefs)
    unseen = replace(bias, beliefs=PLAUSIBLE)
    branches = []
    for kind, modality in kinds:
        fits = hidden and stage.plausible and rng.random() < stage.plausible
        branches.append(_branch(rng, clip, unseen if fits else bias, stage.lettered, kind, modality, miniature))
    prompts, responses, labels = (list(column) for column in zip(*branches, strict=True))
    return pack([miniature.prompt_ids(text, not hidden) for text in prompts], responses, labels)


def batches(rng: np.random.Generator, media: Media, stage: Stage, miniature: Miniature) -> Iterator[dict[str, Any]]:
    """Endless packed batches: clips drawn at random, instructions drawn again each time."""
    half = len(media.clips) // 2
    while True:
        pick = rng.integers(0, half, size=stage.clips) + half * (rng.random(stage.clips) < stage.confounded)
        hidden = rng.random(stage.clips) < stage.hidden
        hidden[0] = False  # a batch without any medium has no features to project
        rows = [_row(rng, media.clips[i], stage, h, miniature) for i, h in zip(pick, hidden, strict=True)]
        batch = collate(rows, miniature.tokenizer.pad_token_id)
        with_media = torch.from_numpy(pick[~hidden])
        yield batch | {"video": media.video[with_media].float(), "audio": media.audio[with_media].float()}


def train_stage(miniature: Miniature, media: Media, stage: Stage, seed: int, exam: Exam, name: str) -> Scores:
    """Run one stage in place; returns the validation scores at its end.

    Raises RuntimeError where the loss stops being a number.
    """
    rng = np.random.default_rng(seed)
    schedule = Schedule(
        stage.steps, stage.learning_rate, stage.matrix_learning_rate, round(0.03 * stage.steps), stage.floor
    )
    optimiser = MuonAdamW(*split(miniature.model, miniature.language_parameters()), schedule)
    source = batches(rng, media, stage, miniature)
    bar = tqdm(range(stage.steps), desc=name, unit="step", mininterval=5)
    for step in bar:
        batch = next(source)
        miniature.model.train()
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=stage.bf16):
            logits = miniature.forward(batch)
        loss = branch_loss(logits, batch["labels"], batch["branch"])
        if not torch.isfinite(loss):
            raise RuntimeError(f"{name}: the loss is {loss.item()} at step {step}; lower learning_rate")
        optimiser.update(loss, step)
        if step % 10 == 0:
            bar.set_postfix(loss=f"{loss.item():.3f}")
        if (step + 1) % stage.every == 0:
            scores = validate(miniature, exam)
            bar.write(f"{name} step {step + 1}: {scores.line()}")
            if stage.stop_between and scores.weak(stage.stop_between):
                return scores
    return validate(miniature, exam)


def _stage_key(settings: MiniBase, miniature: Miniature, names: tuple[str, ...]) -> str:
    """What the weights after the named stages depend on."""
    begun_with = "".join(
        fingerprint(weights_folder(name)) for name in (settings.language_model, settings.begin_with) if name
    )
    content = (
        begun_with,
        settings.shape,
        settings.towers,
        settings.alignment,
        settings.clips,
        settings.validation_clips,
        settings.seed,
    )
    pieces = sorted(miniature.tokenizer.get_vocab().items())
    return hashlib.sha256(repr((content, pieces, [getattr(settings, name) for name in names])).encode()).hexdigest()


def _resumed(miniature: Miniature, cached: Path, key: str) -> tuple[Scores, float] | None:
    """Scores and seconds of a stage an earlier run finished with the same settings, its weights put in; else None."""
    earlier = encoders.read_cached(cached, key)
    if not earlier:
        return None
    miniature.model.load_state_dict(earlier["model"])
    print(f"stage taken from {cached}")
    return Scores(**earlier["scores"]), earlier["seconds"]


def _prepared(settings: MiniBase, miniature: Miniature, report: dict[str, Any]) -> tuple[Media, Exam]:
    """Train the encoders and align the projectors, or take those of `begin_with`; returns what the stages learn from
    and what they are scored on.
    """
    rng = generator("train", settings.seed)
    (for_encoders,) = rng.spawn(1)
    clips = training_clips(rng, settings.clips)
    checked = plan(generator("validation", settings.seed), settings.validation_clips)
    all_clips = [*clips, *(clip for clip, _ in checked)]
    count = len(clips)
    if settings.begin_with:
        video, audio = (
            encoders.states(miniature, modality, all_clips, settings.out / f"{modality}_states.pt")
            for modality in MODALITIES
        )
        return Media(clips, video[:count], audio[:count]), Exam.of(checked, video[count:], audio[count:])
    more_video = training_clips(for_encoders, settings.towers.more_video)
    family, shape, processor = settings.family, settings.shape, miniature.processor
    dataset = encoders.ClipDataset(
        family, shape, processor, all_clips, len(clips), more_video, settings.towers, settings.seed
    )
    trained_encoders = encoders.learn(dataset, settings.out)
    for modality, encoder in trained_encoders.items():
        miniature.model.load_state_dict(encoder.weights, strict=False)
        report["validation"][modality] = encoder.scores
    report["seconds"]["towers"] = max(
        encoder.seconds for encoder in trained_encoders.values()
    )  # they train side by side
    video, audio = trained_encoders["video"].states, trained_encoders["audio"].states
    media = Media(clips, video[:count], audio[:count])
    started = time.monotonic()
    report["alignment loss"] = align(miniature, media, settings.alignment)
    report["seconds"]["alignment"] = round(time.monotonic() - started)
    return media, Exam.of(checked, video[count:], audio[count:])


def untrained(settings: MiniBase) -> Miniature:
    """The model before any training, its language model and vocabulary those that the settings name."""
    torch.manual_seed(settings.seed)
    family, shape = settings.family, settings.shape
    if not (settings.begin_with or settings.language_model):
        return family(shape, family.build_processor(shape, settings.seed))
    folder = weights_folder(settings.begin_with or settings.language_model)
    if not (folder / "model.safetensors").is_file():
        name = "begin_with" if settings.begin_with else "language_model"
        stop(f"{name}={folder}: there is no model.safetensors in it; name {', '.join(BASES)} or a folder with one")
    miniature = family(shape, family.processor_of(LlamaTokenizer.from_pretrained(folder, local_files_only=True), shape))
    if settings.begin_with:
        miniature.begin_whole(folder)
    else:
        miniature.begin_with(folder)
    return miniature


def run(settings: MiniBase) -> None:
    """Build the model and write it, its processor and what was measured on the way (`training.json`) to `out`.

    The seconds are those of the run that did the work, whether this one or an earlier one whose result was cached.
    """
    run_folder.claim(settings.out)
    miniature = untrained(settings)
    print(f"{sum(p.numel() for p in miniature.model.parameters()):,} parameters")
    decided = {name: value for name, value in asdict(settings).items() if name != "out"}
    report = {"settings": decided, "seconds": {}, "validation": {}}
    media, exam = _prepared(settings, miniature, report)
    for number, name in enumerate(STAGES):
        if not getattr(settings, name).steps:
            continue
        cached, key = settings.out / f"{name}_stage.pt", _stage_key(settings, miniature, STAGES[: number + 1])
        done = _resumed(miniature, cached, key)
        if done is None:
            started = time.monotonic()
            scores = train_stage(miniature, media, getattr(settings, name), settings.seed + number, exam, name)
            done = scores, round(time.monotonic() - started)
            checkpoint = {
                "key": key,
                "model": miniature.model.state_dict(),
                "scores": asdict(scores),
                "seconds": done[1],
            }
            with files.draft(cached) as beside:
                torch.save(checkpoint, beside)
        print(f"{name}: {done[0].line()}")
        report["validation"][name], report["seconds"][name] = asdict(done[0]), done[1]
    miniature.save(settings.out)
    files.write_json(settings.out / "training.json", report)
