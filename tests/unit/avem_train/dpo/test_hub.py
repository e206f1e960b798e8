"""Records from the hub and results to it, by the hub's real client, to a hub on this machine."""

import json

import huggingface_hub.constants
import pytest

import hub_stand_in
from avem_train import cli
from avem_train.data import hub_files


@pytest.fixture
def hub(monkeypatch, tmp_path):
    with hub_stand_in.Hub() as running:
        settings = {"ENDPOINT": running.address, "HF_HUB_OFFLINE": False, "HF_HUB_DISABLE_XET": True}
        settings |= {"HF_TOKEN_PATH": str(tmp_path / "none"), "HF_HUB_CACHE": str(tmp_path / "cache")}
        settings["HUGGINGFACE_CO_URL_TEMPLATE"] = running.address + "/{repo_id}/resolve/{revision}/{filename}"
        for name, value in settings.items():
            monkeypatch.setattr(huggingface_hub.constants, name, value)
        monkeypatch.setenv("HF_TOKEN", hub_stand_in.TOKEN)
        hub_files._fetched.cache_clear()
        yield running


@pytest.fixture
def published(hub, preference_file):
    """The records of `preference_file` and their clips as a data set."""
    paths = (preference_file, *preference_file.parent.glob("*.mp4"))  # other tests write beside them
    files = {f"clean/{path.name}": path.read_bytes() for path in paths}
    hub.repositories["datasets/org/prefs"] = {"private": False, "files": files}
    return "hf://datasets/org/prefs/clean/preferences.jsonl"


@pytest.fixture
def train(tiny_avere, tmp_path, capsys):
    """The command, for one step; returns its status and what it says of errors."""

    def call(*further):
        given = [f"model={tiny_avere}", f"out={tmp_path / 'out'}", "running.device=cpu", "optimiser.steps=1"]
        given += ["running.tensorboard=false", f"running.reference={tmp_path / 'kept'}", "optimiser.accumulation=1"]
        capsys.readouterr()
        try:
            status = cli.main(["run", "avem_dpo", *given, *further])
        except SystemExit as stopped:
            status = stopped.code
        return status, capsys.readouterr().err

    return call


def test_records_and_clips_come_from_the_hub_and_the_result_goes_there(train, hub, published, tmp_path):
    to_hub = ["push_to_hub=org/result", "push_base=org/avere"]
    status, error = train(f"data={published}", *to_hub)
    assert status == 0, error
    result = hub.repositories["models/org/result"]
    assert result["private"]
    assert set(result["files"]) == {"README.md", "adapter_config.json", "adapter_model.safetensors", "training.json"}
    assert json.loads(result["files"]["adapter_config.json"])["base_model_name_or_path"] == "org/avere"
    assert b"base_model: org/avere" in result["files"]["README.md"]
    assert str(tmp_path).encode() not in b"".join(result["files"].values())
    assert f"data: {published}\n" in (tmp_path / "out" / "recipe.yaml").read_text()
    assert json.loads((tmp_path / "out" / "training.json").read_text())["settings"]["data"] == published
    fetched = [path for method, path in hub.seen if method == "GET" and "/resolve/" in path]
    assert len(fetched) == len(set(fetched)) == 5  # each file once
    result["files"].clear()
    assert train(f"data={published}", *to_hub)[0] == 0  # finished, so it is uploaded again and no more
    assert "adapter_model.safetensors" in result["files"]


def test_the_records_alone_come_where_the_clips_are_here(hub, published, preference_file):
    path = hub_files.local(published, str(preference_file.parent))
    assert path.read_bytes() == preference_file.read_bytes()
    assert len([path for method, path in hub.seen if method == "GET"]) == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("push_to_hub=result", "push_to_hub= result: is no name of a repository; write ORG/NAME"),
        ("push_to_hub=org/result", "a folder that nobody else has; say with push_base=ORG/NAME"),
        ("no token", "no token for the hub; set HF_TOKEN"),
        ("data=hf://datasets/org/prefs/clean/other.jsonl", "there is no such file in the data set"),
        ("data=hf://datasets/org/none/a.jsonl", "hf://datasets/org/none/a.jsonl: the hub does not give it"),
    ],
)
def test_what_cannot_be_had_or_uploaded_ends_before_training(train, published, monkeypatch, change, message, tmp_path):
    if change == "no token":
        monkeypatch.setenv("HF_TOKEN", "")
        change = "push_to_hub=org/result"
    status, error = train(f"data={published}", change)
    assert status == 2
    assert message in error
    assert not (tmp_path / "out" / "training.json").exists()
