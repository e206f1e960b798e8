"""Makes our tasks known to lmms-eval, and looks at the clips before a model is loaded.

lmms-eval has an entry point for models and none for tasks. The models' entry point is called before the TaskManager
is built, so `register`, called there, extends TaskManager: our folders are searched too, and the clips of the tasks
named on the command line are checked as soon as their names are known. Tasks whose data set is absent are then left out
of the run, where the user asked for that. How a run ends, and what its files are called, is `outcome`'s.
"""

import functools
import sys
from collections.abc import Callable, Iterable
from itertools import pairwise
from pathlib import Path
from typing import Any

from emorealm_tasks import versions
from emorealm_tasks.harness import (
    current_run,
    media_log,
    outcome,
    request_settings,
    response_cache,
    sharding,
    task_files,
)
from emorealm_tasks.untrusted import clean, without_secrets

FOLDER = Path(__file__).parent / "tasks"
_left_out: set[str] = set()
_models: set[str] = set()


def register(models: Iterable[str] = ()) -> None:
    """Extend lmms-eval's TaskManager and response cache, once a process; idempotent, no heavy imports of our own.

    models: the names of those that we bring.
    """
    _models.update(models)
    versions.check()
    from lmms_eval.tasks import TaskManager

    media_log.start()
    response_cache.register()
    if getattr(TaskManager.initialize_tasks, "knows_emorealm", False):
        return
    from lmms_eval import utils
    from lmms_eval.loggers import EvaluationTracker

    utils.create_iterator = sharding.by_clip(utils.create_iterator)
    EvaluationTracker.save_results_samples = _cleaning(EvaluationTracker.save_results_samples)
    EvaluationTracker.save_results_aggregated = _completing(EvaluationTracker.save_results_aggregated)
    TaskManager.initialize_tasks = _searching(TaskManager.initialize_tasks)
    TaskManager.match_tasks = _checking(TaskManager.match_tasks)
    TaskManager._get_config = _shortening(TaskManager._get_config)


def describe() -> dict[str, str]:
    """Task or group name -> one line on what it asks; groups come before their members."""
    from emorealm_tasks.benchmarks import suite
    from emorealm_tasks.benchmarks.emorealm import TASKS
    from emorealm_tasks.benchmarks.registry import BENCHMARKS, VARIANTS

    lines = {}
    for benchmark, title in BENCHMARKS.items():
        for variant, how in VARIANTS.items():
            group = f"{benchmark}_{variant}".rstrip("_")
            lines[group] = "; ".join(filter(None, (f"the five tasks of {title}", how)))
            lines |= {f"{group}_{task}": "; ".join(filter(None, (line, how))) for task, line in TASKS.items()}
    lines |= {group: f"all of {', '.join(parts)}" for group, parts in suite.SUITES.items()}
    for name, task_name in suite.TASK_NAMES.items():
        how = suite.VARIANTS[task_name.variant] if task_name.benchmark in suite.PROMPTED else ""
        lines[name] = "; ".join(filter(None, (suite.BENCHMARKS[task_name.benchmark], how)))
    return lines


def members(group: str) -> list[str]:
    """The tasks of one of our groups, those of groups in it included; [] for another name."""
    from emorealm_tasks.benchmarks import suite
    from emorealm_tasks.benchmarks.emorealm import TASKS
    from emorealm_tasks.benchmarks.registry import TASK_NAMES

    if group in suite.SUITES:
        return [task for part in suite.SUITES[group] for task in members(part) or [part]]
    return [name for name in (f"{group}_{task}" for task in TASKS) if name in TASK_NAMES]


def _searching(initialize: Callable[..., Any]) -> Callable[..., Any]:
    """TaskManager.initialize_tasks, searching our folders too; a path given twice is searched once.

    Where the command line names tasks of ours alone, lmms-eval's own 1,900 files are not read: half a second a start.
    """

    @functools.wraps(initialize)
    def initialize_tasks(
        self: object, include_path: str | list[str] | None = None, include_defaults: bool = True
    ) -> dict[str, Any]:
        """Index the tasks of our folders with the others."""
        request_settings.forget()
        current_run.note_model(getattr(self, "model_name", None))
        _guard()
        paths = [include_path] if isinstance(include_path, str) else list(include_path or [])
        if str(FOLDER) not in paths:
            paths.append(str(FOLDER))
        asked = _asked_for()
        if asked and asked <= describe().keys():
            include_defaults = False
        with task_files.read_by_libyaml():
            index: dict[str, Any] = initialize(self, include_path=paths, include_defaults=include_defaults)
        return index

    initialize_tasks.knows_emorealm = True  # type: ignore[attr-defined]  # a mark on the replaced method
    return initialize_tasks


_PROGRAMS = ("lmms-eval", "emorealm", "lmms_eval", "emorealm_results")
"""Commands that name tasks by --tasks, and packages that are run as such."""


def _asked_for() -> set[str]:
    """The tasks that the command line of this process names; none where a file (`--config`) may name others."""
    program = Path(sys.argv[0])
    if program.stem not in _PROGRAMS and program.parent.name not in _PROGRAMS:
        return set()  # a program of somebody else, whose --tasks may be anything
    words = [word for argument in sys.argv[1:] for word in argument.split("=", 1)]
    if any(word.startswith("--conf") for word in words):
        return set()
    return {name for flag, names in pairwise(words) if flag == "--tasks" for name in names.split(",")}


