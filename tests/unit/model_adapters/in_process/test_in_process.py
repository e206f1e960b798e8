"""Adapters that run in this process, each on a tiny random checkpoint: what reaches the model, batches, failures."""

import json
import shutil
from functools import partial
from pathlib import Path

import pytest
import torch

import tiny_models
from chat_requests import ask, requests_for
from emorealm_tasks.harness import media_log
from model_adapters import catalogue, manifests
from model_adapters.base.frame_sampling import Sampling
from model_adapters.base.generation import generation_settings
from model_adapters.base.media_refs import ClipFiles
from model_adapters.emotion_llama.adapter import EmotionLlama, EmotionLlamaV2
from model_adapters.in_process.audio_only import AudioFlamingo3AV, Qwen2AudioAV
from model_adapters.in_process.audio_visual import Qwen3OmniAV, Qwen25OmniAV
from model_adapters.in_process.batches import batches
from model_adapters.in_process.collate import collate
from model_adapters.in_process.vision_only import InternVL35AV, Qwen25VLAV, VideoLlama3AV

FAMILIES = {
    "qwen2_5_omni_av": (Qwen25OmniAV, None),
    "qwen3_omni_av": (Qwen3OmniAV, tiny_models.qwen3_omni),
    "qwen2_audio_av": (Qwen2AudioAV, tiny_models.qwen2_audio),
    "audio_flamingo3_av": (AudioFlamingo3AV, tiny_models.audio_flamingo3),
    "videollama3_av": (VideoLlama3AV, tiny_models.videollama3),
    "qwen2_5_vl_av": (Qwen25VLAV, tiny_models.qwen2_5_vl),
    "internvl3_5_av": (InternVL35AV, tiny_models.internvl3_5),
    "emotion_llama": (EmotionLlama, tiny_models.emotion_llama),
    "emotion_llama_v2": (EmotionLlamaV2, partial(tiny_models.emotion_llama, version=2)),
}


@pytest.fixture(scope="session")
def folder_of(tmp_path_factory, tiny_omni):
    """Name -> folder of its tiny checkpoint, made once."""
    made = {"qwen2_5_omni_av": tiny_omni}

    def folder(name):
        if name not in made:
            made[name] = FAMILIES[name][1](tmp_path_factory.mktemp(name))
        return str(made[name])

    return folder


@pytest.fixture(scope="session")
def load(folder_of):
    def loaded(name, **arguments):
        return FAMILIES[name][0](pretrained=folder_of(name), device="cpu", **arguments)

    return loaded


def logits(model, *doc):
    """Next-token logits of one question, by the adapter's own way from request to inputs."""
    asked = model.read_request(requests_for(model, [doc])[0])
    inputs = model.batch([model.inputs(asked.question, asked.clip)[0]])
    with torch.inference_mode():
        return model.model(**inputs, **model.forward_settings(asked.clip)).logits[0, -1]


@pytest.fixture(scope="module")
def unlike(make_clip, tmp_path_factory):
    """Two clips that differ from the first frame on."""
    folder = tmp_path_factory.mktemp("unlike")
    differences = ({"level": 16, "tone": 200.0}, {"level": 150, "tone": 400.0, "seconds": 3.0})
    return [str(make_clip(folder / f"{n}.mp4", size=64, **how)) for n, how in enumerate(differences)]


@pytest.mark.parametrize("name", FAMILIES)
def test_sound_and_picture_reach_exactly_the_models_that_take_them(name, load, unlike):
    clips, model = unlike, load(name)
    entry = catalogue.find(name)
    plain = logits(model, "Why?", clips[0], clips[0])
    assert torch.equal(plain, logits(model, "Why?", clips[0], clips[0]))
    other_picture, other_sound = logits(model, "Why?", clips[1], clips[0]), logits(model, "Why?", clips[0], clips[1])
    assert bool((other_picture - plain).abs().max() > 1e-3) == entry.sees
    assert bool((other_sound - plain).abs().max() > 1e-3) == entry.hears
    if not entry.sees:
        assert torch.equal(plain, other_picture)
    if not entry.hears:
        assert torch.equal(plain, other_sound)


@pytest.mark.slow
@pytest.mark.parametrize("name", FAMILIES)
def test_answers_are_the_same_at_every_batch_size(name, load, clips):
    """Every kind of question about clips of different lengths, interleaved; settings are left as they are."""
    docs = [
        (text, clip if "v" in kind else None, clip if "a" in kind else None)
        for text in ("Is it rain? (A) Yes (B) No", "What?")
        for kind in ("av", "v", "a", "")
        for clip in clips
    ]
    model = load(name)
    alone = ask(model, docs)
    model.batch_size = 5
    requests = requests_for(model, docs)
    before = [dict(request.args[2]) for request in requests]
    assert [answer.text for answer in model.generate_until(requests)] == alone
    assert [request.args[2] for request in requests] == before
    assert len(set(alone)) > 2  # clips matter, so a mix-up would show


