"""``emorealm table``: a run's tables, printed and written to its table.md; of several runs, one more side by side."""

from collections.abc import Sequence
from pathlib import Path

from emorealm_results.console import output
from emorealm_tasks.command_line import Parser


def main(argv: Sequence[str]) -> int:
    """The verb; returns 0."""
    parser = Parser(prog="emorealm table", description=__doc__)
    parser.add_argument("run_dirs", type=Path, nargs="+", metavar="RUN_DIR", help="the --output_path of a sampled run")
    run_dirs: list[Path] = parser.parse_args(argv).run_dirs
    from emorealm_results.rescore import report as rescore_run
    from emorealm_results.rescore import side_by_side

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
    return 0
