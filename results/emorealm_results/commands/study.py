"""``emorealm study``: the record of `avem-train study` as the paper's tables, with differences, floors and a figure."""

from collections.abc import Sequence
from pathlib import Path

from avem_train.study import record
from emorealm_results.console import output
from emorealm_results.study import scores
from emorealm_results.study.scores import Scored
from emorealm_results.study.tables import render
from emorealm_tasks.command_line import Parser
from emorealm_tasks.errors import stop


def main(argv: Sequence[str]) -> int:
    """The verb; returns 0."""
    parser = Parser(prog="emorealm study", description=__doc__)
    parser.add_argument("study", type=Path, metavar="STUDY.json", help="what `avem-train study mini` wrote")
    parser.add_argument(
        "--reading", choices=record.READINGS, default="strict", help="how replies are read (%(default)s)"
    )
    parser.add_argument("--out", type=Path, help="Markdown to write (default: beside the record); the figure beside it")
    arguments = parser.parse_args(argv)
    study_record = record.read(arguments.study)
    if study_record is None or not study_record["runs"]:
        stop(f"{arguments.study}: holds no finished run; `avem-train study mini` makes them")
    out = arguments.out or arguments.study.with_suffix(".md")
    figure = out.with_name(f"{out.stem}_sweeps.png")
    study_scores = Scored(study_record, arguments.reading)
    has_figure = "sweeps" in study_record["sections"] and _draw(study_scores, figure)
    text = render(study_scores, figure.name if has_figure else "")
    output.write(out, text)
    print(text, end="")
    return 0


def _draw(study_scores: Scored, path: Path) -> bool:
    from emorealm_results.study import plots

    points = [(row, study_scores.row(row, "full")) for row in scores.rows(study_scores.study, "sweeps") if row.axis]
    return plots.sweeps(points, path)
