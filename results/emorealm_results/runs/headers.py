"""What a results file of lmms-eval says of the run beside its scores."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NotRequired, TypedDict
from zoneinfo import ZoneInfo

from emorealm_tasks import schemas
from emorealm_tasks.errors import stop
from emorealm_tasks.untrusted import read_json, without_secrets

_PARTS = ("config", "results", "versions")
_RESULTS = {
    "config?": ({"limit?": (float, None)}, None),
    "results?": ({str: dict}, None),
    "versions?": ({str: (float, str, None)}, None),
    "n-samples?": ({str: {"effective?": (int, None)}}, None),
}
"""A results file of lmms-eval, as far as it is read here (`emorealm_tasks.schemas`)."""
_TIME = "%Y%m%d_%H%M%S"  # in lmms-eval's names of files
_ZONE = "Asia/Singapore"  # lmms-eval's own, where --timezone names no other
_SEEDS = ("random_seed", "numpy_seed", "torch_seed", "fewshot_seed")


class Header(TypedDict):
    """Of one invocation; what lmms-eval wrote down as it came is Any."""

    date: str
    """When the run began, as its files are named: YYYYMMDD_HHMMSS."""
    zone: NotRequired[str]
    """The time zone of that date, "" where lmms-eval did not record it; `when` and `order` read both."""
    model: str
    """lmms-eval's name of the adapter."""
    model_name: str
    """The checkpoint that the arguments name, "" where they name none; `weights_of` says what a run's weights are."""
    weights: NotRequired[str]
    """The name of the weights, where the adapter says it; "" else."""
    model_folder: str
    """The folder below --output_path that is named after it."""
    model_args: Any
    """`--model_args`, as text or dict."""
    limit: float | None
    """`--limit`: questions a task, or a share below 1; None or -1 = all."""
    seeds: dict[str, Any]
    """Name of the seed -> its value, where lmms-eval recorded it."""
    git_hash: Any
    """Of the working directory, not of the release that ran."""
    lmms_eval_version: Any
    """Of the lmms-eval that ran, where recorded."""
    task_versions: dict[str, Any]
    """Task -> the version that its YAML states."""
    asked: NotRequired[Any]
    """Task -> how it was asked (`emorealm_tasks.harness.request_settings`); absent of other evaluations."""
    benchmark: NotRequired[Any]
    """Task -> which build of the mini world it asked (`emorealm_tasks.benchmarks.identity`); absent as `asked` is."""
    missing: dict[str, int]
    """Task -> questions without a usable clip."""


def read_header(path: Path) -> Header:
    """What a results file says about the run, every key present."""
    try:
        exists = path.exists()
    except OSError:
        exists = False
    if not exists:
        stop(f"{path}: missing beside its samples; lmms-eval writes it at the end of a run, so run again")
    results = read_json(path, dict, "it is not what lmms-eval writes; run again")
    schemas.require(path, results, _RESULTS, "it is not what lmms-eval writes; run again")
    config, scores, versions = (results.get(name) or {} for name in _PARTS)
    return {
        "date": path.name.removesuffix("_results.json"),
        "zone": zone(results),
        "model": str(config.get("model") or "unknown model"),
        "model_name": str(results.get("model_name") or ""),
        "weights": str(results.get("weights") or ""),
        "model_folder": str(results.get("model_name_sanitized") or ""),
        "model_args": _arguments_text(config.get("model_args") or ""),
        "limit": config.get("limit"),
        "seeds": {seed: config[seed] for seed in _SEEDS if config.get(seed) is not None},
        "git_hash": results.get("git_hash"),
        "lmms_eval_version": _known_version(results.get("lmms_eval_version")),
        "task_versions": versions,
        "asked": results.get("asked") or {},
        "benchmark": results.get("benchmark") or {},
        "missing": {name: _missing(of_task) for name, of_task in scores.items()},
    }


def title(header: Mapping[str, Any]) -> str:
    """The adapter and its weights."""
    return f"{header['model']} {weights_of(header) or '(weights not recorded)'}"


def weights_of(header: Mapping[str, Any]) -> str:
    """The name of a run's weights: the checkpoint of its arguments, else what its adapter loaded; "" if unknown."""
    return str(header.get("model_name") or header.get("weights") or "")


def when(header: Mapping[str, Any]) -> str:
    """When the run began, as "2026-11-26 23:36:45 UTC"; as its files are named where their zone is not known."""
    began = _began(str(header["date"]), str(header.get("zone") or ""))
    return began.strftime("%Y-%m-%d %H:%M:%S UTC") if began else str(header["date"])


def order(header: Mapping[str, Any]) -> str:
    """What sorts runs by when they began, whatever the zones that name their files; lmms-eval's own if unknown."""
    began = _began(str(header["date"]), str(header.get("zone") or _ZONE))
    return began.strftime(_TIME) if began else str(header["date"])


def zone(results: Mapping[str, Any]) -> str:
    """The time zone of the date of a results file; "" where lmms-eval did not record it."""
    config = results.get("config")
    arguments = config.get("resolved_cli_args") if isinstance(config, dict) else None
    return str(arguments.get("timezone") or "") if isinstance(arguments, dict) else ""


def _began(date: str, time_zone: str) -> datetime | None:
    """In UTC; None where the date or its zone cannot be read."""
    try:
        return datetime.strptime(date, _TIME).replace(tzinfo=ZoneInfo(time_zone)).astimezone(UTC) if time_zone else None
    except (KeyError, ValueError, OSError, OverflowError):  # KeyError: no such zone
        return None


def _known_version(version: Any) -> Any:
    """lmms-eval's version; None for what it writes where neither its branch nor its commit is known."""
    return None if version == "unknown@unknown" else version


def _arguments_text(model_args: Any) -> Any:
    """The model's arguments without the password of an address; earlier versions published it."""
    return without_secrets(model_args) if isinstance(model_args, str) else model_args


def _missing(scores: dict[str, Any]) -> int:
    """How many questions had no usable clip; the tasks report it only when some had none."""
    counts = (value for key, value in scores.items() if key.split(",")[0] == "questions_left_out")
    return int(next((count for count in counts if isinstance(count, int | float)), 0))
