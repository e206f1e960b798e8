"""`emorealm analyse`: why a model answers as it does: its answers under other inputs, and its attention."""

import argparse
import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emorealm_tasks import files
from emorealm_tasks.benchmarks import swaps
from emorealm_tasks.benchmarks.controls import SEED
from emorealm_tasks.command_line import Parser, count
from emorealm_tasks.errors import stop
from emorealm_tasks.untrusted import read_json

if TYPE_CHECKING:
    from emorealm_tasks.benchmarks.rows import Row

_MAKER = "emorealm analyse"
_RECORD = "asked.json"
_MINI = "emorealm_mini"
_LIMIT = 25


def main(argv: Sequence[str]) -> int:
    """The verb; returns 0."""
    if argv and argv[0] in _OTHERS:
        return _OTHERS[argv[0]](argv[1:])
    arguments = _parser().parse_args(argv)
    names = list(dict.fromkeys(arguments.model_args or [""]))
    files.check(arguments.out, _MAKER, "--out")
    rows = _rows(arguments.tasks.split(","))
    asked = sample(_suitable(arguments, rows), arguments.limit, arguments.seed)
    about = {
        "analysis": arguments.kind,
        "model": arguments.model,
        "model_args": names,
        "tasks": arguments.tasks.split(","),
    }
    about |= {"limit": arguments.limit, "seed": arguments.seed, "questions": len(asked), "asked": _digest(asked)}
    return _in(arguments.out, len(asked), lambda: _analyse(arguments, about, rows, asked))


def _digest(rows: "Sequence[Row]") -> str:
    """16 hex digits of what is asked, which ids alone do not tell: those of two builds of a world are the same."""
    asked = [[str(row[key]) for key in ("id", "clip", "question", "choices")] for row in rows]
    return hashlib.sha256(json.dumps(asked).encode()).hexdigest()[:16]


def _in(out: Path, questions: int, work: Callable[[], list[str]]) -> int:
    """Do the work while no other command writes into the folder, and say what it wrote; returns 0."""
    files.claim(out, _MAKER, "--out")
    with files.locked(out, "--out"):
        try:
            written = work()
        except OSError as error:
            stop(f"{out}: cannot be written ({error.strerror or error}); name another folder with --out")
    print(f"{out}: {', '.join(written)} ({questions} questions)")
    return 0


def _study(argv: Sequence[str]) -> int:
    """`emorealm analyse study`: an analysis of every training of a study; returns 0."""
    from avem_train.backbones.loading import evaluated_by
    from emorealm_results.analyses import study_runs
    from emorealm_results.analyses.kinds import KINDS

    able = [name for name, kind in KINDS.items() if kind.figures]
    about = "An analysis of the base and of every method and seed of `avem-train study mini`; trains what is missing."
    parser = Parser(prog=f"{_MAKER} study", description=about)
    parser.add_argument("kind", choices=able, help="which analysis")
    help_ = "settings of the study, as for avem-train study mini, e.g. seeds=2 folder=DIR"
    parser.add_argument("settings", nargs="*", metavar="key=value", help=help_)
    _add_shared(parser)
    arguments = parser.parse_intermixed_args(argv)
    files.check(arguments.out, _MAKER, "--out")
    study, jobs = study_runs.plan(arguments.settings)
    arguments.tasks, kind = _MINI, KINDS[arguments.kind]
    rows = _rows([_MINI])
    asked = sample(_suitable(arguments, rows), arguments.limit, arguments.seed)
    model = evaluated_by(jobs[0][1].base)
    settings = study_runs.without_places(arguments.settings)
    about_it = {"analysis": arguments.kind, "model": model, "settings": settings, "tasks": [_MINI]}
    about_it |= {"limit": arguments.limit, "seed": arguments.seed, "questions": len(asked)}

    def work() -> list[str]:
        _same_as_before(arguments.out, about_it)
        found = study_runs.measure(study, jobs, kind, rows, asked, arguments.seed, arguments.out)
        return study_runs.write(arguments.out, {**about_it, "failed": 0}, kind, found)

    return _in(arguments.out, len(asked), work)


def _page(argv: Sequence[str]) -> int:
    """`emorealm analyse page`: one page of several analyses; returns 0."""
    about = "One Markdown page with the figures of several analyses, those of Figure 5 first, and what they show."
    parser = Parser(prog=f"{_MAKER} page", description=about)
    parser.add_argument("folders", nargs="+", type=Path, metavar="FOLDER", help="a folder that an analysis wrote")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for README.md and its figures")
    arguments = parser.parse_args(argv)
    from emorealm_results.analyses import page

    try:
        written = page.write(arguments.folders, arguments.out)
    except OSError as error:
        stop(f"{error.filename or arguments.out}: cannot be read or written ({error.strerror or error})")
    print(f"{arguments.out}: {', '.join(written)}")
    return 0


