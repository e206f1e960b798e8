"""`emorealm eval`: lmms-eval with an honest exit status.

lmms-eval prints a failed evaluation's traceback and ends with status 0; a results file that cannot be written is one
warning among many. Here the status is 0 only when every task that was asked has its results, on disk where
`--output_path` names a place. All arguments are lmms-eval's own; without `--verbosity` it
prints progress, warnings and a short table only. Files are named by the time in UTC, where `--timezone` names no other.
"""

import argparse
import importlib.util
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import wraps
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from emorealm_results.console import quiet
from emorealm_results.runs import unfinished
from emorealm_tasks import files
from emorealm_tasks.command_line import Parser
from emorealm_tasks.errors import stop
from emorealm_tasks.harness import outcome
from emorealm_tasks.sequences import nearest
from emorealm_tasks.untrusted import Unreadable

_ZONE = "--timezone"
_PATTERN = re.compile(r"[*?\[/\\]|\.ya?ml")
"""Of `--tasks` that only lmms-eval resolves: patterns and files."""
_QUOTED = re.compile(r"""["'{]""")
"""Of `--model_args` that hold more than plain values."""
_UNKNOWN_TASK = re.compile(r"Tasks not found: ([^,.\s]+)")
_UNKNOWN_MODEL = re.compile(r"Model '([^']+)' not found")


@dataclass
class Evaluation:
    """What is known of one evaluation: lmms-eval runs one, or one for each entry of its `--config` file."""

    log_samples: bool = False
    """Whether samples are written beside the results."""
    tasks: list[str] = field(default_factory=list)
    """Those that were loaded, groups resolved; empty until then."""
    error: str = ""
    """Why it was broken off."""
    results: Mapping[str, Any] | None = None
    """lmms-eval's results; None in processes other than the first."""
    tracker: Any = None
    """lmms-eval's writer of results, once it was asked to write."""

    def problems(self) -> Iterator[str]:
        """What keeps this evaluation from being complete, a line each."""
        if self.error:
            yield self.error
        elif self.results is not None:
            yield from _without_results(self.tasks, self.results)
            if self.tracker is not None and self.tracker.output_path:
                yield from _not_written(self.tasks, outcome.place(self.tracker, "results.json"), self.log_samples)


def main(argv: Sequence[str]) -> int:
    """Run lmms-eval on `argv` in this process; 0: complete, 1: something failed, 2: wrong arguments or data.

    What did not finish leaves a trace where an earlier evaluation's results lie.
    """
    place = _output_path(argv)
    status = 1
    if place:
        unfinished.leave(place)  # before: who is killed leaves nothing
    try:
        status = _evaluate(argv)
    finally:  # after a missing file and Ctrl-C too
        if place:
            (unfinished.leave if status else unfinished.clear)(place)
    return status


def _given(argv: Sequence[str], *names: str) -> argparse.Namespace | None:
    """Some of lmms-eval's options as text, None where not given; None in all where argparse cannot tell."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    for name in names:
        parser.add_argument(name)
    try:
        return parser.parse_known_args(argv)[0]
    except argparse.ArgumentError:
        return None


def _output_path(argv: Sequence[str]) -> Path | None:
    given = _given(argv, "--output_path")
    return None if given is None or given.output_path is None else Path(given.output_path)


def _evaluate(argv: Sequence[str]) -> int:
    if not argv:
        stop("nothing to do; e.g. emorealm eval --tasks emorealm --model avere --output_path results/runs/avere")
    lists = any(argument.removeprefix("--tasks=").startswith("list") for argument in argv)  # lmms-eval logs these
    if argv[0].startswith("-") and not lists:
        _look_ahead(argv)
    from lmms_eval.cli import dispatch

    evaluations = watch()
    if argv[0].startswith("-") and not lists and not any(argument.startswith("--verbosity") for argument in argv):
        argv = [*argv, "--verbosity", "WARNING"]
        quiet.shorten()
    sys.argv = ["lmms-eval", *argv]
    dispatch.main()
    problems = [line for evaluation in evaluations for line in evaluation.problems()]
    if not evaluations and argv[0].startswith("-"):  # not one of lmms-eval's subcommands
        problems.append("nothing was evaluated; does the --config file hold an entry?")
    for line in problems:
        print(f"emorealm eval: {line}", file=sys.stderr, flush=True)
    return 1 if problems else 0


class _HarnessParser(Parser):
    """lmms-eval's parser, which speaks of this command and tells a mistake in one line."""

    def __init__(self, **options: Any) -> None:
        """As argparse's."""
        super().__init__(**options | {"prog": "emorealm eval"})

    def format_help(self) -> str:
        """As argparse's, with the command that lists our tasks."""
        return super().format_help().replace("lmms-eval --tasks list", "emorealm tasks")


