"""`emorealm check`: data, weights, extras and credentials looked at in seconds, before any model loads."""

import argparse
import importlib.metadata
import os
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import getproxies

from packaging.requirements import Requirement

from emorealm_results.commands.eval import look_at_weights, or_near, unknown_name
from emorealm_tasks import files, plugin, versions
from emorealm_tasks.benchmarks import availability, emorealm, preflight, registry, suite
from emorealm_tasks.errors import stop
from emorealm_tasks.settings import Settings, load
from emorealm_tasks.untrusted import Unreadable, brief, parse_json, read_bytes, typed
from model_adapters.avere import folders
from model_adapters.base import dry_run, lora_folders

CREDENTIALS = {"HF_TOKEN": "gated downloads from the hub", "OPENAI_API_KEY": "the judge and API models"}

_CONVERTED = ("config.json", "*.safetensors", "tokenizer_config.json", "processor_config.json")
_FOR_DEVELOPERS = ("docs", "test")
_SECONDS = 5  # to wait for a server
_MOST_LISTED = 20  # clips that decode in part


def main(argv: Sequence[str] | None = None) -> int:
    """Print what is there and what is not; 0 when everything asked about can be run, else 2.

    `--tasks` takes lmms-eval's names; without it the embedded benchmarks are looked at, and every public one as soon as
    its place is set. With `--model` everything is looked at that its run looks at before weights are loaded: arguments,
    packages, keys, the checkpoint's files, the server. Extras and credentials are reported only: whether they are
    needed depends on the run.
    """
    parser = argparse.ArgumentParser(prog="emorealm check", description=__doc__.splitlines()[0])
    parser.add_argument("--tasks", help="task or group names as for lmms-eval, separated by commas")
    parser.add_argument("--model", metavar="NAME", help="also look at what a run with this model needs; see its --help")
    parser.add_argument("--model_args", default="", metavar="NAME=VALUE,...", help="as for `emorealm eval`")
    arguments = parser.parse_args(argv)
    if arguments.model_args and not arguments.model:
        parser.error("--model_args are those of a model: name it with --model")
    settings = load()
    names = arguments.tasks.split(",") if arguments.tasks else _set_up(settings)
    tasks_of = _tasks(names)
    _extras()
    for name, use in CREDENTIALS.items():
        _line("credential", f"{name} is {'set' if os.environ.get(name) else 'not set'} ({use})")
    fine = {f"data of {benchmark}": _data(benchmark, tasks, settings) for benchmark, tasks in tasks_of.items()}
    if arguments.model:
        fine[f"model {arguments.model}"] = _model(arguments.model, arguments.model_args)
    else:
        fine["weights"] = _weights()
    if settings.emotion_llama:
        fine["Emotion-LLaMA"] = _emotion_llama(settings.emotion_llama.expanduser())
    if lacking := [what for what, is_fine in fine.items() if not is_fine]:
        print(f"emorealm: not ready: {', '.join(lacking)}; why stands above", file=sys.stderr, flush=True)
        return 2
    return 0


def _set_up(settings: Settings) -> list[str]:
    names = ["emotion_suite_mini"]
    places = {"emorealm": settings.json or settings.videos}
    places |= {name: suite.folder(name, settings) for name in suite.BENCHMARKS if not name.endswith("_mini")}
    for name, place in places.items():
        if place:
            names.append(name)
        else:
            variables = "EMOREALM_VIDEOS, EMOREALM_JSON" if name == "emorealm" else f"EMOREALM_{name.upper()}"
            _line("data", f"{name}: not set up ({variables})")
    return names


def _tasks(names: Sequence[str]) -> dict[str, dict[str, bool]]:
    """Benchmark -> its tasks among `names`, groups resolved -> whether their clips are needed."""
    known_tasks = registry.TASK_NAMES | suite.TASK_NAMES
    by_benchmark: dict[str, dict[str, bool]] = {}
    for name in names:
        members = [name] if name in known_tasks else plugin.members(name)
        if not members:
            stop(f"unknown task {name!r}{or_near(name, plugin.describe())} `emorealm tasks` lists them")
        for task in members:
            by_benchmark.setdefault(known_tasks[task].benchmark, {})[task] = known_tasks[task].variant != "blind"
    return by_benchmark


def _data(benchmark: str, tasks: dict[str, bool], settings: Settings) -> bool:
    """Whether the tasks of a benchmark can be asked; what is wrong is printed where it is found."""
    with_clips = [task for task, needs_clips in tasks.items() if needs_clips]
    only_blind = {registry.TASK_NAMES[task].task for task in tasks if task not in with_clips}
    only_blind -= {registry.TASK_NAMES[task].task for task in with_clips if task in registry.TASK_NAMES}
    try:
        rows, left_out = preflight.look(benchmark, with_clips, settings) if with_clips else ([], {})
        clip_rows, rows = rows, rows + registry.of_tasks(benchmark, list(only_blind), settings, media=False)
    except SystemExit:
        return False
    without = f", {left_out['questions']} more left out" if left_out.get("questions") else ""
    _line("data", f"{benchmark}: {len(rows)} questions on {len({row['clip'] for row in rows})} clips{without}")
    partly = availability.incomplete(
        (row[key] for row in clip_rows for key in ("video", "audio") if row[key]), settings.cache
    )
    for line in partly[:_MOST_LISTED]:
        _line("media", line)
    if len(partly) > _MOST_LISTED:
        _line("media", f"... and {len(partly) - _MOST_LISTED} more that decode in part")
    if benchmark == "emorealm":
        for note in emorealm.notes(emorealm.read("emorealm", settings, media=False)):
            _line("data", note)
    return True