def _parser() -> Parser:
    from emorealm_results.analyses.attention import READABLE
    from emorealm_results.analyses.kinds import KINDS

    parser = Parser(
        prog=_MAKER,
        description=__doc__,
        epilog="; ".join(f"{name}: {kind.does}" for name, kind in KINDS.items())
        + "; `emorealm analyse study KIND` compares a study's methods, "
        "`emorealm analyse page FOLDER... --out DIR` writes one page of several",
    )
    parser.add_argument("kind", choices=list(KINDS), help="which analysis")
    model = f"an adapter of lmms-eval that scores options, e.g. avere; for attention {READABLE}"
    parser.add_argument("--model", required=True, help=model)
    args = "its arguments as for lmms-eval; given twice (before and after training), both models stand side by side"
    parser.add_argument("--model_args", action="append", metavar="KEY=VALUE,...", help=args)
    parser.add_argument("--batch_size", default="16", help="as for lmms-eval (%(default)s)")
    parser.add_argument("--tasks", default=_MINI, help="tasks or groups of EmoReAlM (%(default)s)")
    _add_shared(parser)
    return parser


def _add_shared(parser: Parser) -> None:
    """The arguments that choose questions, and where results go."""
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for scores and report")
    limit = f"questions of each task, drawn by the seed; 0: all (default {_LIMIT})"
    parser.add_argument("--limit", type=count(0), default=_LIMIT, metavar="N", help=limit)
    parser.add_argument("--seed", type=count(0), default=SEED, help="draws questions and partners (%(default)s)")


def _rows(names: Sequence[str]) -> "list[Row]":
    """The questions of the tasks named. Stops at another task, and where clips cannot be used."""
    from emorealm_tasks import plugin
    from emorealm_tasks.benchmarks import registry
    from emorealm_tasks.settings import load

    tasks: dict[str, set[str]] = {}
    for name in names:
        for task in plugin.members(name) or [name]:
            parts = registry.TASK_NAMES.get(task)
            if parts is None or parts.variant:
                stop(f"--tasks {name}: not a task of EmoReAlM as it is asked; e.g. emorealm_mini, see `emorealm tasks`")
            tasks.setdefault(parts.benchmark, set()).add(parts.task)
    if len(tasks) > 1:
        stop(f"--tasks: name tasks of one benchmark at a time, not of {' and '.join(tasks)}")
    ((benchmark, of_benchmark),) = tasks.items()
    rows, _ = registry.usable(benchmark, sorted(of_benchmark), load())
    return rows


def _suitable(arguments: argparse.Namespace, rows: "Sequence[Row]") -> "Sequence[Row]":
    """The questions that an analysis can ask. Stops where there is none."""
    from emorealm_results.analyses.estimates import asked_modality
    from emorealm_results.analyses.kinds import KINDS

    if not KINDS[arguments.kind].one_modality:
        return rows
    about_one = [row for row in rows if asked_modality(row["task"])]
    if not about_one:
        stop(f"--tasks {arguments.tasks}: {arguments.kind} needs questions about one modality, e.g. of emorealm_mini")
    return about_one


def sample(rows: "Sequence[Row]", limit: int, seed: int) -> "list[Row]":
    """At most `limit` questions of each task, drawn by seed and id, in the order of the rows; 0: all."""
    if not limit:
        return list(rows)
    drawn = set()
    for task in {row["task"] for row in rows}:
        of_task = sorted((row["id"] for row in rows if row["task"] == task), key=lambda name: swaps.draw(seed, name))
        drawn |= set(of_task[:limit])
    return [row for row in rows if row["id"] in drawn]


def _analyse(
    arguments: argparse.Namespace, about: dict[str, Any], rows: "Sequence[Row]", asked: "Sequence[Row]"
) -> list[str]:
    """Score what is not scored yet, and write the report: the names of its files. Raises OSError."""
    from emorealm_results.analyses import report, scoring
    from emorealm_results.analyses.kinds import KINDS

    kind, out = KINDS[arguments.kind], arguments.out
    _same_as_before(out, about)
    try:
        measure = kind.prepare(rows, arguments.seed)
    except ValueError as error:
        stop(f"--tasks {arguments.tasks}: {error}; name more tasks")
    found, curves, failed = {}, {}, 0
    first: list[Any] = []
    for number, name in enumerate(about["model_args"], 1):
        path = out / f"scores_{number}.jsonl"
        scoring.complete(arguments.model, name, arguments.batch_size, asked, measure, path)
        scored = [*map(kind.compact, scoring.read(path, kind.holds))]
        whole = [one for one in scored if not one["error"]]
        failed += len(scored) - len(whole)
        if not whole:
            stop(f"{path}: no question has scores ({scored[0]['error']}); mend that and delete the file")
        found[name or arguments.model] = kind.report(whole) + (kind.change(first, whole) if first else [])
        first = first or whole
        curves[name or arguments.model] = kind.curves(whole)
    measured = {
        name or arguments.model: scoring.read(out / f"scores_{number}.jsonl", kind.holds)
        for number, name in enumerate(about["model_args"], 1)
    }
    return report.write(out, {**about, "failed": failed}, found, kind.draw, curves, measured)


def _same_as_before(out: Path, about: dict[str, Any]) -> None:
    """Note what is asked; stop where the folder's scores answer something else."""
    record = out / _RECORD
    if record.exists() and read_json(record, None, "delete the folder, or name another with --out") != about:
        stop(f"{out}: holds scores of another analysis, model or choice of questions; name another with --out")
    files.write_json(record, about)


_OTHERS = {"page": _page, "study": _study}
"""What else `emorealm analyse` does beside an analysis of one or two models."""
