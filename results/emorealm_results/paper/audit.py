"""The paper's tables recomputed from their own cells: what agrees, what does not."""

from collections import Counter
from collections.abc import Iterable, Sequence

from emorealm_results.console.markdown import table
from emorealm_results.paper import printed
from emorealm_results.paper.audit_rules import RULES, Check, Tables


def check(cells: Iterable[printed.Cell]) -> list[Check]:
    """Every comparison that the tables allow, in the order of `emorealm_results.paper.audit_rules`."""
    tables = Tables(cells)
    return [checks for rule in RULES for checks in rule(tables)]


def disagreements(checks: Iterable[Check]) -> list[Check]:
    """The checks whose cell cannot be what the rule gives."""
    return [check for check in checks if not check.agrees]


def render(checks: Sequence[Check]) -> str:
    """The comparisons counted by rule, then each cell that disagrees, as Markdown."""
    done = Counter(check.rule for check in checks)
    failed = Counter(check.rule for check in disagreements(checks))
    summary = [["rule", "cells checked", "disagree"], *([rule, str(n), str(failed[rule])] for rule, n in done.items())]
    summary.append(["all", str(done.total()), str(failed.total())])
    rows = [["table", "model", "task", "score", "printed", "recomputed", "from", "rule"]]
    for disagreement in disagreements(checks):
        cell, decimals = disagreement.cell, len(disagreement.cell.printed.partition(".")[2])
        low, high = f"{disagreement.low:.{decimals + 1}f}", f"{disagreement.high:.{decimals + 1}f}"
        recomputed = low if low == high else f"{low} to {high}"
        names = [str(cell.table), cell.model or "–", cell.task, cell.metric]
        rows.append([*names, cell.printed, recomputed, disagreement.why, disagreement.rule])
    return f"{table(summary)}\n\n{table(rows)}\n"
