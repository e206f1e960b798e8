"""``emorealm audit``: recomputes what can be recomputed in the paper's tables and prints every cell that disagrees."""

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from emorealm_results import printed
from emorealm_results.arguments import Parser
from emorealm_results.audit_rules import RULES, Check, Tables
from emorealm_results.markdown import table


def check(cells: Iterable[printed.Cell]) -> list[Check]:
    """Every comparison that the tables allow, in the order of the rules; see :mod:`emorealm_results.audit_rules`."""
    tables = Tables(cells)
    return [found for rule in RULES for found in rule(tables)]


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
    for found in disagreements(checks):
        cell, decimals = found.cell, len(found.cell.printed.partition(".")[2])
        low, high = f"{found.low:.{decimals + 1}f}", f"{found.high:.{decimals + 1}f}"
        recomputed = low if low == high else f"{low} to {high}"
        names = [str(cell.table), cell.model or "–", cell.task, cell.metric]
        rows.append([*names, cell.printed, recomputed, found.why, found.rule])
    return f"{table(summary)}\n\n{table(rows)}\n"


def main(argv: Sequence[str]) -> int:
    """The verb; returns 0 (that tables disagree is a finding, not a failure)."""
    parser = Parser(prog="emorealm audit", description=__doc__)
    parser.add_argument("--published", type=Path, default=printed.FOLDER, metavar="DIR", help="folder of table_*.yaml")
    arguments = parser.parse_args(argv)
    print(render(check(printed.load(arguments.published))), end="")
    return 0
