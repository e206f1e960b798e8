"""``emorealm survey``: the user study of Section E.4 (Tables 4 and 16).

``export`` turns captions into anonymised, shuffled, self-contained pages (a clip, captions A to F, three questions) and
the key that undoes it; ``tally`` turns the answers that participants saved into the table, with intervals.
"""

import json
from collections.abc import Sequence
from pathlib import Path

from emorealm_results.console import output
from emorealm_results.survey.export import _FORM, export, read_items
from emorealm_results.survey.tally import load_key, read_answers, render, tally
from emorealm_tasks.command_line import Parser, count


def main(argv: Sequence[str]) -> int:
    """The verb; returns 0."""
    parser = Parser(prog="emorealm survey", description="Export a user study of captions, and tally its answers.")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="export|tally")
    exporting = verbs.add_parser("export", help="captions -> survey pages and their key")
    exporting.add_argument("--captions", type=Path, required=True, metavar="JSON", help=_FORM)
    exporting.add_argument("--out", type=Path, required=True, metavar="DIR")
    where = "the folder that the clips lie below (default: that of JSON)"
    exporting.add_argument("--clips", type=Path, metavar="DIR", help=where)
    exporting.add_argument("--versions", type=count(), default=1, help="pages, each shuffled anew (%(default)s)")
    exporting.add_argument("--checks", type=count(0), default=1, help="attention checks a page (%(default)s)")
    exporting.add_argument("--seed", type=count(0), default=0)
    exporting.add_argument("--title", default="Emotions in short clips")
    counting = verbs.add_parser("tally", help="the participants' CSV files -> the table")
    counting.add_argument("answers", type=Path, nargs="+", metavar="CSV", help="what the page's button saved")
    counting.add_argument("--key", type=Path, required=True, help="key.json of the export")
    counting.add_argument("--max-failed", type=count(0), default=0, help="failed checks that still count (%(default)s)")
    counting.add_argument("--json", type=Path, metavar="OUT", help="write the shares there too")
    arguments = parser.parse_args(argv)
    if arguments.verb == "export":
        if arguments.versions < 1 or arguments.checks < 0:
            parser.error("--versions is at least 1, --checks at least 0")
        about = (arguments.versions, arguments.checks, arguments.seed, arguments.title)
        export(read_items(arguments.captions, arguments.clips), arguments.out, *about)
        print(f"{arguments.out}: {arguments.versions} page(s); key.json tells who wrote what, keep it")
        return 0
    key = load_key(arguments.key)
    report = tally(key, read_answers(arguments.answers, key), arguments.max_failed)
    print(render(report), end="")
    if arguments.json:
        output.write(arguments.json, json.dumps(report, indent=2, ensure_ascii=False) + "\n")
    return 0
