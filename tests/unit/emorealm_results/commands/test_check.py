"""`emorealm check`: the same report as a run, without a model."""

import json

import pytest

import tiny_models
from emorealm_results.commands import check

TASKS = ["modality_agreement", "reasoning_basic_audio", "reasoning_basic_video", "reasoning_stress_audio",
         "reasoning_stress_video"]  # fmt: skip


@pytest.fixture
def world(tmp_path, monkeypatch, make_clip):
    """A set-up with one clip and a question a task on it, and weights."""
    for name in ("SETTINGS", "AUDIOS", "MINI", "ALLOW_MISSING", "AV_MODE"):
        monkeypatch.delenv(f"EMOREALM_{name}", raising=False)
    make_clip(tmp_path / "videos/part_1/1.mp4", seconds=0.5)
    items = [{"id": task, "task": task, "video": "part_1/1.mp4", "question": "Why?", "choices": ["(A) Yes", "(B) No"],
              "answer": "A"} for task in TASKS]  # fmt: skip
    (tmp_path / "q.json").write_text(json.dumps(items))
    (tmp_path / "avere").mkdir()
    (tmp_path / "avere/config.json").write_text('{"model_type": "avere"}')
    (tmp_path / "avere/model.safetensors").touch()
    for name, path in {"JSON": "q.json", "VIDEOS": "videos", "AVERE": "avere", "CACHE": "cache"}.items():
        monkeypatch.setenv(f"EMOREALM_{name}", str(tmp_path / path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_all_is_well(world, capsys):
    assert check.main(["--tasks", "emorealm"]) == 0
    printed = capsys.readouterr().out
    assert "emorealm: 5 questions on 1 clips" in printed
    assert f"AVERE: {world / 'avere'}" in printed
    assert "HF_TOKEN is" in printed


def test_missing_clips_give_the_report_of_a_run(world, capsys):
    (world / "videos/part_1/1.mp4").unlink()
    assert check.main(["--tasks", "emorealm_shuffled_modality_agreement"]) == 2
    captured = capsys.readouterr()
    assert "1 of 1 clips cannot be used: 1 missing." in captured.err
    assert "weights" in captured.out  # and goes on to the rest


def test_blind_needs_no_clips(world):
    (world / "videos/part_1/1.mp4").unlink()
    assert check.main(["--tasks", "emorealm_blind"]) == 0


def test_an_unbuilt_mini_benchmark_is_reported_by_default(world, capsys):
    assert check.main([]) == 2
    assert "emorealm-mini build" in capsys.readouterr().err


def test_weights_that_are_not_converted(world, capsys):
    (world / "avere/config.json").write_text('{"model_type": "llava"}')
    assert check.main(["--tasks", "emorealm"]) == 2
    assert "AVERE: no converted weights" in capsys.readouterr().out


def test_emotion_llamas_files_are_known(world, tmp_path_factory, capsys, monkeypatch):
    folder = tiny_models.emotion_llama(tmp_path_factory.mktemp("emotion_llama"))
    monkeypatch.setenv("EMOREALM_EMOTION_LLAMA", str(folder))
    asked = ["--tasks", "emorealm_blind"]
    assert check.main(asked) == 0
    assert f"Emotion-LLaMA (version 1, placement released): {folder}\n" in capsys.readouterr().out
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"hubert_config": None}))
    assert check.main(asked) == 0
    assert "cannot hear with features=demo: convert with --hubert" in capsys.readouterr().out
    (folder / "model.safetensors").unlink()
    assert check.main(asked) == 2
    assert f"no converted weights in {folder} (*.safetensors not there); write them" in capsys.readouterr().out


def test_unknown_task(world, capsys):
    with pytest.raises(SystemExit) as stopped:
        check.main(["--tasks", "emorealms"])
    assert stopped.value.code == 2
    assert "unknown task 'emorealms'" in capsys.readouterr().err


def test_extras_come_from_the_package_metadata():
    lines = ["numpy>=1", 'pytest>=8; extra == "test"', 'no-such-thing>=1; extra == "train"', 'numpy; extra == "train"']
    lines.append('nothing; sys_platform == "no such platform" and extra == "abroad"')
    lines.append('nowhere; sys_platform != "no such platform" and extra == "here"')
    found = check.missing_by_extra(lines, ["test", "train", "abroad", "here"])
    assert found == {"test": [], "train": ["no-such-thing"], "here": ["nowhere"]}
