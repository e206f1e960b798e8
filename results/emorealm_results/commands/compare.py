"""``emorealm compare``: two runs on the same questions, with paired intervals and the questions that changed."""

import json
from collections.abc import Sequence
from pathlib import Path

from emorealm_results.compare.report import _MOST_LISTED, JUDGE_HELP, compare, load, render
from emorealm_results.console import output
from emorealm_tasks.answers import MODES
from emorealm_tasks.command_line import Parser


def main(argv: Sequence[str]) -> int:
    """The verb; returns 0."""
    parser = Parser(prog="emorealm compare", description=__doc__)
    parser.add_argument("first", type=Path, metavar="RUN_A", help="the --output_path of a run with --log_samples")
    parser.add_argument("second", type=Path, metavar="RUN_B", help="another, on the same questions")
    parser.add_argument("--reading", choices=MODES, default="strict", help="how replies are read (%(default)s)")
    parser.add_argument(
        "--json", type=Path, metavar="OUT", help="write everything there, each changed question included"
    )
    parser.add_argument(
        "--show", type=int, default=_MOST_LISTED, metavar="N", help="changed questions to print (%(default)s)"
    )
    parser.add_argument("--judge", metavar="NAME", help=JUDGE_HELP)
    arguments = parser.parse_args(argv)
    first, second, judge = load(arguments.first, arguments.second, arguments.judge)
    report = compare(first, second, arguments.reading, judge)
    print(render(report, arguments.show), end="")
    if arguments.json:
        output.write(arguments.json, json.dumps(report, indent=2, ensure_ascii=False) + "\n")
    return 0
