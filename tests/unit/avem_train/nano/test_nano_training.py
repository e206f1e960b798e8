"""The training of the embedded model, at a size of seconds."""

import dataclasses
import itertools
import json
import math

import numpy as np
import pytest
import torch

from avem_train import cli
from avem_train.nano import encoders, validation
from avem_train.nano import model as nano
from avem_train.nano.model import Media, forward
from avem_train.nano.optimiser import Schedule, split
from avem_train.nano.projectors import Alignment, align
from avem_train.nano.rendered_clips import rendered, target_names, targets
from avem_train.nano.train import STAGES, STATEMENTS, Stage, batches, train_stage
from emorealm_tasks.mini.build.plan import plan
from emorealm_tasks.mini.language.instructions import KINDS
from emorealm_tasks.mini.world.sampling import generator, sample_clip

SHAPE = nano.Shape(
    image_size=48, patch=24, vision_width=32, vision_layers=1, audio_width=32, audio_layers=1, mel_bins=16,
    text_width=32, text_layers=1, text_heads=2, text_mlp=48, tower_heads=2,
)  # fmt: skip


@pytest.fixture(scope="module")
def small():
    torch.manual_seed(0)
    processor, model = nano.build_processor(SHAPE, 0), nano.build_model(SHAPE)
    rng = generator("train", 1)
    clips = [sample_clip(rng) for _ in range(12)]
    cached = {}
    for modality in ("video", "audio"):
        cached[modality] = encoders.encode(model, modality, rendered(clips, modality, processor))
    return processor, model, Media(clips, cached["video"], cached["audio"])


def stage(**changes):
    mix = dict.fromkeys([*KINDS, "statements"], 1.0)
    return dataclasses.replace(Stage(steps=4, mix=mix, clips=3, segments=4), **changes)


def test_the_full_size_hands_on_at_most_sixty_media_tokens():
    config = nano.configuration(nano.Shape())
    assert config.video_tokens + config.audio_tokens <= 60
    assert config.audio_config.window_seconds == 4


def test_words_and_letters_are_whole_pieces(small):
    processor = small[0]
    ids = nano.response_ids(processor, "Yes, tears convey sorrow.")
    assert len(ids) == 7
    assert processor.tokenizer.decode(ids[:-1]) == "Yes, tears convey sorrow."
    assert all(len(nano.response_ids(processor, letter)) == 2 for letter in "ABCD")


def test_targets_have_a_name_each(small):
    clip = small[2].clips[0]
    for modality in ("video", "audio"):
        truth, names = targets(clip, modality), target_names(modality)
        assert len(truth) == len(names)
        present = {name for name, there in zip(names, truth, strict=True) if there and "matters" not in name}
        assert present == {*clip.shown(modality), *clip.scene(modality)}


def test_cached_features_give_the_logits_of_the_media(small):
    """Encoder states, cached and projected, equal what the model computes from pixels and mel features."""
    processor, model, media = small
    batch = next(batches(np.random.default_rng(0), media, stage(hidden=0.0, clips=2), processor))
    model.eval()
    rows = [next(i for i in range(12) if torch.equal(media.video[i].float(), video)) for video in batch["video"]]
    chosen = [media.clips[i] for i in rows]
    with torch.no_grad():
        cached = forward(model, batch)
        whole = model(
            **{name: batch[name] for name in ("input_ids", "attention_mask", "position_ids")},
            pixel_values_videos=rendered(chosen, "video", processor).float(),
            input_features=rendered(chosen, "audio", processor).float(),
        ).logits
    labelled = batch["labels"] != -100
    torch.testing.assert_close(cached[labelled], whole[labelled], atol=5e-3, rtol=0)  # cached as float16


def test_withheld_media_leave_no_placeholder(small):
    processor, model, media = small
    batch = next(batches(np.random.default_rng(0), media, stage(hidden=1.0), processor))
    places = (batch["input_ids"] == model.config.video_token_id).any(1)
    assert places.tolist() == [True, False, False]
    assert len(batch["video"]) == len(batch["audio"]) == 1


def test_of_statements_only_the_verdicts_are_learnt(small):
    processor, _, media = small
    rng = np.random.default_rng(0)
    for lettered, verdicts in ((0.0, {"Yes", "No"}), (1.0, {"A", "B"})):
        only = stage(hidden=0.0, clips=2, mix={"statements": 1.0}, lettered=lettered)
        batch = next(batches(rng, media, only, processor))
        learnt = batch["labels"][batch["labels"] != -100]
        assert {processor.tokenizer.decode([piece]).strip() for piece in learnt.tolist()} == verdicts
        assert len(learnt) == 2 * only.segments * STATEMENTS


def test_alignment_brings_media_near_their_words(small):
    processor, _, media = small
    torch.manual_seed(0)
    model = nano.build_model(SHAPE)
    before = model.model.language_model.embed_tokens.weight.clone()
    first = align(model, media, processor, Alignment(steps=1, clips=12))
    last = align(model, media, processor, Alignment(steps=300, clips=12, learning_rate=1e-2))
    assert all(last[modality] < 0.8 * first[modality] for modality in ("video", "audio")), (first, last)
    assert torch.equal(model.model.language_model.embed_tokens.weight, before)


