"""The commands' own arguments: versions, help where nothing is asked, the nearest verb, one line for the rest."""

from importlib.metadata import version

import pytest

from avem_train import cli as avem_train
from emorealm_results import cli as emorealm
from emorealm_tasks.command_line import nearest
from emorealm_tasks.mini import cli as mini

COMMANDS = {"emorealm": emorealm.main, "avem-train": avem_train.main, "emorealm-mini": mini.main}


def left(main, *argv):
    with pytest.raises(SystemExit) as error:
        main(list(argv))
    return error.value.code


@pytest.mark.parametrize("name", COMMANDS)
def test_the_version_is_told(name, capsys):
    assert left(COMMANDS[name], "--version") == 0
    assert capsys.readouterr().out == f"{name} {version('emorealm')}\n"


@pytest.mark.parametrize("name", COMMANDS)
def test_without_arguments_there_is_the_help(name, capsys):
    assert left(COMMANDS[name]) == 0
    assert capsys.readouterr().out.startswith(f"usage: {name} ")


@pytest.mark.parametrize(
    ("name", "typed", "meant"),
    [("emorealm", "tabel", "table"), ("avem-train", "rnu", "run"), ("emorealm-mini", "bild", "build")],
)
def test_a_mistyped_verb_is_told_the_nearest(name, typed, meant, capsys):
    assert left(COMMANDS[name], typed) == 2
    line = capsys.readouterr().err
    assert f"no '{typed}'; did you mean {meant}?" in line
    assert line.count("\n") == 1


@pytest.mark.parametrize("name", COMMANDS)
def test_what_is_near_nothing_is_one_line_too(name, capsys):
    assert left(COMMANDS[name], "xyz") == 2
    line = capsys.readouterr().err
    assert f"see {name} --help" in line
    assert line.count("\n") == 1


@pytest.mark.parametrize("listed", ["'run', 'list'", "run, list"])  # as Python 3.11 and as later ones list them
def test_choices_are_read_quoted_and_plain(listed):
    assert nearest("lst", listed) == "list"
    assert nearest("zzz", listed) == ""


@pytest.mark.parametrize("argv", [("--clips", "-3"), ("--clips", "0"), ("--seed", "9" * 5000)])
def test_counts_are_whole_numbers(argv, capsys):
    assert left(mini.main, "build", *argv) == 2
    line = capsys.readouterr().err
    assert "is no whole number from" in line
    assert len(line) < 400
