"""``emorealm leaderboard``: runs, studies and the paper's tables -> Markdown, CSV and one HTML page.

Named are runs' folders (or a folder of them), what `emorealm rescore --json` wrote of one (judged by another judge, or
joined with the benchmark's file), and the record of `avem-train study`, each as PLACE or NAME=PLACE; a NAME of the
paper's tables sets a run beside that row. Without any: results/runs and the studies of results/mini, where they are,
with the analyses of results/analyses.
"""

from collections.abc import Sequence
from pathlib import Path

from emorealm_results.analyses import board
from emorealm_results.console import output, progress
from emorealm_results.leaderboard import inputs, markdown, playable, plots, ranking
from emorealm_results.leaderboard.page import (
    _SCRIPTS,
    _count_text,
    drawn_rows,
    heat_rows,
    page_data,
    survey_rows,
    to_csv,
)
from emorealm_results.leaderboard.page_media import PAGE
from emorealm_results.leaderboard.page_options import Analyses, Options
from emorealm_results.leaderboard.score_rows import Measured, ScoreRow
from emorealm_results.pages import build
from emorealm_results.paper import printed
from emorealm_results.rescore.table import READINGS
from emorealm_tasks.command_line import Parser, count
from emorealm_tasks.settings import load

_DEFAULT = ("results/runs", "results/mini/study.json", "results/mini/study_emotion_llama.json")
_ANALYSES = Path("results/analyses")


def main(argv: Sequence[str]) -> int:
    """The verb; returns 0."""
    parser = Parser(prog="emorealm leaderboard", description=__doc__)
    what = "a run's --output_path (with --log_samples), a folder of such, a rescored run's JSON, or a study's"
    parser.add_argument("runs", nargs="*", metavar="[NAME=]PLACE", help=what)
    parser.add_argument("--out", type=Path, default=Path("results"), metavar="DIR", help="default: %(default)s")
    parser.add_argument("--published", type=Path, default=printed.FOLDER, metavar="DIR", help="folder of table_*.yaml")
    parser.add_argument("--survey", type=Path, metavar="JSON", help="what `emorealm survey tally --json` wrote")
    page = "what `emorealm analyse page` wrote: a table, a tab, and swapped clips among the samples"
    parser.add_argument("--analyses", type=Path, metavar="DIR", help=page)
    reading = "of Markdown, plots and comparisons, and what the page opens in (default: %(default)s)"
    parser.add_argument("--reading", choices=READINGS, default=ranking.READING, help=reading)
    parser.add_argument(
        "--clips", type=Path, metavar="DIR", help="play clips from DIR/BENCHMARK/CLIP (default: where they lie)"
    )
    copies = f"copy the clips of the page's questions to --clips DIR (OUT/{playable.FOLDER}), up to MB megabytes"
    parser.add_argument("--copy-clips", type=count(), metavar="MB", help=copies)
    pictures = "clips whose frames and sound are drawn in the page, 0 for none (%(default)s)"
    parser.add_argument("--pictures", type=count(0), default=120, metavar="N", help=pictures)
    pairs = "pairs of runs to compare in the page, 0 for none (%(default)s, all pairs of 8; seconds each)"
    parser.add_argument("--pairs", type=count(0), default=28, help=pairs)
    arguments = parser.parse_args(argv)
    cells = printed.load(arguments.published)
    run_paths = arguments.runs or [place for place in _DEFAULT if Path(place).exists()]
    runs = inputs.read(run_paths, printed.models(arguments.published))
    runs, analyses = _with_analyses(runs, arguments.analyses or (None if arguments.runs else _ANALYSES))
    rows = [*(row for run in runs for row in run.rows), *ranking.published_rows(cells)]
    rows += survey_rows(arguments.survey) if arguments.survey else []
    out, reading = arguments.out, arguments.reading
    options = Options(out, reading, arguments.pictures, arguments.pairs, arguments.clips, arguments.copy_clips)
    data = page_data(rows, runs, cells, load(), options, analyses)
    text = build.build("leaderboard", data, _SCRIPTS, media="'self' file: data:")
    output.write(out / PAGE, text)
    output.write(out / "leaderboard.csv", to_csv(rows, data["runs"]))
    progress.step("draws the plots")
    markdown_text = markdown.render(rows, data["runs"], data["comparisons"], reading, _draw(rows, out, reading))
    output.write(out / "leaderboard.md", markdown_text)
    clips = f"{len(data['clips'])} clips drawn, {len(data['played'])} played"
    size = f"{len(text.encode()) / 1e6:.1f} MB"
    print(f"{out / PAGE}: {_count_text(runs)}, {len(data['samples'])} questions, {clips}, {size}")
    print(data["copied"], end="\n" if data["copied"] else "")
    return 0


def _with_analyses(runs: list[Measured], folder: Path | None) -> tuple[list[Measured], Analyses]:
    """The runs with the numbers of analyses, and what the page shows of these; a default folder need not be there."""
    if folder is None or (folder == _ANALYSES and not folder.exists()):
        return runs, Analyses()
    progress.step(f"reads {folder}")
    reports = board.read(folder)
    return board.joined(runs, reports, folder), board.shown(reports, folder)


def _draw(rows: Sequence[ScoreRow], out: Path, reading: str) -> list[str]:
    """Draw the plots of each world that has something to show; the names of their files."""
    file_names = []
    for mini in (False, True):
        name = f"leaderboard_yes_no{'_mini' if mini else ''}.png"
        file_names += [name] if plots.tradeoff(drawn_rows(rows, mini, reading), out / name) else []
    name = "leaderboard_recall.png"
    return file_names + ([name] if plots.heatmap(heat_rows(rows, reading), out / name) else [])
