"""`emorealm judge-agreement`: how far the judges of a run's descriptions agree, with each other or with people."""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from emorealm_results.console import output
from emorealm_results.runs import descriptions as judged
from emorealm_results.runs import judge_agreement
from emorealm_tasks import settings
from emorealm_tasks.command_line import Parser
from emorealm_tasks.errors import stop
from emorealm_tasks.judge import live
from emorealm_tasks.metrics.description import CRITERIA, Record

_PEOPLE = "people"


def main(argv: Sequence[str] | None = None) -> int:
    """Print a table for each task of a run; nothing is asked of any judge."""
    arguments = _parser().parse_args(argv)
    descriptions, current = judged.load(arguments.run_dir), settings.load()
    judge_models = [name.removesuffix(live.name("")) for name in arguments.judges or [current.judge_model]]
    judged.add_cached(descriptions, current, [name for name in judge_models if name != judged.CUES])
    people = judge_agreement.read_people(arguments.human) if arguments.human else None
    agreements = {task: _pairs(records, arguments, people) for task, records in descriptions.records.items()}
    for task, pairs in agreements.items():
        print(f"# {task}\n\n{judge_agreement.render(pairs)}\n")
    print(judge_agreement.LEGEND)
    if arguments.json:
        output.write(arguments.json, json.dumps(agreements, indent=2) + "\n")
    return 0


def _parser() -> Parser:
    parser = Parser(prog="emorealm judge-agreement", description=__doc__.splitlines()[0])
    parser.add_argument("run_dir", type=Path, metavar="RUN_DIR", help="a run of emer or emer_mini with --log_samples")
    which = "models, or cues for the true cues; default: every two judges of the run"
    parser.add_argument("--judges", nargs=2, metavar=("FIRST", "SECOND"), help=which)
    people = f"people's scores, compared with every judge: a CSV with the columns id, {', '.join(CRITERIA)}"
    parser.add_argument("--human", type=Path, metavar="CSV", help=people)
    parser.add_argument("--json", type=Path, metavar="OUT", help="write the numbers there as well")
    return parser


def _pairs(
    records: Sequence[Record], arguments: argparse.Namespace, people: judge_agreement.Scores | None
) -> dict[str, Any]:
    """Pair of judges -> criterion -> agreement: the named judges or all, or people with each of them."""
    judges = judged.judges(records)
    names = [name if name in judges else live.name(name) for name in arguments.judges or judges]
    if unknown := [name for name in names if name not in judges]:
        stop(f"no verdicts by {', '.join(unknown)}; there are verdicts by {', '.join(judges) or 'nobody'}")
    scores: dict[str, judge_agreement.Scores] = {name: judge_agreement.clip_scores(records, name) for name in names}
    pairs = [(a, b) for position, a in enumerate(names) for b in names[position + 1 :]]
    if people is not None:
        scores[_PEOPLE], pairs = people, [(_PEOPLE, name) for name in names]
    compared = {f"{a}, {b}": judge_agreement.compare(scores[a], scores[b]) for a, b in pairs}
    if not any(compared.values()):
        why = "they have no clip in common" if pairs else "a second judge is needed"
        stop(
            f"nothing to compare: there are verdicts by {', '.join(judges) or 'nobody'}, and {why}. Ask a model: "
            f"emorealm rescore {arguments.run_dir} --judge live --judge-model NAME; or give --human CSV"
        )
    return compared