def _checking(match: Callable[..., Any]) -> Callable[..., Any]:
    """TaskManager.match_tasks, with a look at the clips of what matched: a model takes minutes to load.

    Named tasks that are left out vanish from lmms-eval's own list too, since it calls what did not match unknown.
    """

    @functools.wraps(match)
    def match_tasks(self: Any, task_list: list[str]) -> list[str]:
        from emorealm_tasks.benchmarks.preflight import find_absent

        matched = match(self, task_list)
        _left_out.clear()
        _left_out.update(find_absent(_members(self.task_index, matched)))
        task_list[:] = [name for name in task_list if not _is_left_out(name)]
        return [name for name in matched if not _is_left_out(name)]

    return match_tasks


def _shortening(get_config: Callable[..., Any]) -> Callable[..., Any]:
    """TaskManager._get_config, without the members of a group that are left out."""

    @functools.wraps(get_config)
    def _get_config(self: object, name: str) -> dict[str, Any]:
        config: dict[str, Any] = get_config(self, name)
        if isinstance(config.get("task"), list):
            config["task"] = [part for part in config["task"] if not _is_left_out(part)]
        return config

    return _get_config


def _guard() -> None:
    """Replace lmms-eval's `simple_evaluate`, which is not there yet when `register` is called; share out by clip."""
    from lmms_eval import utils

    evaluator: Any = sys.modules.get("lmms_eval.evaluator")
    if evaluator is not None:
        evaluator.create_iterator = utils.create_iterator
    if evaluator is not None and not getattr(evaluator.simple_evaluate, "knows_emorealm", False):
        evaluator.simple_evaluate = outcome.guarded(evaluator.simple_evaluate, _concerns)


def _concerns(model: Any, tasks: Iterable[Any]) -> bool:
    """Whether a run is ours: its model, or one of its tasks."""
    task_lines = describe()
    return model in _models or any(isinstance(task, str) and task in task_lines for task in tasks)


def _cleaning(save: Callable[..., Any]) -> Callable[..., Any]:
    """EvaluationTracker.save_results_samples, whom half an emoji in one reply or question would cost the file.

    They are in the questions' order, also where several processes answered. Answers that could not be saved are told.
    """

    @functools.wraps(save)
    def save_results_samples(self: Any, task_name: str, samples: list[dict[str, Any]]) -> None:
        samples = sorted(samples, key=lambda sample: sample.get("doc_id", 0))
        for sample in samples:
            sample |= {name: _each_text(value, clean) for name, value in sample.items() if name != "doc"}
        save(self, task_name=task_name, samples=samples)
        if _concerns(current_run.model_name(), [task_name]):
            outcome.tell_unsaved(self, task_name, len(samples))

    return save_results_samples


def _completing(save: Callable[..., Any]) -> Callable[..., Any]:
    """EvaluationTracker.save_results_aggregated, which also says how the model was asked, and which benchmark.

    The password of an address among the model's arguments is left out. The files get a name that is no other run's.
    """

    @functools.wraps(save)
    def save_results_aggregated(self: Any, results: dict[str, Any], samples: Any, datetime_str: str) -> None:
        """Write the results file."""
        from emorealm_tasks.benchmarks import identity

        if ways := request_settings.by_task(results.get("configs") or {}):
            results["asked"] = ways
        if weights := current_run.weights():
            results["weights"] = weights
        if lmms_eval := versions.installed("lmms-eval"):  # its own text names the repository around it, or none
            results["lmms_eval_version"] = lmms_eval
        if benchmarks := identity.by_task(results.get("results") or {}):
            results["benchmark"] = benchmarks
        results |= _each_text(results, lambda text: clean(without_secrets(text)))
        date = outcome.claimed(self.output_path, self.general_config_tracker.model_name_sanitized, datetime_str)
        save(self, results=results, samples=samples, datetime_str=date)
        outcome.release(self)
        if _concerns(current_run.model_name(), results.get("results", ())):
            outcome.tell_unwritten(self, results["results"])

    return save_results_aggregated


def _each_text(value: Any, change: Callable[[str], str]) -> Any:
    """A value with every plain text in its lists, tuples and dicts changed; others stay what they are."""
    if type(value) is str:
        return change(value)
    if type(value) in (list, tuple):
        return type(value)(_each_text(one, change) for one in value)
    if isinstance(value, dict):
        return {_each_text(key, change): _each_text(one, change) for key, one in value.items()}
    return value


def _is_left_out(part: str | dict[str, Any]) -> bool:
    """Whether a task, or every member of one of our groups, is left out."""
    return isinstance(part, str) and bool(_left_out) and set(members(part) or [part]) <= _left_out


def _members(index: dict[str, dict[str, Any]], names: Iterable[str]) -> list[str]:
    """Task names with groups resolved, however deep."""
    from lmms_eval.utils import load_yaml_config

    found = []
    for name in names:
        entry = index.get(name, {})
        if entry.get("type") == "group" and entry["yaml_path"] != -1:
            parts = load_yaml_config(entry["yaml_path"], mode="simple")["task"]
            found += _members(index, [part if isinstance(part, str) else part.get("task", "") for part in parts])
        else:
            found.append(name)
    return found
