"""The regression gate: which scores fell by more than the tolerance, at a known error rate."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from emorealm_results.compare import pairs, permutation_tests
from emorealm_results.compare.report import (
    asked_lines,
    changed,
    judged_tasks,
    score_name,
)
from emorealm_results.console.markdown import table
from emorealm_results.rescore.table import GROUP_COLUMNS
from emorealm_results.runs import request_settings, saved
from emorealm_results.runs.samples import FULL
from emorealm_tasks.errors import stop
from emorealm_tasks.metrics import intervals

_LESS_IS_BETTER = ("unparsed_rate",)
_NOT_JUDGED = ("yes_rate",)
_MOST_LISTED = 20
REGRESSED, UNDECIDED, PASSED, REPORTED = "regressed", "undecided", "passed", "reported"
_MARKS = {REGRESSED: "REGRESSED", UNDECIDED: "cannot be said", PASSED: "", REPORTED: ""}


@dataclass(frozen=True)
class Rule:
    """How losses are judged."""

    tolerances: Mapping[str, float] = field(default_factory=dict)
    """By score name, in points of a judge or of a percentage; "" is that of all others (0 without it)."""
    error_rate: float = permutation_tests.LEVEL
    """The family-wise error rate, as a share."""
    power: float = permutation_tests.POWER
    """With which a loss of the tolerance's size must be found, as a share."""
    exact: bool = False
    """By tolerance alone."""

    def tolerance(self, score: str) -> float:
        """The tolerance of a score."""
        return self.tolerances.get(score, self.tolerances.get("", 0.0))


@dataclass(frozen=True)
class Decision:
    """One score of one task (or group) against its baseline."""

    task: str
    """Name of the task or group."""
    score: str
    """Name of the score."""
    baseline: float
    """Its value in the baseline, in percent or a judge's points, as all numbers here but p."""
    value: float
    """Its value in the run."""
    fell: float
    """Above 0 is worse."""
    low: float
    """Lower end of the interval of `fell`, paired over clips."""
    high: float
    """Upper end of the interval of `fell`, paired over clips."""
    tolerance: float
    """The loss that is allowed, 0 or more."""
    flips: str
    """How many answers turned, as the end of a sentence; "" where they are not counted."""
    outcome: str
    """One of REGRESSED, UNDECIDED, PASSED, REPORTED."""
    p: float | None = None
    """Holm's; None where no test was made."""
    found_from: float | None = None
    """The smallest loss that is found with the power asked for; None as for `p`."""

    @property
    def regressed(self) -> bool:
        """Whether it got worse."""
        return self.outcome == REGRESSED

    @property
    def message(self) -> str:
        """One line that says what fell, by how much, and how many answers flipped."""
        tested = "" if self.p is None else f", p = {self.p:.3g} over all judged scores"
        loss = (
            f"{self.task}: {self.score} went from {self.baseline:.2f} to {self.value:.2f}, worse by {self.fell:.2f} "
            f"[{self.low:.2f}, {self.high:.2f}], tolerance {self.tolerance:g}{tested}{self.flips}"
        )
        if self.outcome != UNDECIDED:
            return loss
        return f"{loss}; a loss is found from {self.found_from:.2f} on, so one of {self.tolerance:g} may be missed"


def decide(report: Mapping[str, Any], run_pairs: Sequence[pairs.Pair], rule: Rule) -> list[Decision]:
    """A decision for each score of :func:`emorealm_results.compare.report.compare_pairs`, made of the tasks ``found``.

    A judged score that was defined in the baseline and no longer is counts as regressed.
    """
    decisions = []
    for pair in run_pairs:
        task = report["tasks"][pair.name]
        scores = _scores(pair.part, task["scores"], rule, permutation_tests.primary(pair))
        decisions += _decisions(pair.name, task["scores"], scores, rule, _flips(pair.name, task, report["changes"]))
    for name, group in report["groups"].items():
        decisions += _decisions(name, group, _scores(name.split()[-1], group, rule, ()), rule, "")
    return decisions if rule.exact else _tested(decisions, run_pairs, report["reading"], rule)


