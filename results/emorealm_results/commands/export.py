"""`emorealm export`: runs as two tidy tables, in files that pandas, R, DuckDB or a spreadsheet read."""

from collections.abc import Sequence
from pathlib import Path

from emorealm_results.console import words
from emorealm_tasks import files
from emorealm_tasks.command_line import Parser
from emorealm_tasks.errors import stop

_FORMATS = ("parquet", "csv", "jsonl")


def main(argv: Sequence[str]) -> int:
    """The verb; returns 0."""
    parser = Parser(prog="emorealm export", description=__doc__)
    what = "the --output_path of a run with --log_samples, or a folder of such"
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN", help=what)
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for samples.* and scores.*")
    how = "may be given several times (default: parquet)"
    parser.add_argument("--format", choices=_FORMATS, action="append", dest="formats", help=how)
    arguments = parser.parse_args(argv)
    files.check(arguments.out, parser.prog, "--out")
    from emorealm_results.share import files as writers
    from emorealm_results.share import tables
    from emorealm_results.share.columns import SAMPLES, SCORES

    runs = tables.read(arguments.runs)
    content = {"samples": (SAMPLES, tables.samples(runs)), "scores": (SCORES, tables.scores(runs))}
    files.claim(arguments.out, parser.prog, "--out")
    formats = arguments.formats or ["parquet"]
    try:
        for name, (table, rows) in content.items():
            for ending, write in writers.WRITERS.items():
                path = arguments.out / f"{name}.{ending}"
                if ending in formats:
                    write(path, table, rows)
                else:
                    path.unlink(missing_ok=True)  # of an earlier export, perhaps of other runs
    except OSError as error:
        stop(f"{arguments.out}: cannot be written ({error.strerror or error}); name another folder with --out")
    counts = " and ".join(f"{len(rows):,} {name}" for name, (_, rows) in content.items())
    print(f"{arguments.out}: {counts} of {words.counted(len(runs), 'run')}, as {', '.join(formats)}")
    return 0
