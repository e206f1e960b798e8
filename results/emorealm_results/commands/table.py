"""``emorealm table``: a run's scores, 80 columns wide; of several runs, one table more with a row for each.

A folder of several runs stands for all of them. Everything is written to the run's table.md, as Markdown; ``--wide``
and ``--markdown`` print that.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from emorealm_results.console import output
from emorealm_tasks.command_line import Parser


def main(argv: Sequence[str]) -> int:
    """The verb; returns 0."""
    parser = Parser(prog="emorealm table", description=__doc__)
    parser.add_argument(
        "run_dirs",
        type=Path,
        nargs="+",
        metavar="RUN_DIR",
        help="the --output_path of a sampled run, or a folder of such",
    )
    everything = "print every score, as Markdown whose columns line up"
    parser.add_argument("--markdown", "--wide", action="store_true", help=everything)
    arguments = parser.parse_args(argv)
    run_dirs: list[Path] = arguments.run_dirs
    from emorealm_results.rescore import narrow, side_by_side
    from emorealm_results.rescore import report as rescore_run
    from emorealm_results.runs import folders

    reports: dict[str, dict[str, Any]] = {}
    for name, run_dir in folders.named(list(dict.fromkeys(run_dirs))):
        reports[name] = report = rescore_run.report(rescore_run.read(run_dir))
        text = rescore_run.render(report)
        output.write(run_dir / "table.md", text)
        if arguments.markdown:
            print(text, end="")
    if not arguments.markdown:
        print(narrow.render(reports), end="")
    elif len(reports) > 1:
        print(f"\n{side_by_side.render(reports)}", end="")
    return 0
