"""``emorealm regress``: did a run fall behind its baseline? For CI: status 0 no, 1 yes, 2 cannot be said.

A score regresses when it is worse than the baseline's by more than its tolerance *and* the paired interval of the
difference leaves no room for "no change" (``--exact`` asks for the first alone, for runs that repeat to the digit).
Yes-rate has no better side and is not judged. lmms-eval ends with status 0 even when an evaluation failed, so an absent
or smaller result is looked for here and ends with 2.
"""

import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from emorealm_results import output, saved
from emorealm_results.arguments import Parser
from emorealm_results.compare import JUDGE_HELP, changed, compare, judged_tasks, load, score_name
from emorealm_results.markdown import table
from emorealm_results.table import GROUP_COLUMNS
from emorealm_tasks.answers import MODES
from emorealm_tasks.errors import stop

_LESS_IS_BETTER = ("unparsed_rate",)
_NOT_JUDGED = ("yes_rate",)
_SHOWN = 20


@dataclass(frozen=True)
class Verdict:
    """One score of one task (or group) against its baseline, in percent or a judge's points; ``fell`` > 0 is worse."""

    task: str
    score: str
    baseline: float
    value: float
    fell: float
    low: float
    high: float
    tolerance: float
    regressed: bool
    flips: str

    @property
    def message(self) -> str:
        """One line that says what fell, by how much, and how many answers flipped."""
        return (
            f"{self.task}: {self.score} went from {self.baseline:.2f} to {self.value:.2f}, worse by {self.fell:.2f} "
            f"[{self.low:.2f}, {self.high:.2f}], tolerance {self.tolerance:g}{self.flips}"
        )


def judge(report: Mapping[str, Any], tolerances: Mapping[str, float], exact: bool = False) -> list[Verdict]:
    """A verdict for each score of :func:`emorealm_results.compare.compare`.

    ``tolerances`` are in points, a judge's or of a percentage, by score name; "" is that of all others (0 without it).
    A score that was defined in the baseline and no longer is counts as regressed.
    """
    verdicts = []
    for name, task in report["tasks"].items():
        verdicts += _verdicts(name, task["scores"], tolerances, exact, _flips(name, task, report["changes"]))
    for name, scores in report["groups"].items():
        verdicts += _verdicts(name, scores, tolerances, exact, "")
    return verdicts


def _flips(name: str, task: Mapping[str, Any], changes: Sequence[Mapping[str, Any]]) -> str:
    if task["mcnemar"] is None:
        counts = [sum(c["task"] == name and c["change"] == change for c in changes) for change in ("lost", "gained")]
        return f"; {counts[0]} descriptions judged lower, {counts[1]} higher"
    return f"; {task['mcnemar']['only_first']} right answers lost, {task['mcnemar']['only_second']} gained"


def _verdicts(
    task: str, scores: Mapping[str, Any], tolerances: Mapping[str, float], exact: bool, flips: str
) -> list[Verdict]:
    found = []
    for score, numbers in scores.items():
        if score in _NOT_JUDGED or numbers["first"] is None:
            continue
        tolerance = tolerances.get(score, tolerances.get("", 0.0))
        if numbers["second"] is None:
            nan = float("nan")
            found.append(Verdict(task, score, numbers["first"], nan, nan, nan, nan, tolerance, True, flips))
            continue
        fell, low, high = numbers["difference"], numbers["low"], numbers["high"]
        low, high = (fell, fell) if low is None else (low, high)
        if score not in _LESS_IS_BETTER:
            fell, low, high = 0 - fell, 0 - high, 0 - low  # no "-0.0"
        regressed = fell > tolerance and (exact or low > 0)
        found.append(
            Verdict(task, score, numbers["first"], numbers["second"], fell, low, high, tolerance, regressed, flips)
        )
    return found


def check_comparable(baseline: saved.Saved, run: saved.Saved, report: Mapping[str, Any]) -> None:
    """End with status 2 unless the run answered every question of the baseline, and is another run than it."""
    if baseline.folder.resolve() == run.folder.resolve():
        stop(f"{run.folder}: is its own baseline; a run that failed leaves no new folder, so look at lmms-eval's log")
    if lacking := sorted(names(baseline) - names(run)):
        stop(f"{run.folder}: lacks {', '.join(lacking)}, which the baseline has; did the evaluation fail?")
    for name, task in report["tasks"].items():
        if task["only_first"] or task["only_second"]:
            stop(
                f"{run.folder}: {name} was asked {task['only_first']} question(s) less and {task['only_second']} more "
                "than in the baseline; run both with the same data, clips and --limit"
            )


def names(run: saved.Saved) -> set[str]:
    """The tasks that a run answered."""
    asked = {task.name for task in run.questions.tasks} if run.questions else set()
    return asked | set(run.replies.records) | set(run.descriptions.records)


