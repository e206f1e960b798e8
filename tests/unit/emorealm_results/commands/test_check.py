"""`emorealm check`: the same report as a run, without a model."""

import json
import shutil

import pytest

import tiny_models
from emorealm_results.commands import check
from model_adapters.base.embedded import NANO

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
    shutil.copytree(NANO, tmp_path / "avere")
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
    assert captured.err.splitlines()[-1] == "emorealm: not ready: data of emorealm; why stands above"
    assert captured.out.rindex("credential") < captured.out.index("weights")  # what may be missing comes first


def test_blind_needs_no_clips(world):
    (world / "videos/part_1/1.mp4").unlink()
    assert check.main(["--tasks", "emorealm_blind"]) == 0


def test_an_unbuilt_mini_benchmark_is_reported_by_default(world, capsys):
    assert check.main([]) == 2
    assert "emorealm-mini build" in capsys.readouterr().err


def test_weights_that_are_not_converted(world, capsys):
    (world / "avere/config.json").write_text('{"model_type": "llava"}')
    assert check.main(["--tasks", "emorealm"]) == 2
    assert "its model_type is 'llava', not 'avere'; make one with `python -m" in capsys.readouterr().err


def sharded(folder):
    names = [f"model-{number:05d}-of-00002.safetensors" for number in (1, 2)]
    for name in names:
        shutil.copy(folder / "model.safetensors", folder / name)
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors.index.json").write_text(
        json.dumps({"weight_map": dict(zip("ab", names, strict=True))})
    )
    return folder / names[1]


@pytest.mark.parametrize("name", ["config.json", "processor_config.json", "tokenizer_config.json", "model.safetensors"])
def test_a_file_of_the_weights_that_is_missing(world, capsys, name):
    (world / "avere" / name).unlink()
    assert check.main(["--tasks", "emorealm_blind"]) == 2
    assert f"{name} " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda shard: shard.unlink(), "its model-00002-of-00002.safetensors is missing"),
        (lambda shard: shard.write_bytes(shard.read_bytes()[:-1]), "has 8544175 bytes where its header says 8544176"),
        (lambda shard: shard.write_bytes(b"5"), "is cut or is no safetensors file"),
    ],
)
def test_a_shard_that_is_missing_or_cut(world, capsys, change, problem):
    shard = sharded(world / "avere")
    assert check.main(["--tasks", "emorealm_blind"]) == 0
    change(shard)
    assert check.main(["--tasks", "emorealm_blind"]) == 2
    assert problem in capsys.readouterr().err


def test_adapters_whose_base_is_gone(world, capsys, monkeypatch):
    adapters = world / "adapters"
    shutil.copytree(NANO.with_name("avere_nano_dpo"), adapters)
    about = json.loads((adapters / "adapter_config.json").read_text())
    monkeypatch.setenv("EMOREALM_AVERE", str(adapters))
    assert check.main(["--tasks", "emorealm_blind"]) == 0
    (adapters / "adapter_config.json").write_text(json.dumps(about | {"base_model_name_or_path": str(world / "gone")}))
    assert check.main(["--tasks", "emorealm_blind"]) == 2
    assert "gone is no folder with a config.json" in capsys.readouterr().err


CASES = [
    ("avere", "", 0, "avere: a run can begin"),
    ("avere", "dtype=float7", 2, "unknown dtype 'float7'"),
    ("avere", "pretrianed=x", 2, "did you mean 'pretrained'?"),
    ("avere", "adapter=none", 2, "adapter=none: there is no adapter_config.json there"),
    ("qwen2_5_omni_av", "pretrained=/nowhere", 2, "/nowhere cannot be used"),
    ("openai_av", "", 2, "name the model as its server does: model=..."),
    ("openai_av", "model=m", 2, "set OPENAI_API_KEY, or name a server"),
    (
        "openai_av",
        "model=m,base_url=http://127.0.0.1:9/v1",
        2,
        "no answer from http://127.0.0.1:9/v1/: Connect",
    ),
    ("gemini_av", "", 2, "set GOOGLE_API_KEY or GEMINI_API_KEY"),
    ("external_worker", "worker=ola,python=/none", 2, "python=/none: no such program"),
    ("external_worker", "worker=avere_native,checkpoint=avere_nano", 0, "external_worker: a run can begin"),
    ("pandagpt", "", 2, "--model external_worker --model_args worker=pandagpt"),
    ("averee", "", 2, "no model 'averee'; did you mean avere?"),
    ("llava_onevision", "", 0, "a model of lmms-eval"),
]


@pytest.mark.parametrize(("model", "model_args", "status", "words"), CASES)
def test_a_model_is_looked_at_as_its_run_does(world, capsys, monkeypatch, model, model_args, status, words):
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "GOOGLE_API_KEY", "GEMINI_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    asked = ["--tasks", "emorealm_blind", "--model", model, *(["--model_args", model_args] if model_args else [])]
    assert check.main(asked) == status
    captured = capsys.readouterr()
    assert words in captured.out + captured.err


def test_a_key_is_never_printed(world, capsys, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-very-secret")
    server = "base_url=http://user:sk-other@127.0.0.1:9/v1"
    assert check.main(["--tasks", "emorealm_blind", "--model", "openai_av", "--model_args", f"model=m,{server}"]) == 2
    captured = capsys.readouterr()
    assert "secret" not in captured.out + captured.err
    assert "sk-other" not in captured.out + captured.err


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
    assert "unknown task 'emorealms'; did you mean emorealm?" in capsys.readouterr().err


def test_extras_of_developers_are_no_users_concern(world, capsys):
    assert check.main(["--tasks", "emorealm_blind"]) == 0
    printed = capsys.readouterr().out
    assert "extra       judge" in printed
    assert "extra       test" not in printed
    assert "extra       docs" not in printed


def test_extras_come_from_the_package_metadata():
    lines = ["numpy>=1", 'pytest>=8; extra == "test"', 'no-such-thing>=1; extra == "train"', 'numpy; extra == "train"']
    lines.append('nothing; sys_platform == "no such platform" and extra == "abroad"')
    lines.append('nowhere; sys_platform != "no such platform" and extra == "here"')
    found = check.missing_by_extra(lines, ["test", "train", "abroad", "here"])
    assert found == {"test": [], "train": ["no-such-thing"], "here": ["nowhere"]}
