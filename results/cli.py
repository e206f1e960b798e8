"""The `emorealm` command: checks before a run, tables and scores after it.

Each verb imports what it needs when it runs, so that the command starts at once.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from emorealm_tasks.errors import stop


class _Parser(argparse.ArgumentParser):
    """Ends in one line instead of a page of usage."""

    def error(self, message: str) -> NoReturn:
        stop(f"{message}; see {self.prog} --help")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb; returns the exit code (user mistakes leave with 2)."""
    parser = _build_parser()
    arguments, rest = parser.parse_known_args(argv)
    if arguments.verb == "check":
        from emorealm_tasks.check import main as check

        return check(rest)
    if rest:
        parser.error(f"unknown argument {' '.join(rest)}")
    if arguments.verb == "tasks":
        from emorealm_tasks.plugin import print_tasks

        print_tasks()
    elif arguments.verb == "rescore":
        _rescore(arguments.run_dir, arguments.json)
    else:
        _table(arguments.run_dir)
    return 0


def _build_parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="emorealm", description="Checks, tables and scores around lmms-eval runs of EmoReAlM.")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    run_dir = argparse.ArgumentParser(add_help=False)
    run_dir.add_argument("run_dir", type=Path, metavar="RUN_DIR", help="the --output_path of a run with --log_samples")
    verbs.add_parser("table", parents=[run_dir], help="print the run's tables and write them to its table.md")
    rescore = verbs.add_parser("rescore", parents=[run_dir], help="score saved replies again, without a model")
    rescore.add_argument("--json", type=Path, metavar="OUT", help="write the scores there instead of printing them")
    verbs.add_parser("check", add_help=False, help="look at data, weights and extras before any model loads")
    verbs.add_parser("tasks", help="list the tasks that lmms-eval gets from this package")
    return parser


def _rescore(run_dir: Path, out: Path | None) -> None:
    from emorealm_results import rescore, samples

    text = json.dumps(rescore.score(samples.load(run_dir)), indent=2, ensure_ascii=False)
    if out is None:
        print(text)
    else:
        _write(out, text + "\n")


def _table(run_dir: Path) -> None:
    from emorealm_results import rescore, samples, table

    text = table.render(rescore.score(samples.load(run_dir)))
    print(text, end="")
    _write(run_dir / "table.md", text)


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        stop(f"{path}: cannot be written ({error.strerror}); name another place")
