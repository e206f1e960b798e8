"""`emorealm tasks` and `emorealm models`: a line each."""

import pytest

from emorealm_results import cli
from emorealm_tasks import plugin
from model_adapters.catalogue import MODELS


@pytest.fixture(autouse=True)
def wide(monkeypatch):
    """Whatever the terminal is that the tests run in."""
    monkeypatch.setenv("COLUMNS", "1000")


def printed(capsys, verb):
    assert cli.main([verb]) == 0
    return capsys.readouterr().out.splitlines()


def test_every_task_has_a_line(capsys):
    lines = printed(capsys, "tasks")
    assert len(lines) == len(plugin.describe())
    assert all(len(line.split(maxsplit=1)) == 2 for line in lines)


def test_every_model_has_a_line_that_says_how_it_is_named_and_what_it_is_given(capsys):
    head, *lines, _, last = printed(capsys, "models")
    assert head.split() == ["--model", "is", "given", "weights"]
    assert len(lines) == len(MODELS)
    found = {line.split("  ")[0]: " ".join(line.split()) for line in lines}
    assert found["avere"] == "avere picture + sound chaubeyG/AVERE-7B"
    assert "sound Qwen/Qwen2-Audio" in found["qwen2_audio_av"]
    assert "+" not in found["qwen2_audio_av"]
    assert "worker=ola" in found
    assert "--model external_worker --model_args worker=NAME" in last


@pytest.mark.parametrize("verb", ["tasks", "models"])
def test_lists_fit_the_terminal(capsys, monkeypatch, verb):
    monkeypatch.setenv("COLUMNS", "80")
    assert max(map(len, printed(capsys, verb))) <= 80