def _scores(part: str, scores: Mapping[str, Any], rule: Rule, primary: Sequence[str]) -> tuple[str, ...]:
    """The names of the scores that are judged."""
    if not rule.exact:
        return tuple(primary)
    return tuple(name for name in scores if part == FULL and name not in _NOT_JUDGED)


def _tested(decisions: Sequence[Decision], run_pairs: Sequence[pairs.Pair], reading: str, rule: Rule) -> list[Decision]:
    """The decisions with the outcomes of the tests, made as one family over all that is judged."""
    tests = {(test.task, test.score): test for pair in run_pairs for test in permutation_tests.losses(pair, reading)}
    places = [i for i, one in enumerate(decisions) if one.outcome == PASSED and (one.task, one.score) in tests]
    chances, froms = [], []
    for one, test in ((decisions[i], tests[decisions[i].task, decisions[i].score]) for i in places):
        from scipy.stats import norm  # half a second to import

        error = (one.high - one.low) / (2 * float(norm.ppf((1 + intervals.LEVEL) / 2)))
        beyond = permutation_tests.p_beyond(one.fell, error, one.tolerance) if one.tolerance else 0.0
        chances.append(max(test.p, beyond))
        froms.append(permutation_tests.found_from(error, test.unit, len(places), rule.error_rate, rule.power))
    done = list(decisions)
    for i, p, found_from in zip(places, permutation_tests.holm(chances), froms, strict=True):
        one = replace(decisions[i], p=p, found_from=found_from)
        if p <= rule.error_rate:
            one = replace(one, outcome=REGRESSED)
        elif one.tolerance and one.high > one.tolerance and found_from > one.tolerance:
            one = replace(one, outcome=UNDECIDED)
        done[i] = one
    return done


def _flips(name: str, task: Mapping[str, Any], changes: Sequence[Mapping[str, Any]]) -> str:
    if task["mcnemar"] is None:
        counts = [sum(c["task"] == name and c["change"] == change for c in changes) for change in ("lost", "gained")]
        return f"; {counts[0]} descriptions judged lower, {counts[1]} higher"
    return f"; {task['mcnemar']['only_first']} right answers lost, {task['mcnemar']['only_second']} gained"


def _decisions(
    task: str, scores: Mapping[str, Any], judged_scores: Sequence[str], rule: Rule, flips: str
) -> list[Decision]:
    """The scores' decisions by tolerance alone, those to be tested as PASSED."""
    decisions = []
    for score, numbers in scores.items():
        if numbers["first"] is None:
            continue
        tolerance = rule.tolerance(score)
        about = (task, score, numbers["first"])
        if numbers["second"] is None:
            nan = float("nan")
            outcome = REGRESSED if score in judged_scores else REPORTED
            decisions.append(Decision(*about, nan, nan, nan, nan, tolerance, flips, outcome))
            continue
        fell, low, high = numbers["difference"], numbers["low"], numbers["high"]
        low, high = (fell, fell) if low is None else (low, high)
        if score not in _LESS_IS_BETTER:
            fell, low, high = 0 - fell, 0 - high, 0 - low  # no "-0.0"
        outcome = PASSED if score in judged_scores else REPORTED
        if outcome == PASSED and rule.exact and fell > tolerance:
            outcome = REGRESSED
        decisions.append(Decision(*about, numbers["second"], fell, low, high, tolerance, flips, outcome))
    return decisions


