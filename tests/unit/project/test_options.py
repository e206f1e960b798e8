"""Every option of every command has a help text, and a mistyped one is answered with the nearest."""

import argparse
import importlib

import pytest

from avem_train import cli as training
from avem_train.study import arms
from emorealm_results import cli
from emorealm_tasks.mini import cli as mini

WITHOUT_OPTIONS = {"eval", "tasks", "models"}
"""Verbs of `emorealm` without a parser of ours."""


class Found(Exception):
    """A parser, as it is asked to parse."""


@pytest.fixture
def parsers(monkeypatch):
    """The parsers of a command's main."""

    def of(main, argv):
        def found(self, *args, **more):
            raise Found(self)

        with monkeypatch.context() as patch:
            patch.setattr(argparse.ArgumentParser, "parse_args", found)
            patch.setattr(argparse.ArgumentParser, "parse_known_args", found)
            with pytest.raises(Found) as raised:
                main(argv)
        return list(walked(raised.value.args[0]))

    return of


def walked(parser):
    """A parser and those of its verbs, however deep."""
    yield parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for verb in action.choices.values():
                yield from walked(verb)


def without_help(all_parsers):
    return [
        f"{parser.prog} {action.option_strings[0] if action.option_strings else action.dest}"
        for parser in all_parsers
        for action in parser._actions
        if not action.help and not isinstance(action, argparse._SubParsersAction)
    ]


@pytest.mark.parametrize("verb", sorted(set(cli._VERBS) - WITHOUT_OPTIONS))
def test_every_option_of_a_verb_has_help(parsers, verb):
    found = parsers(importlib.import_module(cli._VERBS[verb][0]).main, ["something"])
    assert without_help(found) == []


@pytest.mark.parametrize("command", [training, mini])
def test_every_option_of_the_other_commands_has_help(parsers, command):
    assert without_help(parsers(command.main, ["something"])) == []


@pytest.mark.parametrize(
    ("argv", "near"),
    [
        (["table", "run", "--markdwon"], "--markdown"),
        (["survey", "tally", "a.csv", "--key", "k", "--jason", "x"], "--json"),
    ],
)
def test_a_mistyped_option_is_answered_with_the_nearest(argv, near, capsys):
    with pytest.raises(SystemExit) as stopped:
        cli.main(argv)
    assert stopped.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert f"did you mean {near}?" in line


def test_the_example_of_run_is_a_setting(capsys):
    with pytest.raises(SystemExit):
        training.main(["run", "--help"])
    shown = capsys.readouterr().out
    assert "e.g. out=DIR optimiser.steps=10" in " ".join(shown.split())
    assert "  optimiser.steps=" in shown


def test_the_help_of_study_lists_its_own_settings_and_sections(capsys):
    with pytest.raises(SystemExit):
        training.main(["study", "--help"])
    shown = capsys.readouterr().out
    assert "settings of study_mini" in shown
    assert f"Some of {', '.join(arms.SECTIONS)}." in " ".join(shown.split())  # whatever lines it takes
