"""``emorealm regress``: did a run get worse than its baseline? For CI: status 0 no, 1 yes, 2 cannot be said.

Judged are the scores that the paper prints, of full tasks (:mod:`emorealm_results.compare.permutation_tests`); floors,
groups and other scores are reported. A score regresses when "it fell by no more than its tolerance" is rejected: by the
one-sided test of paired answers, with Holm's correction over all judged scores, so that ``--error-rate`` bounds the
chance of any false alarm. With a tolerance above 0 a loss of that size must be rejected too, by the interval's standard
error. Where neither a regression is found nor the interval ends within the tolerance, the check must have had
``--power`` to find a loss of the tolerance's size; else it ends with 2. With tolerance 0 every loss counts and none can
be ruled out: the table says from which size on a loss is found.

``--exact`` judges every score by its tolerance alone, for runs that repeat to the digit. Yes-rate has no better side
and is never judged. lmms-eval ends with status 0 even when an evaluation failed, so an absent or smaller result is
looked for here and ends with 2.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from emorealm_results.compare import pairs, permutation_tests
from emorealm_results.compare.junit import junit, junit_error
from emorealm_results.compare.regression_gate import (
    REGRESSED,
    REPORTED,
    UNDECIDED,
    Decision,
    Rule,
    check_comparable,
    decide,
    render,
)
from emorealm_results.compare.report import (
    JUDGE_HELP,
    compare_pairs,
    load,
)
from emorealm_results.console import output
from emorealm_tasks.answers import MODES
from emorealm_tasks.command_line import Parser
from emorealm_tasks.errors import stop


def main(argv: Sequence[str]) -> int:
    """The verb; returns 0, 1 or, where a loss could have gone unseen, 2; leaves with 2 if nothing can be compared."""
    parser = _parser()
    arguments = parser.parse_args(argv)
    if arguments.junit:  # what an earlier run left must not stand when this one cannot finish
        output.write(arguments.junit, junit_error("the comparison could not be made; see the log"))
    tolerances = dict(_tolerance(parser, text) for text in arguments.tolerance)
    if not (0 < arguments.error_rate < 50 <= arguments.power < 100):
        parser.error("--error-rate lies between 0 and 50 (percent), --power is at least 50 and below 100 (percent)")
    rule = Rule(tolerances, arguments.error_rate / 100, arguments.power / 100, arguments.exact)
    baseline, run, by = load(arguments.baseline, arguments.run, arguments.judge)
    run_pairs = pairs.pair(baseline, run, by)
    report = compare_pairs(run_pairs, baseline, run, arguments.reading)
    check_comparable(baseline, run, report, arguments.asked_otherwise)
    decisions = decide(report, run_pairs, rule)
    tested_scores = {decision.score for decision in decisions if decision.outcome != REPORTED}
    if not tested_scores:
        stop(f"{run.folder}: only floors, which are never judged; name runs of full tasks")
    if unknown := set(tolerances) - {""} - tested_scores:
        parser.error(f"--tolerance names {', '.join(sorted(unknown))}; judged are {', '.join(sorted(tested_scores))}")
    if arguments.junit:
        output.write(arguments.junit, junit(decisions))
    if arguments.markdown:
        output.write(arguments.markdown, render(decisions, report, rule))
    else:
        print(render(decisions, report, rule), end="")
    return _status(decisions)


def _status(decisions: Sequence[Decision]) -> int:
    """1 where a score regressed, 2 where one could have fallen unseen, else 0."""
    outcomes = {decision.outcome for decision in decisions}
    if REGRESSED not in outcomes and UNDECIDED in outcomes:
        print("emorealm regress: too few questions to see a loss of the tolerance's size", file=sys.stderr)
        return 2
    return int(REGRESSED in outcomes)


def _parser() -> Parser:
    parser = Parser(prog="emorealm regress", description=__doc__.splitlines()[0])
    parser.add_argument("--baseline", type=Path, required=True, metavar="RUN", help="the run to hold against")
    parser.add_argument(
        "--run", type=Path, required=True, metavar="RUN", help="the run to judge, on the same questions"
    )
    parser.add_argument("--reading", choices=MODES, default="strict", help="how replies are read (%(default)s)")
    parser.add_argument("--tolerance", action="append", default=[], metavar="[SCORE=]POINTS",
                        help="how much a score may fall; may be repeated, e.g. 1.0 or f1=2.5 (default 0)")  # fmt: skip
    parser.add_argument("--judge", metavar="NAME", help=JUDGE_HELP)
    parser.add_argument("--error-rate", type=float, default=100 * permutation_tests.LEVEL, metavar="PERCENT",
                        help="chance of a false alarm, over all judged scores together (%(default)g)")  # fmt: skip
    sees = "needed to see a loss of the tolerance's size, else it ends with 2 (%(default)g)"
    parser.add_argument("--power", type=float, default=100 * permutation_tests.POWER, metavar="PERCENT", help=sees)
    parser.add_argument("--exact", action="store_true", help="judge every score by its tolerance alone, without a test")
    parser.add_argument("--asked-otherwise", action="append", default=[], metavar="NAME",
                        help="accept that the runs were not asked alike in this (frames, dtype, ...)")  # fmt: skip
    parser.add_argument("--junit", type=Path, metavar="OUT", help="write JUnit XML there")
    parser.add_argument("--markdown", type=Path, metavar="OUT", help="write the summary there instead of printing it")
    return parser


def _tolerance(parser: Parser, text: str) -> tuple[str, float]:
    score, _, points = text.rpartition("=")
    try:
        value = float(points)
    except ValueError:
        value = -1.0
    if not value >= 0:
        parser.error(f"--tolerance {text!r} is no [SCORE=]POINTS with POINTS >= 0")
    return score, value
