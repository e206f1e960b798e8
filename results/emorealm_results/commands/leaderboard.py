"""``emorealm leaderboard``: runs, studies and the paper's tables -> Markdown, CSV and one HTML page.

Named are runs' folders (or a folder of them), what `emorealm rescore --json` wrote of one (judged by another judge, or
joined with the benchmark's file), and the record of `avem-train study`, each as PLACE or NAME=PLACE; a NAME of the
paper's tables sets a run beside that row. Without any: results/runs and results/mini/study.json, where they are.
"""

from collections.abc import Sequence
from pathlib import Path

from emorealm_results.console import output, progress
from emorealm_results.leaderboard import inputs, markdown, plots, ranking
from emorealm_results.leaderboard.page import _SCRIPTS, _counted, heat_rows, page_data, survey_rows, to_csv
from emorealm_results.leaderboard.rows import Row
from emorealm_results.pages import build
from emorealm_results.paper import printed
from emorealm_results.rescore.table import READINGS
from emorealm_tasks.command_line import Parser, count
from emorealm_tasks.settings import load

_DEFAULT = ("results/runs", "results/mini/study.json")


def main(argv: Sequence[str]) -> int:
    """The verb; returns 0."""
    parser = Parser(prog="emorealm leaderboard", description=__doc__)
    what = "a run's --output_path (with --log_samples), a folder of such, a rescored run's JSON, or a study's"
    parser.add_argument("runs", nargs="*", metavar="[NAME=]PLACE", help=what)
    parser.add_argument("--out", type=Path, default=Path("results"), metavar="DIR", help="default: %(default)s")
    parser.add_argument("--published", type=Path, default=printed.FOLDER, metavar="DIR", help="folder of table_*.yaml")
    parser.add_argument("--survey", type=Path, metavar="JSON", help="what `emorealm survey tally --json` wrote")
    parser.add_argument(
        "--reading", choices=READINGS, default="official", help="of the Markdown (default: %(default)s)"
    )
    parser.add_argument("--clips", type=count(0), default=120, help="clips shown in the page, 0 for none (%(default)s)")
    pairs = "pairs of runs to compare in the page, 0 for none (%(default)s, all pairs of 8; seconds each)"
    parser.add_argument("--pairs", type=count(0), default=28, help=pairs)
    arguments = parser.parse_args(argv)
    cells = printed.load(arguments.published)
    named = arguments.runs or [place for place in _DEFAULT if Path(place).exists()]
    runs = inputs.read(named, printed.models(arguments.published))
    rows = [*(row for run in runs for row in run.rows), *ranking.published_rows(cells)]
    rows += survey_rows(arguments.survey) if arguments.survey else []
    data = page_data(rows, runs, cells, load(), arguments.clips, arguments.pairs)
    out = arguments.out
    output.write(out / "leaderboard.html", build.build("leaderboard", data, _SCRIPTS))
    output.write(out / "leaderboard.csv", to_csv(rows, data["runs"]))
    progress.step("draws the plots")
    pictures = _draw(rows, out)
    text = markdown.render(rows, data["runs"], data["comparisons"], arguments.reading, pictures)
    output.write(out / "leaderboard.md", text)
    print(f"{out / 'leaderboard.html'}: {_counted(runs)}, {len(data['samples'])} questions, {len(data['clips'])} clips")
    return 0


def _draw(rows: Sequence[Row], out: Path) -> list[str]:
    """Draw the plots of each world that has something to show; the names of their files."""
    drawn = []
    for mini in (False, True):
        shown = [r for r in rows if r.mini == mini and r.reading == "official" and r.part in ("full", "blind")]
        name = f"leaderboard_yes_no{'_mini' if mini else ''}.png"
        drawn += [name] if plots.tradeoff(shown, out / name) else []
    name = "leaderboard_recall.png"
    return drawn + ([name] if plots.heatmap(heat_rows(rows), out / name) else [])
