"""The argument parser of every command of ours."""

import argparse
import re
from collections.abc import Callable, Sequence
from importlib.metadata import version
from typing import NoReturn

from emorealm_tasks import sequences
from emorealm_tasks.errors import stop
from emorealm_tasks.untrusted import brief

_WRONG_CHOICE = re.compile(r"invalid choice: '(?P<given>.*)' \(choose from (?P<known>.*)\)", re.DOTALL)


_UNKNOWN = re.compile(r"unrecognized arguments: (--[^\s=]+)")


class Parser(argparse.ArgumentParser):
    """Ends in one line instead of a page of usage, and names the nearest choice."""

    def error(self, message: str) -> NoReturn:
        """Leave with status 2."""
        if (found := _WRONG_CHOICE.search(message)) and (near := nearest(found["given"], found["known"])):
            stop(f"no {found['given']!r}; did you mean {near}? All: {self.prog} --help")
        if (unknown := _UNKNOWN.match(message)) and (near := sequences.nearest(unknown[1], _options(self))):
            stop(f"no option {unknown[1]}; did you mean {near}? All: {self.prog} --help")
        stop(f"{message}; see {self.prog} --help")


def _options(parser: argparse.ArgumentParser) -> list[str]:
    """The long options of a parser, and of the parsers of its verbs, which leave an unknown option to it."""
    names = []
    for action in parser._actions:
        names += [name for name in action.option_strings if name.startswith("--")]
        if isinstance(action, argparse._SubParsersAction):
            names += [name for verb in action.choices.values() for name in _options(verb)]
    return names


def of_command(prog: str, description: str | None) -> Parser:
    """The parser of a whole command, which knows `--version`."""
    parser = Parser(prog=prog, description=description)
    parser.add_argument("--version", action="version", version=f"{prog} {version('emorealm')}")
    return parser


def parsed(parser: Parser, argv: Sequence[str]) -> argparse.Namespace:
    """The arguments; without any, the help is printed and the process ends with status 0."""
    if not argv:
        parser.print_help()
        parser.exit()
    return parser.parse_args(argv)


def count(least: int = 1) -> Callable[[str], int]:
    """The `type` of an argument that counts something: a whole number, `least` or more, of nine digits at most."""

    def read(text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,9}", text) or int(text) < least:
            raise argparse.ArgumentTypeError(f"{brief(text)} is no whole number from {least} on")
        return int(text)

    return read


def nearest(typed: str, listed: str) -> str:
    """The name in argparse's list of choices (quoted up to Python 3.11, plain since) nearest to one given, or ""."""
    known = [name.strip().strip("'\"") for name in listed.split(",")]
    return sequences.nearest(typed, known)