def test_matrices_and_the_rest_are_told_apart(small):
    model = small[1]
    matrices, rest = split(model, nano.language_parameters(model))
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    assert {"q_proj", "down_proj"} <= {names[id(p)].split(".")[-2] for p in matrices}
    assert {"lm_head.weight", "model.language_model.embed_tokens.weight"} <= {names[id(p)] for p in rest}
    assert all(p.ndim == 2 for p in matrices)
    assert len(matrices) + len(rest) == len(nano.language_parameters(model))


def test_the_schedule_warms_up_and_decays_to_its_floor():
    schedule = Schedule(steps=100, learning_rate=1.0, warm_up=10, floor=0.2)
    shares = [schedule.share(step) for step in range(100)]
    assert shares[0] == pytest.approx(0.1, abs=0.01)
    assert max(shares) <= 1
    assert shares[99] == pytest.approx(0.2, abs=0.01)
    assert all(later < sooner for sooner, later in itertools.pairwise(shares[10:]))


def test_a_stage_trains_the_language_side_only(small):
    processor, model, media = small
    before = {name: value.clone() for name, value in model.state_dict().items()}
    checked = plan(generator("validation", 0), 25)
    exam = validation.Exam.of(checked[:12], media.video, media.audio)
    scores = train_stage(model, media, stage(), processor, 0, exam, "test")
    assert scores.line()
    moved = {name for name, value in model.state_dict().items() if not torch.equal(value, before[name])}
    assert any(name.startswith("model.language_model.") for name in moved)
    assert "model.audio_projector.linear.weight" in moved
    assert not [name for name in moved if "_tower" in name or "audio_projector.encoder" in name]


def test_the_encoders_learn_to_tell_cues_apart():
    """A few steps tell two sweaters apart on clips not learnt from."""
    torch.manual_seed(0)
    model, processor = nano.build_model(SHAPE), nano.build_processor(SHAPE, 0)
    rng = generator("train", 2)
    worn = ("red_sweater", "black_sweater") * 40
    clips = [dataclasses.replace(sample_clip(rng), clothes=name, looks_at="") for name in worn]
    inputs = rendered(clips, "video", processor)
    truth = torch.from_numpy(np.stack([targets(clip, "video") for clip in clips]))
    settings = encoders.Settings(video_steps=300, batch=32)
    head = encoders.train(model, "video", inputs[:64], truth[:64], settings)
    scores = encoders.cue_scores(head, encoders.encode(model, "video", inputs[64:]), truth[64:], "video")
    assert scores["red_sweater"] >= 80  # a head that learnt nothing has 50
    assert scores["black_sweater"] >= 80


def test_validation_reads_letters(small):
    processor, model, media = small
    checked = plan(generator("validation", 0), 25)[:12]
    answered = validation.letters(model, processor, media, [about for _, about in checked])
    assert [question for question, _ in answered] == [question for _, about in checked for question in about]


def test_balanced_accuracy_by_hand():
    logits = torch.tensor([[1.0, -1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, 1.0]])
    truth = torch.tensor([[1.0, 1.0], [0.0, 1.0], [0.0, 0.0], [0.0, 0.0]])
    ours = encoders.balanced_accuracy(logits, truth)
    assert ours[0] == pytest.approx((1 + 2 / 3) / 2)
    assert ours[1] == 0


@pytest.mark.slow
def test_the_recipe_runs_and_its_folder_loads(tmp_path, capfd):
    out = tmp_path / "nano"
    sizes = [f"shape.{name}={value}" for name, value in dataclasses.asdict(SHAPE).items()]
    little = ["clips=64", "validation_clips=30", "towers.video_steps=4", "towers.audio_steps=4", "towers.batch=16"]
    little += ["towers.more_video=8", "alignment.steps=2"]
    keys = ("steps", "clips", "every")
    stages = [f"{name}.{key}=2" for name in STAGES for key in keys]
    assert cli.main(["run", "mini_base", f"out={out}", *sizes, *little, *stages]) == 0
    report = json.loads((out / "training.json").read_text())
    assert set(report["validation"]) == {"video", "audio", *STAGES}
    assert all(math.isfinite(value) for value in report["validation"]["balanced"]["tasks"].values())
    from transformers import AutoModelForCausalLM, AutoProcessor

    model, processor = AutoModelForCausalLM.from_pretrained(out), AutoProcessor.from_pretrained(out)
    ids = torch.tensor([processor.encode_prompt(processor.prompt("Is a siren heard?", video=False, audio=False))])
    assert model.generate(ids, max_new_tokens=2, do_sample=False).shape[1] <= ids.shape[1] + 2
    assert cli.main(["run", "mini_base", f"out={out}", *sizes, *little, *stages]) == 0
    printed = capfd.readouterr().out
    assert "video encoder taken from" in printed
    assert printed.count("stage taken from") == 4