def test_interleaved_and_separate_sound_are_two_ways_of_asking(load, clips):
    doc = ("Why?", clips[0], clips[0])
    together, apart = load("qwen2_5_omni_av"), load("qwen2_5_omni_av", interleave=False)
    assert (logits(together, *doc) - logits(apart, *doc)).abs().max() > 1e-3
    changed = logits(apart, "Why?", clips[0], clips[1])
    assert (changed - logits(apart, *doc)).abs().max() > 1e-3
    deaf = load("qwen2_5_omni_av", modalities="v")
    assert torch.equal(logits(deaf, *doc), logits(deaf, "Why?", clips[0], None))


@pytest.mark.parametrize("name", ["qwen2_5_omni_av", "qwen2_audio_av", "internvl3_5_av"])
def test_a_model_that_device_map_spreads_answers_as_the_whole_one(name, load, clips, monkeypatch):
    """As accelerate spreads it over GPUs, each part called where it lies; here over memory and disk."""
    docs = [(text, clip, clip) for clip in clips for text in ("Why?", "Is it rain? (A) Yes (B) No")]
    whole = load(name, batch_size=4)
    places = {part: "cpu" for part, _ in whole.model.named_children()} | {"lm_head": "disk"}
    spread = load(name, batch_size=4, device_map=places)
    assert spread.model.hf_device_map == places
    assert spread.model.lm_head.weight.is_meta
    assert ask(spread, docs) == ask(whole, docs)
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(SystemExit):
        load(name, device_map="auto")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["qwen2_5_omni_av", "emotion_llama"])
def test_contrastive_decoding_is_exact_at_alpha_0_and_the_same_at_every_batch_size(name, load, clips):
    docs = [(text, clip, clip) for clip in clips for text in ("Why?", "Is it rain? (A) Yes (B) No")]
    plain = load(name, batch_size=4)
    expected = ask(plain, docs)
    off = load(name, batch_size=4, vcd_alpha=0)
    assert ask(off, docs) == expected
    strong = load(name, batch_size=4, vcd_alpha=3, vcd_step=999)
    moved = ask(strong, docs)
    strong.batch_size = 1
    assert ask(strong, docs) == moved
    assert moved != expected
    with pytest.raises(SystemExit):
        ask(strong, docs, temperature=1.0)


def test_the_thinker_is_read_from_the_whole_omni_checkpoint(load, folder_of, clips, tmp_path):
    """Names with the prefix `thinker.` and a configuration in which the thinker is a part, as published."""
    from safetensors.torch import load_file, save_file
    from transformers import AutoProcessor

    thinker = folder_of("qwen2_5_omni_av")
    weights = load_file(f"{thinker}/model.safetensors")
    renamed = {f"thinker.{name}": tensor for name, tensor in weights.items()} | {"talker.x": torch.zeros(1)}
    save_file(renamed, tmp_path / "model.safetensors", metadata={"format": "pt"})
    config = json.loads(Path(thinker, "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "qwen2_5_omni", "thinker_config": config}))
    AutoProcessor.from_pretrained(thinker).save_pretrained(tmp_path)
    whole = FAMILIES["qwen2_5_omni_av"][0](pretrained=str(tmp_path), device="cpu")
    doc = ("Why?", clips[0], clips[0])
    assert torch.equal(logits(whole, *doc), logits(load("qwen2_5_omni_av"), *doc))


def test_a_question_that_fails_costs_only_itself_and_is_never_an_empty_answer(load, clips, tmp_path, monkeypatch):
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"not a film")
    docs = [("a", clips[0], clips[0]), ("b", str(broken), str(broken)), ("c", clips[1], clips[1])]
    model = load("qwen2_5_omni_av", batch_size=3, max_errors=0.5)
    good = ask(model, docs)
    assert good[1].startswith("[LMMS_EVAL_REQUEST_FAILED]")
    assert str(broken) in good[1]
    assert not any(answer.startswith("[LMMS") for answer in (good[0], good[2]))
    generate = model.model.generate

    def full(input_ids, **rest):
        if len(input_ids) > 1:
            raise torch.OutOfMemoryError("the card is full")
        return generate(input_ids=input_ids, **rest)

    monkeypatch.setattr(model.model, "generate", full)
    assert ask(model, docs) == good  # a batch too large is answered one by one


def test_beyond_the_error_budget_the_run_stops(load, clips, monkeypatch, capsys):
    model = load("qwen2_audio_av", batch_size=2)
    monkeypatch.setattr(model.model, "generate", lambda **_: (_ for _ in ()).throw(RuntimeError("the driver is gone")))
    with pytest.raises(SystemExit) as caught:
        ask(model, [("a", None, clips[0]), ("b", None, clips[1])])
    assert caught.value.code == 2
    said = capsys.readouterr().err
    assert "RuntimeError: the driver is gone" in said
    assert "max_errors=0.01" in said


def test_what_was_given_is_said_in_the_side_file(load, clips, tmp_path, monkeypatch):
    monkeypatch.setenv(media_log.VARIABLE, str(tmp_path / "media.jsonl"))
    (tmp_path / "media.jsonl").touch()
    model = load("qwen2_5_vl_av")
    ask(model, [("a", clips[2], clips[2])])
    given = media_log.find(clips[2], clips[2])
    assert given["frames"] == len(given["times"]) == 6
    assert given["audio_seconds"] == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"pretraned": "x"}, "did you mean 'pretrained'"),
        ({"modalities": "a"}, "it can only see"),
        ({"pretrained": "/nowhere"}, "/nowhere cannot be used"),
        ({"interleave": True}, "unknown model argument 'interleave'"),
        ({"frames": 0}, "frames=0 is out of range"),
        ({"pretrained": None}, "name its weights with pretrained="),
    ],
)
def test_bad_arguments_end_in_one_line(folder_of, arguments, said, capsys):
    with pytest.raises(SystemExit) as caught:
        VideoLlama3AV(**{"pretrained": folder_of("videollama3_av"), "device": "cpu"} | arguments)
    assert caught.value.code == 2
    printed = capsys.readouterr().err
    assert said in printed
    assert printed.count("emorealm:") == 1
    assert "Traceback" not in printed