def _look_ahead(argv: Sequence[str]) -> None:
    """Stop at data or weights that are not there before lmms-eval is imported, which takes ten seconds.

    What it does not understand is left to the run, which looks at everything.
    """
    given = _given(argv, "--config", "--tasks", "--model", "--model_args")
    if given is None or given.config or _PATTERN.search(given.tasks or ""):
        return
    from emorealm_tasks import plugin
    from emorealm_tasks.benchmarks import preflight

    names = [name for name in (given.tasks or "").split(",") if name]
    if not any(argument.startswith("--inc") for argument in argv):  # else there are tasks of the user's own
        ours = plugin.describe()
        if foreign := [name for name in names if name not in ours and not _is_named_by_the_harness(name)]:
            stop(unknown_name(f"Tasks not found: {foreign[0]}"))
    preflight.look_ahead(task for name in names for task in plugin.members(name) or [name])
    look_at_weights(given.model, given.model_args or "")


def _is_named_by_the_harness(task: str) -> bool:
    """Whether one of lmms-eval's task files holds the name: its own index of them takes ten seconds."""
    found = importlib.util.find_spec("lmms_eval")
    if found is None or found.origin is None:
        return True
    name = re.compile(rf"(?<!\w){re.escape(task)}(?!\w)".encode())
    return any(name.search(path.read_bytes()) for path in files.matching(Path(found.origin).parent, "tasks/**/*yaml"))


def look_at_weights(model: str | None, model_args: str) -> None:
    """Stop at weights of AVERE that are not there; other models, and arguments with quotes, are left to the run."""
    from model_adapters.avere import folders

    if model in folders.MODELS and not _QUOTED.search(model_args):
        arguments = dict(pair.partition("=")[::2] for pair in model_args.strip().split(","))
        folders.find_weights(arguments.get("pretrained"))


def watch() -> list[Evaluation]:
    """Extend lmms-eval so that every evaluation of this process is noted; returns the list that it is noted in."""
    import lmms_eval.__main__ as harness

    harness.argparse = SimpleNamespace(**vars(argparse) | {"ArgumentParser": _HarnessParser})
    from lmms_eval import evaluator
    from lmms_eval.loggers import EvaluationTracker

    noted: list[Evaluation] = []
    outcome.leave_status()
    harness.cli_evaluate_single = _noting_outcome(harness.cli_evaluate_single, noted)
    evaluator.evaluate = _noting_tasks(evaluator.evaluate, noted)
    EvaluationTracker.save_results_aggregated = _noting_tracker(EvaluationTracker.save_results_aggregated, noted)
    return noted