def check_comparable(
    baseline: saved.Saved, run: saved.Saved, report: Mapping[str, Any], accepted: Collection[str] = ()
) -> None:
    """End with status 2 unless the run answered every question of the baseline, and is another run than it.

    So too where it was asked otherwise than the baseline, but for the differences that are ``accepted`` by name.
    """
    if baseline.folder.resolve() == run.folder.resolve():
        stop(f"{run.folder}: is its own baseline; a run that failed leaves no new folder, so look at lmms-eval's log")
    if missing_tasks := sorted(names(baseline) - names(run)):
        stop(f"{run.folder}: lacks {', '.join(missing_tasks)}, which the baseline has; did the evaluation fail?")
    for name, task in report["tasks"].items():
        if task["only_first"] or task["only_second"]:
            stop(
                f"{run.folder}: {name} was asked {task['only_first']} question(s) less and {task['only_second']} more "
                "than in the baseline; run both with the same data, clips and --limit"
            )
        if differences := {way: values for way, values in (task["asked"] or {}).items() if way not in accepted}:
            flags = " ".join(f"--asked-otherwise {way}" for way in differences)
            stop(
                f"{run.folder}: {name} was asked otherwise than in the baseline "
                f"({request_settings.as_text(differences)}); ask both alike, or accept it: {flags}"
            )


def names(run: saved.Saved) -> set[str]:
    """The tasks that a run answered."""
    question_tasks = {task.name for task in run.questions.tasks} if run.questions else set()
    return question_tasks | set(run.replies.records) | set(run.descriptions.records)


def render(decisions: Sequence[Decision], report: Mapping[str, Any], rule: Rule) -> str:
    """The decisions as Markdown: the outcome first, then what is judged, the changed answers, and what is reported."""
    judged = sorted(
        (decision for decision in decisions if decision.outcome != REPORTED),
        key=lambda one: list(_MARKS).index(one.outcome),
    )
    of = {outcome: [decision for decision in judged if decision.outcome == outcome] for outcome in _MARKS}
    outcome = "No regression"
    if of[REGRESSED]:
        outcome = f"{len(of[REGRESSED])} of {len(judged)} scores regressed"
    elif of[UNDECIDED]:
        outcome = f"Cannot be said: {len(of[UNDECIDED])} of {len(judged)} scores could have fallen unseen"
    head = f"# {outcome}\n\nBaseline {report['first']}, run {report['second']}, {report['reading']} reading."
    lines = [f"- {decision.message}" for decision in (*of[REGRESSED], *of[UNDECIDED])]
    columns = ["task", "score", "baseline", "run", "worse by [95%]"]
    rows = [["", *columns, "tolerance", "p", "found from"]]
    for decision in judged:
        digits = _digits(decision, report)
        p = "–" if decision.p is None else f"{decision.p:.3g}"
        found_from = "–" if decision.found_from is None else f"{decision.found_from:.{digits}f}"
        cells = [*_cells(decision, report, digits), f"{decision.tolerance:g}", p, found_from]
        rows.append([_MARKS[decision.outcome], *cells])
    reported_cells = [_cells(one, report, _digits(one, report)) for one in decisions if one.outcome == REPORTED]
    blocks = [head, *asked_lines(report), *(["\n".join(lines)] if lines else []), table(rows), _about(rule)]
    blocks += changed(report["changes"], _MOST_LISTED)
    blocks += ["Reported, not judged:", table([columns, *reported_cells])] if reported_cells else []
    blocks += [f"{name}: points of 1 to 10, judged by {task['judge']}." for name, task in judged_tasks(report)]
    return "\n\n".join(blocks) + "\n"


def _about(rule: Rule) -> str:
    if rule.exact:
        return "Judged by tolerance alone."
    return (
        "p: one-sided, of paired answers, Holm's over all scores of this table; a false alarm anywhere has a chance of "
        f"{100 * rule.error_rate:g}% at most. Found from: the smallest true loss that is found with "
        f"{100 * rule.power:g}% power."
    )


def _digits(decision: Decision, report: Mapping[str, Any]) -> int:
    task = report["tasks"].get(decision.task)
    return 2 if task and task["judge"] else 1


def _cells(decision: Decision, report: Mapping[str, Any], digits: int) -> list[str]:
    task = report["tasks"].get(decision.task)
    name = score_name(task["kind"], decision.score) if task else GROUP_COLUMNS[decision.score]
    numbers = [f"{value:.{digits}f}" for value in (decision.baseline, decision.value)]
    fell, low, high = (f"{value:+.{digits}f}" for value in (decision.fell, decision.low, decision.high))
    return [decision.task, name, *numbers, f"{fell} [{low}, {high}]"]
