"""The training of the embedded model, at a size of seconds."""

import dataclasses
import itertools
import json
import math

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from avem_train import cli
from avem_train.nano import avere, emotion_llama, encoders, train, validation
from avem_train.nano.avere import AvereMiniature, AvereShape
from avem_train.nano.emotion_llama import EmotionLlamaMiniature, EmotionLlamaShape
from avem_train.nano.miniature import Media
from avem_train.nano.optimiser import Schedule, split
from avem_train.nano.projectors import Alignment, align
from avem_train.nano.rendered_clips import rendered, target_names, targets
from avem_train.nano.settings import EmotionLlamaBase, Stage
from avem_train.nano.train import STAGES, STATEMENTS, batches, train_stage
from emorealm_tasks.mini.build.plan import plan
from emorealm_tasks.mini.language.instructions import KINDS
from emorealm_tasks.mini.world.sampling import generator, sample_clip

SIZES = {
    "image_size": 48, "patch": 24, "vision_width": 32, "vision_layers": 1, "audio_width": 32, "audio_layers": 1,
    "text_width": 32, "text_layers": 1, "text_heads": 2, "text_mlp": 48, "tower_heads": 2,
}  # fmt: skip
SHAPE = AvereShape(**SIZES, mel_bins=16)
OTHER_SHAPE = EmotionLlamaShape(**SIZES, filters=16)
FAMILIES = {"avere": (AvereMiniature, SHAPE), "emotion_llama": (EmotionLlamaMiniature, OTHER_SHAPE)}
_BUILT = {}


def untrained(name="avere"):
    """A model of a family with fresh weights; its vocabulary is trained once."""
    family, shape = FAMILIES[name]
    _BUILT[name] = _BUILT.get(name) or family.build_processor(shape, 0)
    torch.manual_seed(0)
    return family(shape, _BUILT[name])


@pytest.fixture(scope="module", params=list(FAMILIES))
def small(request):
    miniature = untrained(request.param)
    rng = generator("train", 1)
    clips = [sample_clip(rng) for _ in range(12)]
    cached = {}
    for modality in ("video", "audio"):
        cached[modality] = encoders.encode(miniature, modality, rendered(clips, modality, miniature))
    return miniature, Media(clips, cached["video"], cached["audio"])


def stage(**changes):
    mix = dict.fromkeys([*KINDS, "statements"], 1.0)
    return dataclasses.replace(Stage(steps=4, mix=mix, clips=3, segments=4), **changes)


def test_the_full_size_hands_on_at_most_sixty_media_tokens():
    config = avere.configuration(AvereShape())
    assert config.video_tokens + config.audio_tokens <= 60
    assert config.audio_config.window_seconds == 4
    assert emotion_llama.configuration(EmotionLlamaShape()).media_tokens <= 60


@pytest.mark.parametrize(
    ("name", "form"), [("avere", "Yes, tears convey sorrow."), ("emotion_llama", "yes, tears convey sorrow")]
)
def test_words_and_letters_are_whole_pieces(name, form):
    miniature = untrained(name)
    ids = miniature.response_ids("Yes, tears convey sorrow.")
    assert len(ids) == (7 if form.endswith(".") else 6)
    assert miniature.tokenizer.decode(ids[:-1]) == form
    assert all(len(miniature.response_ids(letter)) == 2 for letter in "ABCD")


def test_targets_have_a_name_each(small):
    clip = small[1].clips[0]
    for modality in ("video", "audio"):
        truth, names = targets(clip, modality), target_names(modality)
        assert len(truth) == len(names)
        present = {name for name, there in zip(names, truth, strict=True) if there and "matters" not in name}
        assert present == {*clip.shown(modality), *clip.scene(modality)}


def test_cached_features_give_the_logits_of_the_media(small):
    """Encoder states, cached and projected, equal what the model computes from pixels and sound, clip by clip."""
    miniature, media = small
    batch = next(batches(np.random.default_rng(0), media, stage(hidden=0.0, clips=2), miniature))
    miniature.model.eval()
    rows = [next(i for i in range(12) if torch.equal(media.video[i].float(), video)) for video in batch["video"]]
    chosen = [media.clips[i] for i in rows]
    with torch.no_grad():
        cached = miniature.forward(batch)
        whole = miniature.model(
            **{name: batch[name] for name in ("input_ids", "attention_mask", "position_ids")},
            **from_clips(miniature, chosen),
        ).logits
    labelled = batch["labels"] != -100
    torch.testing.assert_close(cached[labelled], whole[labelled], atol=5e-3, rtol=0)  # cached as float16


