"""The `emorealm` command: checks before a run, tables and scores after it.

Each verb imports what it needs when it runs, so that the command starts at once.
"""

import sys
from collections.abc import Sequence
from importlib import import_module

from emorealm_tasks import versions
from emorealm_tasks.command_line import Parser, of_command, parsed
from emorealm_tasks.errors import ends_with_its_reader
from emorealm_tasks.interruption import after_evaluation, interruptible

_VERBS = {
    "table": ("emorealm_results.commands.table", "print a run's tables and write them to its table.md"),
    "eval": (
        "emorealm_results.commands.eval",
        "lmms-eval, with a status that is 0 only when every task has its results",
    ),
    "rescore": (
        "emorealm_results.commands.rescore",
        "score saved replies again, without a model; judge descriptions again",
    ),
    "judge-agreement": ("emorealm_results.commands.judge_agreement", "how far the judges of descriptions agree"),
    "check": ("emorealm_results.commands.check", "look at data, weights and extras before any model loads"),
    "leaderboard": (
        "emorealm_results.commands.leaderboard",
        "runs and the paper's numbers as one page, Markdown and CSV",
    ),
    "compare": (
        "emorealm_results.commands.compare",
        "two runs on the same questions: paired differences, changed answers",
    ),
    "analyse": (
        "emorealm_results.commands.analyse",
        "why a model answers so: swapped, withheld and reordered inputs, by likelihood",
    ),
    "export": ("emorealm_results.commands.export", "runs as tidy tables: Parquet, CSV, JSON Lines"),
    "push": ("emorealm_results.commands.push", "runs, or a trained model, to the Hugging Face hub with a card"),
    "study": ("emorealm_results.commands.study", "the record of `avem-train study` as the paper's tables and figure"),
    "regress": ("emorealm_results.commands.regress", "for CI: did a run get worse than its baseline?"),
    "audit": ("emorealm_results.commands.audit", "recompute the paper's tables and print what disagrees"),
    "survey": ("emorealm_results.commands.survey", "ask people about captions or questions, and tally their answers"),
    "curate": (
        "emorealm_results.commands.curate",
        "from labelled clips to a benchmark, preference data and instruction data",
    ),
    "power": ("emorealm_results.commands.power", "questions needed to see a difference"),
    "tasks": ("emorealm_results.commands.tasks", "list the tasks that lmms-eval gets from this package"),
    "models": ("emorealm_results.commands.models", "list the models that have an adapter here"),
}
"""Verb -> its module, whose ``main(argv)`` returns the exit code, and what it does."""

_GO_ON = {
    "curate": "replies that came are kept: the same command goes on from there",
    "analyse": "scores that came are kept: the same command goes on",
    "rescore": "verdicts that came are kept: the same command asks for the rest",
}
"""Verb -> what to do after it was interrupted, where it keeps something."""
_AGAIN = "nothing is half written: give the same command again"


@ends_with_its_reader
def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb; returns the exit code (user mistakes leave with 2)."""
    versions.check()
    argv = list(sys.argv[1:] if argv is None else argv)
    if argv and argv[0] in _VERBS:
        hint = after_evaluation(argv) if argv[0] == "eval" else _GO_ON.get(argv[0], _AGAIN)
        with interruptible(hint):
            code: int = import_module(_VERBS[argv[0]][0]).main(argv[1:])
            return code
    parsed(_build_parser(), argv)  # --help, --version, or no verb of ours: it ends here
    return 2


def _build_parser() -> Parser:
    parser = of_command("emorealm", "Checks, tables and scores around lmms-eval runs of EmoReAlM.")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    for verb, (_, does) in _VERBS.items():
        verbs.add_parser(verb, add_help=False, help=does)
    return parser


if __name__ == "__main__":  # for `accelerate launch -m emorealm_results.cli eval ...`
    sys.exit(main())
