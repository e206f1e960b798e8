"""What `model=` can name: a folder, the embedded model, a hub id; and how a name that means nothing ends."""

import json

import pytest
from huggingface_hub import constants

from avem_train import backbone, cli
from model_adapters.avere.loading import NANO


@pytest.fixture
def hub(tiny_avere, tmp_path, monkeypatch):
    """A cache of the hub, with no network, in which the tiny model is someone/tiny; the folder of that."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    repository, commit = tmp_path / "models--someone--tiny", "0123456789abcdef0123456789abcdef01234567"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text(commit)
    (repository / "snapshots").mkdir()
    (repository / "snapshots" / commit).symlink_to(tiny_avere)
    return repository / "snapshots" / commit


def stopped(capsys, action):
    """The one line with which an action ends."""
    with pytest.raises(SystemExit) as left:
        action()
    assert left.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    return line


def test_a_model_is_a_folder_the_embedded_one_or_a_hub_id(hub, tiny_avere, tmp_path, monkeypatch):
    assert backbone.find(str(tiny_avere)) == tiny_avere
    assert backbone.find("avere_nano") == NANO
    assert backbone.find("someone/tiny") == hub
    monkeypatch.chdir(tmp_path)
    (tmp_path / "someone").mkdir()
    (tmp_path / "someone" / "tiny").symlink_to(tiny_avere)
    assert backbone.find("someone/tiny") == tiny_avere  # a folder goes before the hub


def test_what_is_no_model_ends_in_one_line(hub, tmp_path, capsys):
    said = stopped(capsys, lambda: backbone.find("someone/absent"))
    assert "model=someone/absent: there is no such folder, and the hub gives no such model" in said
    assert "hf download someone/absent" in said
    assert "there is no such folder" in stopped(capsys, lambda: backbone.find("/nowhere/at/all"))
    for content, reason in (
        (None, "there is no config.json in it"),
        ("{", "not that of a model"),
        (json.dumps({"model_type": "llama"}), "its model_type is 'llama'"),
    ):
        if content is not None:
            (tmp_path / "config.json").write_text(content)
        assert reason in stopped(capsys, lambda: backbone.find(str(tmp_path)))


def test_the_command_says_so(preference_file, tmp_path, capsys):
    arguments = ["run", "avem_dpo", "model=nowhere", f"data={preference_file}", f"out={tmp_path / 'out'}"]
    said = stopped(capsys, lambda: cli.main([*arguments, "running.device=cpu"]))
    assert "nowhere: there is no such folder; name a folder with a whole model, avere_nano, or a hub id" in said
    assert not (tmp_path / "out").exists()