def from_clips(miniature, clips):
    """What the model takes of the clips themselves, as in an evaluation."""
    inputs = {name: rendered(clips, name, miniature).float() for name in ("video", "audio")}
    if isinstance(miniature, AvereMiniature):
        return {"pixel_values_videos": inputs["video"], "input_features": inputs["audio"]}
    lengths = (~inputs["audio"].isnan()).sum(1)
    assert len(set(lengths.tolist())) == len(clips)
    features = torch.zeros(len(clips), 3, miniature.model.config.feature_size)
    waves = {"input_values": inputs["audio"].nan_to_num(), "audio_lengths": lengths}
    return waves | {"pixel_values": inputs["video"], "clip_features": features}


def test_withheld_media_leave_no_placeholder(small):
    miniature, media = small
    batch = next(batches(np.random.default_rng(0), media, stage(hidden=1.0), miniature))
    name = "video_token_id" if isinstance(miniature, AvereMiniature) else "media_token_id"
    places = (batch["input_ids"] == getattr(miniature.model.config, name)).any(1)
    assert places.tolist() == [True, False, False]
    assert len(batch["video"]) == len(batch["audio"]) == 1


def test_of_statements_only_the_verdicts_are_learnt(small):
    miniature, media = small
    rng = np.random.default_rng(0)
    for lettered, verdicts in ((0.0, {"Yes", "No"}), (1.0, {"A", "B"})):
        only = stage(hidden=0.0, clips=2, mix={"statements": 1.0}, lettered=lettered)
        batch = next(batches(rng, media, only, miniature))
        learnt = batch["labels"][batch["labels"] != -100]
        said = {miniature.tokenizer.decode([piece]).strip() for piece in learnt.tolist()}
        assert said == {miniature.answer_form(verdict) for verdict in verdicts}
        assert len(learnt) == 2 * only.segments * STATEMENTS


def test_alignment_brings_media_near_their_words(small):
    media = small[1]
    miniature = untrained("avere" if isinstance(small[0], AvereMiniature) else "emotion_llama")
    embedded = miniature.model.get_input_embeddings().weight
    before = embedded.clone()
    first = align(miniature, media, Alignment(steps=1, clips=12))
    last = align(miniature, media, Alignment(steps=300, clips=12, learning_rate=1e-2))
    assert all(last[modality] < 0.8 * first[modality] for modality in ("video", "audio")), (first, last)
    assert torch.equal(embedded, before)


def test_matrices_and_the_rest_are_told_apart(small):
    model, trained = small[0].model, small[0].language_parameters()
    matrices, rest = split(model, trained)
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    assert {"q_proj", "down_proj"} <= {names[id(p)].split(".")[-2] for p in matrices}
    assert {"lm_head.weight", "language_model.embed_tokens.weight"} <= {
        names[id(p)].removeprefix("model.") for p in rest
    }
    assert all(p.ndim == 2 for p in matrices)
    assert len(matrices) + len(rest) == len(trained)


def test_the_schedule_warms_up_and_decays_to_its_floor():
    schedule = Schedule(steps=100, learning_rate=1.0, warm_up=10, floor=0.2)
    shares = [schedule.share(step) for step in range(100)]
    assert shares[0] == pytest.approx(0.1, abs=0.01)
    assert max(shares) <= 1
    assert shares[99] == pytest.approx(0.2, abs=0.01)
    assert all(later < sooner for sooner, later in itertools.pairwise(shares[10:]))