def _weights() -> bool:
    """Whether `avere` can load the weights that no argument names."""
    try:
        found = folders.find_weights(None)
    except SystemExit:
        return False
    name = "the embedded avere-nano" if found.embedded else "AVERE"
    _line("weights", f"{name}: {found.adapter or found.folder}")
    return True


def _model(name: str, text: str) -> bool:
    """Whether a run with this model would begin; why not is printed as the run prints it."""
    try:
        look_at_weights(name, text)  # before the imports below, which take ten seconds
    except SystemExit:
        return False
    from lmms_eval.models import get_model
    from lmms_eval.utils import simple_parse_args_string
    from loguru import logger

    logger.disable("lmms_eval.models")  # it lists the names of all models where one is not known
    try:
        model_class = get_model(name)
        model_args = simple_parse_args_string(text)
    except Exception as error:  # an unknown name, a package that is missing, an argument without =
        problem = unknown_name(str(error)) or brief(error)
        if isinstance(error, ModuleNotFoundError):
            problem = f"{error.name} is not installed: pip install {error.name}"
        print(f"emorealm: {name}: {problem}", file=sys.stderr, flush=True)
        return False
    if not model_class.__module__.startswith("model_adapters."):
        _line("model", f"{name}: a model of lmms-eval; its arguments and weights are looked at by its run alone")
        return True
    try:
        server = dry_run.of(lambda: model_class(**model_args))
    except SystemExit:
        return False
    if server and (problem := _unreachable(server)):
        print(f"emorealm: {name}: no answer from {server}: {problem}; is the server up?", file=sys.stderr, flush=True)
        return False
    _line("model", f"{name}: a run can begin" + (f"; {server} can be reached" if server else ""))
    return True


def _unreachable(server: str) -> str:
    """Why no connection to a server's address comes about; "" where one does, or goes through a proxy."""
    parts = urlsplit(server)
    if getproxies():
        return ""
    try:
        port = parts.port or (443 if parts.scheme == "https" else 80)
        socket.create_connection((parts.hostname or "", port), _SECONDS).close()
    except (OSError, ValueError) as error:
        return brief(getattr(error, "strerror", None) or error)
    return ""


def _emotion_llama(folder: Path) -> bool:
    """Whether a folder is what Emotion-LLaMA's converter writes, or adapters that training left."""
    if lora_folders.is_adapters_only(folder):
        trained = (folder / "adapter_model.safetensors").is_file()
        state = "adapters" if trained else "no adapter_model.safetensors beside adapter_config.json; train again"
        _line("weights", f"Emotion-LLaMA: {state} in {folder}")
        return trained
    try:
        config = typed(parse_json(read_bytes(folder / "config.json")), dict)
    except Unreadable:
        config = {}
    lacking = [name for name in _CONVERTED if not files.matching(folder, name)]
    if config.get("model_type") != "emotion_llama" or lacking:
        remedy = f"write them: python -m model_adapters.emotion_llama.convert --checkpoint FILE.pth ... --out {folder}"
        missing = f" ({', '.join(lacking)} not there)" if lacking else ""
        _line("weights", f"Emotion-LLaMA: no converted weights in {folder}{missing}; {remedy}")
        return False
    deaf = config.get("version", 1) == 1 and not config.get("hubert_config")
    note = "; without HuBERT it cannot hear with features=demo: convert with --hubert" if deaf else ""
    kind = f"version {config.get('version', 1)}, placement {config.get('placement', 'released')}"
    _line("weights", f"Emotion-LLaMA ({kind}): {folder}{note}")
    return True


def _extras() -> None:
    extras = importlib.metadata.metadata("emorealm").get_all("Provides-Extra") or []
    extras = [extra for extra in extras if extra not in _FOR_DEVELOPERS]
    for extra, missing in missing_by_extra(importlib.metadata.requires("emorealm") or [], extras).items():
        state = f"missing {', '.join(missing)}; pip install 'emorealm[{extra}]'" if missing else "installed"
        _line("extra", f"{extra}: {state}")


def missing_by_extra(requirements: Sequence[str], extras: Sequence[str]) -> dict[str, list[str]]:
    """Extra -> the distributions it asks for on this platform that are not installed.

    `requirements` are lines of a distribution's metadata; an extra that asks for nothing here is left out.
    """
    missing_of: dict[str, list[str]] = {}
    for requirement in map(Requirement, requirements):
        marker = requirement.marker
        for extra in extras if marker is not None and not marker.evaluate({"extra": ""}) else ():
            if marker is not None and marker.evaluate({"extra": extra}):
                missing = missing_of.setdefault(extra, [])
                if versions.installed(requirement.name) is None:
                    missing.append(requirement.name)
    return missing_of


def _line(what: str, text: str) -> None:
    print(f"{what:<11} {text}", flush=True)