def _noting_outcome(run: Callable[..., Any], noted: list[Evaluation]) -> Callable[..., Any]:
    """`cli_evaluate_single`, whose exceptions lmms-eval catches and whose results it prints."""

    @wraps(run)
    def cli_evaluate_single(args: Any) -> tuple[Any, ...]:
        """lmms-eval's results of one evaluation, which is noted."""
        if args.tasks is None:  # lmms-eval logs this and leaves with status 0
            stop("name the tasks with --tasks; `emorealm tasks` lists ours")
        if not any(argument.startswith(_ZONE) for argument in sys.argv):  # lmms-eval's own is Singapore's
            args.timezone = "UTC"
        evaluation = Evaluation(log_samples=bool(args.log_samples or args.predict_only))
        noted.append(evaluation)
        try:
            returned: tuple[Any, ...] = run(args)
        except Exception as error:
            unknown = unknown_name(str(error))
            if unknown and not args.config:  # the other evaluations of a configuration go on
                stop(unknown)
            evaluation.error = unknown or f"the evaluation failed: {type(error).__name__}: {error}"
            raise
        evaluation.results = returned[0]
        return returned

    return cli_evaluate_single


def unknown_name(message: str) -> str:
    """What to say of a task or a model that lmms-eval's error names as unknown; "" for another error."""
    from emorealm_tasks import plugin
    from model_adapters import catalogue

    if found := _UNKNOWN_TASK.search(message):
        what, names, verb = "task", list(plugin.describe()), "tasks"
    elif found := _UNKNOWN_MODEL.search(message):
        what, names, verb = "model", [model.name for model in catalogue.MODELS], "models"
        if found[1] in (model.name for model in catalogue.MODELS if model.route == catalogue.WORKER):
            return (
                f"{found[1]} runs in an environment of its own: --model external_worker --model_args worker={found[1]}"
            )
    else:
        return ""
    return f"no {what} {found[1]!r}{or_near(found[1], names)} `emorealm {verb}` lists ours"


def or_near(name: str, names: Iterable[str]) -> str:
    """What follows a name that is not known: the nearest that is, if one is alike."""
    near = nearest(name, names)
    return f"; did you mean {near}?" if near else ";"


def _noting_tasks(evaluate: Callable[..., Any], noted: list[Evaluation]) -> Callable[..., Any]:
    @wraps(evaluate)
    def evaluate_noted(*args: Any, **kwargs: Any) -> Any:
        noted[-1].tasks = list(leaves(kwargs["task_dict"]))
        return evaluate(*args, **kwargs)

    return evaluate_noted


def _noting_tracker(save: Callable[..., Any], noted: list[Evaluation]) -> Callable[..., Any]:
    @wraps(save)
    def save_results_aggregated(self: Any, *args: Any, **kwargs: Any) -> None:
        noted[-1].tracker = self
        save(self, *args, **kwargs)

    return save_results_aggregated


def leaves(task_dict: Mapping[Any, Any]) -> Iterator[str]:
    """The names of the tasks in lmms-eval's nested dictionary, whose inner levels are groups."""
    for name, task in task_dict.items():
        if isinstance(task, Mapping):
            yield from leaves(task)
        else:
            yield name


def _without_results(tasks: Sequence[str], results: Mapping[str, Any]) -> Iterator[str]:
    unscored = [task for task in tasks if not results.get("results", {}).get(task)]
    if unscored or not tasks:
        yield f"no results of {', '.join(unscored) or 'any task'}"
    if ((results.get("usage") or {}).get("budget_exceeded")) is True:
        yield "the token budget (--max_tokens) ended it early: the results are of a part of the questions"


def _not_written(tasks: Sequence[str], path: Path, with_samples: bool) -> Iterator[str]:
    try:
        written = outcome.read_results(path)
    except Unreadable as error:
        yield f"{path} was not written ({error}); {outcome.REMEDY}"
        return
    unwritten = [task for task in tasks if task not in written]
    if unwritten:
        yield f"{path} lacks {', '.join(unwritten)}"
    if with_samples:
        name = path.name.removesuffix("_results.json")
        unsaved = [task for task in tasks if not path.with_name(f"{name}_samples_{task}.jsonl").is_file()]
        if unsaved:
            yield f"no samples of {', '.join(unsaved)} in {path.parent}; {outcome.REMEDY}"