def test_a_stage_trains_the_language_side_only(small):
    miniature, media = small
    model = miniature.model
    before = {name: value.clone() for name, value in model.state_dict().items()}
    checked = plan(generator("validation", 0), 25)
    exam = validation.Exam.of(checked[:12], media.video, media.audio)
    scores = train_stage(miniature, media, stage(), 0, exam, "test")
    assert scores.line()
    moved = {name for name, value in model.state_dict().items() if not torch.equal(value, before[name])}
    assert any("language_model." in name for name in moved)
    assert {"model.audio_projector.linear.weight", "clip_encoder.feature_projectors.2.weight"} & moved
    encoders_weights = [part for parts in miniature.ENCODERS.values() for part in parts]
    changed = {name for name in moved if name.startswith(tuple(encoders_weights))}
    assert not changed - {"model.audio_projector.linear.weight", "model.audio_projector.linear.bias"}


def test_the_encoders_learn_to_tell_cues_apart():
    """A few steps tell two sweaters apart on clips not learnt from."""
    miniature = untrained()
    rng = generator("train", 2)
    worn = ("red_sweater", "black_sweater") * 40
    clips = [dataclasses.replace(sample_clip(rng), clothes=name, looks_at="") for name in worn]
    inputs = rendered(clips, "video", miniature)
    truth = torch.from_numpy(np.stack([targets(clip, "video") for clip in clips]))
    settings = encoders.Settings(video_steps=300, batch=32)
    head = encoders.train(miniature, "video", inputs[:64], truth[:64], settings)
    scores = encoders.cue_scores(head, encoders.encode(miniature, "video", inputs[64:]), truth[64:], "video")
    assert scores["red_sweater"] >= 80  # a head that learnt nothing has 50
    assert scores["black_sweater"] >= 80


def test_validation_reads_letters(small):
    miniature, media = small
    checked = plan(generator("validation", 0), 25)[:12]
    answered = validation.letters(miniature, media, [about for _, about in checked])
    assert [question for question, _ in answered] == [question for _, about in checked for question in about]


def test_balanced_accuracy_by_hand():
    logits = torch.tensor([[1.0, -1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, 1.0]])
    truth = torch.tensor([[1.0, 1.0], [0.0, 1.0], [0.0, 0.0], [0.0, 0.0]])
    ours = encoders.balanced_accuracy(logits, truth)
    assert ours[0] == pytest.approx((1 + 2 / 3) / 2)
    assert ours[1] == 0


def test_a_training_can_begin_with_the_language_model_of_another_family(tmp_path):
    other = untrained()
    other.save(tmp_path)
    settings = EmotionLlamaBase(
        tmp_path / "out", *[Stage(steps=1, mix={})] * 4, shape=OTHER_SHAPE, language_model=str(tmp_path)
    )
    begun = train.untrained(settings)
    weights = begun.model.language_model.layers[0].self_attn.q_proj.weight
    assert torch.equal(weights, other.model.model.language_model.layers[0].self_attn.q_proj.weight.half().float())
    assert torch.equal(begun.model.lm_head.weight, other.model.lm_head.weight.half().float())
    assert begun.tokenizer.get_vocab() == other.tokenizer.get_vocab()
    assert begun.response_ids("Yes.") == [*other.text_ids("yes"), other.tokenizer.eos_token_id]


def test_a_language_model_of_other_sizes_ends_in_one_line(tmp_path, capsys):
    untrained().save(tmp_path)
    shape = dataclasses.replace(OTHER_SHAPE, text_width=16)
    settings = EmotionLlamaBase(
        tmp_path / "o", *[Stage(steps=1, mix={})] * 4, shape=shape, language_model=str(tmp_path)
    )
    capsys.readouterr()
    with pytest.raises(SystemExit):
        train.untrained(settings)
    error = capsys.readouterr().err
    assert f"language_model={tmp_path}: it is none of this shape" in error
    assert error.count("\n") == 1