def test_another_models_checkpoint_is_refused(folder_of, capsys):
    with pytest.raises(SystemExit):
        VideoLlama3AV(pretrained=folder_of("qwen2_5_vl_av"), device="cpu")
    assert "its model_type is 'qwen2_5_vl', not 'video_llama_3'" in capsys.readouterr().err


def test_every_chat_class_of_the_catalogue_is_offered_under_its_name():
    offered = {manifest.model_id: manifest.chat_class_path for manifest in manifests.manifests()}
    for name, (family, _) in FAMILIES.items():
        assert family.name == name
        assert offered[name] == catalogue.find(name).chat_class == f"{family.__module__}.{family.__name__}"


@pytest.mark.parametrize(
    ("sampling", "seconds", "count"),
    [
        (Sampling(fps=2, most=768, least=4, multiple=2), 2.6, 4),
        (Sampling(fps=2, most=768, least=4, multiple=2), 10.2, 20),
        (Sampling(fps=2, most=7, least=4, multiple=2), 10.2, 6),
        (Sampling(fps=0, most=8), 2.0, 8),
        (Sampling(fps=1, most=180), 0.2, 1),
    ],
)
def test_number_of_frames(sampling, seconds, count):
    assert sampling.count(seconds) == count


def test_batches_share_settings_and_modalities_and_keep_clips_together():
    film, other = ClipFiles("f", "f"), ClipFiles("o", "o")
    short, long = {"max_new_tokens": 4}, {"max_new_tokens": 9}
    asked = [(film, short), (other, short), (film, short), (ClipFiles("f", None), short), (film, long)]
    assert batches(asked, 2) == [[0, 2], [1], [3], [4]]


def test_settings_are_greedy_unless_the_task_asks_for_more():
    greedy = generation_settings({"temperature": 0, "top_p": 0.5, "until": ["x"]})
    assert greedy == {"max_new_tokens": 512, "num_beams": 1, "do_sample": False} | dict.fromkeys(
        ("temperature", "top_p", "top_k")
    )
    drawn = generation_settings({"temperature": 0.7, "max_new_tokens": 3})
    assert (drawn["do_sample"], drawn["temperature"], drawn["top_p"], drawn["max_new_tokens"]) == (True, 0.7, 1.0, 3)


def test_collating_pads_prompts_on_the_left_and_mel_on_the_right():
    def row(length, mel):
        ids = torch.arange(1, length + 1)[None]
        return {"input_ids": ids, "attention_mask": torch.ones_like(ids), "input_features": torch.ones(1, 2, mel)}

    made = collate([row(3, 2), row(1, 4)], pad_token_id=7)
    assert made["input_ids"].tolist() == [[1, 2, 3], [7, 7, 1]]
    assert made["attention_mask"].tolist() == [[1, 1, 1], [0, 0, 1]]
    assert made["input_features"].sum((1, 2)).tolist() == [4, 8]
    assert made["input_features"][0, :, 2:].eq(0).all()
    with pytest.raises(ValueError, match="different inputs"):
        collate([row(3, 2), {"input_ids": torch.ones(1, 1)}], 0)


@pytest.mark.parametrize("name", ["config.json", "tokenizer_config.json"])
def test_files_that_hold_a_list_end_in_one_line(folder_of, tmp_path, capsys, name):
    broken = shutil.copytree(folder_of("qwen2_5_omni_av"), tmp_path / "broken")
    (broken / name).write_text("[1, 2]")
    with pytest.raises(SystemExit) as caught:
        Qwen25OmniAV(pretrained=str(broken), device="cpu")
    assert caught.value.code == 2
    assert capsys.readouterr().err.count("emorealm:") == 1
