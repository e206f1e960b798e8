"""``emorealm table``: a run's scores, 80 columns wide; of several runs, one table more with a row for each.

Everything is written to the run's table.md, as Markdown; ``--wide`` and ``--markdown`` print that.
"""

from collections.abc import Sequence
from pathlib import Path

from emorealm_results.console import output
from emorealm_tasks.command_line import Parser


def main(argv: Sequence[str]) -> int:
    """The verb; returns 0."""
    parser = Parser(prog="emorealm table", description=__doc__)
    parser.add_argument("run_dirs", type=Path, nargs="+", metavar="RUN_DIR", help="the --output_path of a sampled run")
    everything = "print every score, as Markdown whose columns line up"
    parser.add_argument("--markdown", "--wide", action="store_true", help=everything)
    arguments = parser.parse_args(argv)
    run_dirs: list[Path] = arguments.run_dirs
    from emorealm_results.rescore import narrow, side_by_side
    from emorealm_results.rescore import report as rescore_run

    names = {run_dir: run_dir.resolve().name for run_dir in run_dirs}
    if len(set(names.values())) < len(names):  # runs of one name in several folders
        names = {run_dir: str(run_dir) for run_dir in run_dirs}
    reports = {}
    for run_dir, name in names.items():
        reports[name] = report = rescore_run.report(rescore_run.read(run_dir))
        text = rescore_run.render(report)
        output.write(run_dir / "table.md", text)
        if arguments.markdown:
            print(text, end="")
    if not arguments.markdown:
        print(narrow.render(reports), end="")
    elif len(run_dirs) > 1:
        print(f"\n{side_by_side.render(reports)}", end="")
    return 0