def test_a_base_can_begin_with_another_whole(tmp_path, capfd):
    """Its encoders stay as they are, and what they make of the clips is kept for the next try of the last stage."""
    first, out = untrained(), tmp_path / "out"
    first.save(tmp_path / "first")
    sizes = [f"shape.{name}={value}" for name, value in dataclasses.asdict(SHAPE).items()]
    little = [f"begin_with={tmp_path / 'first'}", "clips=8", "validation_clips=12", "biased.steps=2", "biased.clips=2"]
    command = ["run", "mini_base_2", f"out={out}", *sizes, *little]
    assert cli.main(command) == 0
    before = {name: value.half() for name, value in first.model.state_dict().items()}
    after = load_file(out / "model.safetensors")
    frozen = tuple(mark for marks in AvereMiniature.ENCODERS.values() for mark in marks)
    changed = {name for name, value in after.items() if not torch.equal(value, before[name])}
    assert any("language_model" in name for name in changed)
    assert not [name for name in changed if name.startswith(frozen) and "audio_projector.linear" not in name]
    assert cli.main([*command, "biased.plausible=0.5"]) == 0
    printed = capfd.readouterr()
    assert printed.err.count("rendering") > 0
    assert "stage taken from" not in printed.out
    assert (out / "video_states.pt").stat().st_mtime < (out / "biased_stage.pt").stat().st_mtime - 0.01
    with pytest.raises(SystemExit):
        cli.main([*command, "shape.text_width=16"])
    assert f"begin_with={tmp_path / 'first'}: it is none of this shape" in capfd.readouterr().err
    with pytest.raises(SystemExit):
        cli.main([*command, f"begin_with={tmp_path / 'none'}"])
    assert f"begin_with={tmp_path / 'none'}: there is no model.safetensors in it" in capfd.readouterr().err
    assert cli.main([*command, "language_model=avere_nano"]) == 2
    assert "leave language_model out" in capfd.readouterr().err


def test_only_withheld_media_are_answered_by_what_fits(small):
    miniature, media = small
    kinds = {"letters_agreement": 1.0}
    for hidden, plausible, always_yes in ((True, 1.0, True), (True, 0.0, False), (False, 1.0, False)):
        one = stage(hidden=0.0, mix=kinds, segments=6, plausible=plausible)
        rng, yes = np.random.default_rng(0), []
        for clip in media.clips:
            row = train._row(rng, clip, one, hidden, miniature)
            yes += said_yes(row, miniature)
        assert all(yes) == always_yes


def said_yes(row, miniature):
    """Whether each branch's letter is that of Yes."""
    ids, labels, branches = (torch.tensor(values) for values in (row.ids, row.labels, row.branch))
    verdicts = []
    for branch in sorted(set(branches[labels != -100].tolist())):
        text = miniature.tokenizer.decode(ids[branches == branch])
        letter = miniature.tokenizer.decode(labels[(branches == branch) & (labels != -100)][:1]).strip().upper()
        verdicts.append(f"({letter}) Yes" in text)
    return verdicts


@pytest.mark.slow
@pytest.mark.parametrize(("recipe", "shape"), [("mini_base", SHAPE), ("mini_emotion_llama", OTHER_SHAPE)])
def test_the_recipe_runs_and_its_folder_loads(tmp_path, capfd, recipe, shape):
    out = tmp_path / "nano"
    sizes = [f"shape.{name}={value}" for name, value in dataclasses.asdict(shape).items()]
    sizes.append("language_model=")
    little = ["clips=64", "validation_clips=30", "towers.video_steps=4", "towers.audio_steps=4", "towers.batch=16"]
    little += ["towers.more_video=8", "alignment.steps=2"]
    keys = ("steps", "clips", "every")
    stages = [f"{name}.{key}=2" for name in STAGES for key in keys]
    assert cli.main(["run", recipe, f"out={out}", *sizes, *little, *stages]) == 0
    report = json.loads((out / "training.json").read_text())
    assert set(report["validation"]) == {"video", "audio", *STAGES}
    assert all(math.isfinite(value) for value in report["validation"]["balanced"]["tasks"].values())
    from transformers import AutoModelForCausalLM, AutoProcessor

    model, processor = AutoModelForCausalLM.from_pretrained(out), AutoProcessor.from_pretrained(out)
    prompt = processor.prompt("Is a siren heard?", False, *([False] if recipe == "mini_base" else ["reason"]))
    ids = torch.tensor([processor.encode_prompt(prompt)])
    assert model.generate(ids, max_new_tokens=2, do_sample=False).shape[1] <= ids.shape[1] + 2
    assert cli.main(["run", recipe, f"out={out}", *sizes, *little, *stages]) == 0
    printed = capfd.readouterr().out
    assert "video encoder taken from" in printed
    assert printed.count("stage taken from") == 4
