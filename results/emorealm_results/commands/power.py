"""``emorealm power``: how many questions it takes to see a difference between two models, and what a task can show.

Both models answer the same questions, so the variance of a difference is Var(a) + Var(b) - 2 r sd(a) sd(b) with r the
correlation of their right and wrong answers (Connor 1987; Miller 2024, arXiv 2411.00640). Several questions a
clip inflate it by 1 + (m - 1) icc (Kish 1965).
"""

import math
from collections.abc import Sequence
from pathlib import Path

from emorealm_results.compare.power import Design, detectable, measured, questions
from emorealm_results.console.markdown import table
from emorealm_results.paper import printed
from emorealm_tasks.command_line import Parser
from emorealm_tasks.metrics import TASKS


def main(argv: Sequence[str]) -> int:
    """The verb; returns 0."""
    parser = Parser(prog="emorealm power", description=__doc__.splitlines()[0])
    parser.add_argument("--difference", type=float, metavar="POINTS", help="say how many questions show it")
    parser.add_argument("--accuracy", type=float, default=60.0, metavar="PERCENT", help="first model's (%(default)s)")
    parser.add_argument("--correlation", type=float, default=0.5, help="of the models' right answers (%(default)s)")
    parser.add_argument("--runs", type=Path, nargs=2, metavar=("RUN_A", "RUN_B"), help="measure all of it in two runs")
    parser.add_argument("--power", type=float, default=0.8, help="chance to see it (%(default)s)")
    parser.add_argument("--level", type=float, default=0.05, help="of the two-sided test (%(default)s)")
    parser.add_argument("--per-clip", type=float, metavar="M", help="questions a clip (1, or the runs')")
    parser.add_argument("--icc", type=float, help="correlation among questions of a clip (0, or the runs')")
    arguments = parser.parse_args(argv)
    design = measured(*arguments.runs) if arguments.runs else Design(arguments.accuracy / 100, arguments.correlation)
    given_design = {name: getattr(arguments, name) for name in ("power", "level", "per_clip", "icc")}
    design = Design(**vars(design) | {name: value for name, value in given_design.items() if value is not None})
    _check(parser, design)
    print(_render(parser, design, arguments.difference), end="")
    return 0


def _render(parser: Parser, design: Design, points: float | None) -> str:
    blocks = [
        f"First model {100 * design.accuracy:.1f}%, correlation {design.correlation:.2f}, power {design.power:g}, "
        f"two-sided level {design.level:g}, {design.per_clip:.3g} question(s) a clip correlated by {design.icc:.3g}."
    ]
    if points is not None:
        try:
            blocks.append(f"A difference of {points:+g} points needs {questions(design, points / 100):,} questions.")
        except ValueError as error:
            parser.error(str(error))
    counts = {c.task: int(c.value) for c in printed.load() if (c.table, c.metric) == (1, "questions")}
    rows = [["EmoReAlM (Table 1)", "questions", "smallest gain it shows"]]
    for task in (*TASKS, "emorealm"):
        gain = 100 * detectable(design, counts[task])
        rows.append([task, str(counts[task]), "none" if math.isnan(gain) else f"{gain:.1f} points"])
    return "\n\n".join([*blocks, table(rows)]) + "\n"


def _check(parser: Parser, design: Design) -> None:
    bounds = {"accuracy": design.accuracy, "power": design.power, "level": design.level}
    for name, value in bounds.items():
        if not 0 < value < 1:
            parser.error(f"--{name} must lie strictly between 0 and {'100 (percent)' if name == 'accuracy' else '1'}")
    if not -1 <= design.correlation < 1 or not 0 <= design.icc <= 1 or design.per_clip < 1:
        parser.error("--correlation lies in [-1, 1), --icc in [0, 1], and --per-clip is at least 1")