def junit(verdicts: Sequence[Verdict]) -> str:
    """The verdicts as JUnit XML: a suite a task, a case a score."""
    root = ET.Element("testsuites", name="emorealm regress")
    for name, members in groupby(verdicts, lambda verdict: verdict.task):
        cases = list(members)
        failures = sum(verdict.regressed for verdict in cases)
        counts = {"tests": str(len(cases)), "failures": str(failures), "errors": "0", "skipped": "0"}
        suite = ET.SubElement(root, "testsuite", {"name": name, **counts})
        for verdict in cases:
            case = ET.SubElement(suite, "testcase", classname=name, name=verdict.score)
            if verdict.regressed:
                ET.SubElement(case, "failure", message=verdict.message, type="regression").text = verdict.message
    return _xml(root)


def junit_error(message: str) -> str:
    """JUnit XML for a comparison that could not be made: one case, in error."""
    root = ET.Element("testsuites", name="emorealm regress")
    suite = ET.SubElement(root, "testsuite", name="emorealm regress", tests="1", failures="0", errors="1", skipped="0")
    case = ET.SubElement(suite, "testcase", classname="emorealm regress", name="comparison")
    ET.SubElement(case, "error", message=message, type="not comparable").text = message
    return _xml(root)


def render(verdicts: Sequence[Verdict], report: Mapping[str, Any]) -> str:
    """The verdicts as Markdown: the outcome first, regressions before the rest, then the changed answers."""
    regressed = [verdict for verdict in verdicts if verdict.regressed]
    outcome = f"{len(regressed)} of {len(verdicts)} scores regressed" if regressed else "No regression"
    rows = [["", "task", "score", "baseline", "run", "worse by [95%]", "tolerance"]]
    for verdict in sorted(verdicts, key=lambda verdict: not verdict.regressed):
        task = report["tasks"].get(verdict.task)
        name = score_name(task["kind"], verdict.score) if task else GROUP_COLUMNS[verdict.score]
        digits = 2 if task and task["judge"] else 1
        numbers = [f"{value:.{digits}f}" for value in (verdict.baseline, verdict.value)]
        fell, low, high = (f"{value:+.{digits}f}" for value in (verdict.fell, verdict.low, verdict.high))
        worse = f"{fell} [{low}, {high}]"
        mark = "REGRESSED" if verdict.regressed else ""
        rows.append([mark, verdict.task, name, *numbers, worse, f"{verdict.tolerance:g}"])
    head = f"# {outcome}\n\nBaseline {report['first']}, run {report['second']}, {report['reading']} reading."
    lines = [f"- {verdict.message}" for verdict in regressed]
    blocks = [head, *(["\n".join(lines)] if lines else []), *changed(report["changes"], _SHOWN), table(rows)]
    blocks += [f"{name}: points of 1 to 10, judged by {task['judge']}." for name, task in judged_tasks(report)]
    return "\n\n".join(blocks) + "\n"


def main(argv: Sequence[str]) -> int:
    """The verb; returns 0 or 1, and leaves with 2 where the comparison cannot be made."""
    parser = Parser(prog="emorealm regress", description=__doc__.splitlines()[0])
    parser.add_argument("--baseline", type=Path, required=True, metavar="RUN", help="the run to hold against")
    parser.add_argument(
        "--run", type=Path, required=True, metavar="RUN", help="the run to judge, on the same questions"
    )
    parser.add_argument("--reading", choices=MODES, default="strict")
    parser.add_argument("--tolerance", action="append", default=[], metavar="[SCORE=]POINTS",
                        help="how much a score may fall; may be repeated, e.g. 1.0 or f1=2.5 (default 0)")  # fmt: skip
    parser.add_argument("--judge", metavar="NAME", help=JUDGE_HELP)
    parser.add_argument("--exact", action="store_true", help="judge by tolerance alone, whatever the interval")
    parser.add_argument("--junit", type=Path, metavar="OUT", help="write JUnit XML there")
    parser.add_argument("--markdown", type=Path, metavar="OUT", help="write the summary there instead of printing it")
    arguments = parser.parse_args(argv)
    if arguments.junit:  # what an earlier run left must not stand when this one cannot finish
        output.write(arguments.junit, junit_error("the comparison could not be made; see the log"))
    tolerances = dict(_tolerance(parser, text) for text in arguments.tolerance)
    baseline, run, by = load(arguments.baseline, arguments.run, arguments.judge)
    report = compare(baseline, run, arguments.reading, by)
    check_comparable(baseline, run, report)
    verdicts = judge(report, tolerances, arguments.exact)
    if unknown := set(tolerances) - {""} - {verdict.score for verdict in verdicts}:
        parser.error(f"--tolerance names {', '.join(sorted(unknown))}, which these runs do not have")
    if arguments.junit:
        output.write(arguments.junit, junit(verdicts))
    if arguments.markdown:
        output.write(arguments.markdown, render(verdicts, report))
    else:
        print(render(verdicts, report), end="")
    return int(any(verdict.regressed for verdict in verdicts))


def _tolerance(parser: Parser, text: str) -> tuple[str, float]:
    score, _, points = text.rpartition("=")
    try:
        value = float(points)
    except ValueError:
        value = -1.0
    if not value >= 0:
        parser.error(f"--tolerance {text!r} is no [SCORE=]POINTS with POINTS >= 0")
    return score, value


def _xml(root: ET.Element) -> str:
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", xml_declaration=True) + "\n"
