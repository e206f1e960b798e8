"""The `emorealm` command: checks before a run, tables and scores after it.

Each verb imports what it needs when it runs, so that the command starts at once.
"""

import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from emorealm_results import output
from emorealm_results.arguments import Parser
from emorealm_tasks import versions

_VERBS = {
    "eval": ("emorealm_results.evaluate", "lmms-eval, with a status that is 0 only when every task has its results"),
    "rescore": ("emorealm_results.rescore_run", "score saved replies again, without a model; judge descriptions again"),
    "judge-agreement": ("emorealm_results.judge_agreement", "how far the judges of descriptions agree"),
    "check": ("emorealm_tasks.check", "look at data, weights and extras before any model loads"),
    "leaderboard": ("emorealm_results.leaderboard", "runs and the paper's numbers as one page, Markdown and CSV"),
    "compare": ("emorealm_results.compare", "two runs on the same questions: paired differences, changed answers"),
    "study": ("emorealm_results.study", "the record of `avem-train study` as the paper's tables and figure"),
    "regress": ("emorealm_results.regress", "for CI: did a run fall behind its baseline?"),
    "audit": ("emorealm_results.audit", "recompute the paper's tables and print what disagrees"),
    "survey": ("emorealm_results.survey", "export a user study of captions, and tally its answers"),
    "power": ("emorealm_results.power", "questions needed to see a difference"),
}
"""Verbs that read their own arguments: their module (its ``main(argv)`` returns the exit code) and what they do."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb; returns the exit code (user mistakes leave with 2)."""
    versions.check()
    argv = list(sys.argv[1:] if argv is None else argv)
    if argv and argv[0] in _VERBS:
        code: int = import_module(_VERBS[argv[0]][0]).main(argv[1:])
        return code
    arguments = _build_parser().parse_args(argv)
    if arguments.verb == "tasks":
        from emorealm_tasks.plugin import print_tasks

        print_tasks()
    else:
        _table(arguments.run_dirs)
    return 0


def _build_parser() -> Parser:
    parser = Parser(prog="emorealm", description="Checks, tables and scores around lmms-eval runs of EmoReAlM.")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    table = verbs.add_parser("table", help="print a run's tables and write them to its table.md; of several, one more")
    table.add_argument("run_dirs", type=Path, nargs="+", metavar="RUN_DIR", help="the --output_path of a sampled run")
    for verb, (_, does) in _VERBS.items():
        verbs.add_parser(verb, add_help=False, help=does)
    verbs.add_parser("tasks", help="list the tasks that lmms-eval gets from this package")
    return parser


def _table(run_dirs: Sequence[Path]) -> None:
    from emorealm_results import rescore_run, side_by_side

    names = {run_dir: run_dir.resolve().name for run_dir in run_dirs}
    if len(set(names.values())) < len(names):  # runs of one name in several folders
        names = {run_dir: str(run_dir) for run_dir in run_dirs}
    reports = {}
    for run_dir, name in names.items():
        reports[name] = report = rescore_run.report(rescore_run.read(run_dir))
        text = rescore_run.render(report)
        print(text, end="")
        output.write(run_dir / "table.md", text)
    if len(run_dirs) > 1:
        print(f"\n{side_by_side.render(reports)}", end="")


if __name__ == "__main__":  # for `accelerate launch -m emorealm_results.cli eval ...`
    sys.exit(main())
