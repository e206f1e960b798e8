"""What launchers set in the environment: a number, or one line."""

import pytest

from model_adapters.base import arguments


@pytest.mark.parametrize("value", ["abc", "-1", "1.5", "nan", "9" * 5000, "x" * 5000, "²", "~nosuchuser", "\udcff"])
def test_a_number_of_processes_that_is_none_is_one_line(monkeypatch, capsys, value):
    monkeypatch.setenv("WORLD_SIZE", value)
    with pytest.raises(SystemExit) as stopped:
        arguments.launched("WORLD_SIZE", 1, "avere")
    assert stopped.value.code == 2
    line = capsys.readouterr().err
    assert line.startswith("emorealm: avere: WORLD_SIZE=")
    assert line.count("\n") == 1
    assert len(line) < 400


@pytest.mark.parametrize(("value", "number"), [("8", 8), (" 2 ", 2), ("", 1)])
def test_numbers_are_read_and_nothing_is_the_default(monkeypatch, value, number):
    monkeypatch.setenv("WORLD_SIZE", value)
    assert arguments.launched("WORLD_SIZE", 1, "avere") == number
    monkeypatch.delenv("WORLD_SIZE")
    assert arguments.launched("WORLD_SIZE", 1, "avere") == 1
