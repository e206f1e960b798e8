"""Questions under several conditions -> the log-likelihood of each option, kept on disk as they come.

An adapter of lmms-eval scores the options as a likelihood task would have it do. Lines of the file of scores::

    {"id": "q1", "clip": "part_1/1.mp4", "task": "...", "subtask": "", "emotion": "anger", "error": "",
     "conditions": {"own": {"gold": 0, "scores": [-0.1, -2.3]}}}
"""

import contextlib
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, NotRequired, TypedDict

from tqdm import tqdm

from emorealm_tasks import plugin
from emorealm_tasks.benchmarks.rows import Row
from emorealm_tasks.errors import stop
from emorealm_tasks.harness import messages
from emorealm_tasks.media import MediaError
from emorealm_tasks.schemas import fit
from emorealm_tasks.untrusted import Unreadable, parse_json

_CHUNK = 16  # questions handed to the adapter at once: what bounds the memory
_SPLIT = "test"
_LINE = {"id": str, "clip": str, "task": str, "subtask": str, "emotion": str, "error": str}
SCORES = {"conditions": {str: {"gold": int, "scores": [float], "given?": str}}}
"""What a line of scores holds besides."""


class Options(TypedDict):
    """One condition's scores."""

    gold: int
    """Which option is right in the question as it was written."""
    scores: list[float]
    """Log-likelihood of each option, in nats, in the order of the condition's options."""
    given: NotRequired[str]
    """The clip of which a modality stands in for the question's own; not there where there is none."""


class Scored(TypedDict):
    """One question under all conditions."""

    id: str
    """Of the question, unique within its task."""
    clip: str
    """Name of the clip, the unit of resampling."""
    task: str
    """Released name of the task."""
    subtask: str
    """Kind of stress question; "" where there is none."""
    emotion: str
    """The clip's emotion; "" where unknown."""
    error: str
    """Why there are no scores, "" where there are."""
    conditions: dict[str, Options]
    """Name of the condition -> the scores of its options."""


Conditions = Callable[[Row], Mapping[str, Row]]
"""A question -> the name of each condition, and the question as it is asked there. May raise MediaError."""
Scorer = Callable[[Sequence[Row]], list[list[float]]]
"""Questions -> the log-likelihood of each option; not finite where the model failed."""


Measure = Callable[[Sequence[Row]], Sequence[Mapping[str, Any]]]
"""Questions -> what is noted of each, a line of the file."""


class Adapter(NamedTuple):
    """A loaded adapter of lmms-eval, and how questions are put to it."""

    name: str
    """The harness's name of the model."""
    model: Any
    """The instance that lmms-eval made."""
    task: str
    """The name under which questions are asked."""
    ways: Mapping[str, Any]
    """How media are handed to it: `lmms_eval_specific_kwargs` of its family."""


def load(name: str, arguments: Mapping[str, Any], task: str) -> Adapter:
    """The adapter `name` of lmms-eval with its `--model_args`. Stops where there is none of that name."""
    from lmms_eval.models import get_model

    try:
        kind = get_model(name)
    except Exception as error:
        stop(f"--model {name}: {error}; `emorealm models` lists those of this package")
    return Adapter(name, kind(**arguments), task, ways(name))


def ways(name: str) -> Mapping[str, Any]:
    """How media are handed to the adapter `name`, as the tasks' file has it."""
    from lmms_eval.utils import load_yaml_config

    config = load_yaml_config(str(plugin.FOLDER / "emorealm" / "_common.yaml"), mode="simple")
    families: Mapping[str, Mapping[str, Any]] = config["lmms_eval_specific_kwargs"]
    return families.get(name, families["default"])


def likelihoods(conditions: Conditions) -> Callable[[Adapter], Measure]:
    """What measures the log-likelihood of each option under every condition; stops where an adapter cannot."""

    def with_model(adapter: Adapter) -> Measure:
        score = scorer(adapter)
        return lambda rows: scored(rows, conditions, score)

    return with_model


def scorer(adapter: Adapter) -> Scorer:
    """What asks an adapter for the log-likelihood of each option; stops where it answers in words alone."""
    model, task = adapter.model, adapter.task
    visual = partial(messages.doc_to_visual, lmms_eval_specific_kwargs=adapter.ways)

    def score(rows: Sequence[Row]) -> list[list[float]]:
        model.task_dict[task] = {_SPLIT: list(rows)}
        requests = [request for number, row in enumerate(rows) for request in _requests(row, number, task, visual)]
        # lmms-eval's own adapters return a loss
        values = iter([-abs(float(value)) for value, _ in model.loglikelihood(requests)])
        return [[next(values) for _ in row["choices"]] for row in rows]

    return score


def _requests(row: Row, number: int, task: str, visual: Callable[[Row], list[Any]]) -> Iterator[Any]:
    from lmms_eval.api.instance import Instance

    prompt = messages.doc_to_text(row)
    for place, letter in enumerate(messages.doc_to_choice(row)):
        arguments = (prompt, f" {letter}", visual, number, task, _SPLIT)
        about = {"task": task, "doc_id": number, "repeats": 1}
        yield Instance(request_type="loglikelihood", arguments=arguments, idx=place, metadata=about)


def complete(
    name: str, model_args: str, batch_size: str, rows: Sequence[Row], measure: Callable[[Adapter], Measure], path: Path
) -> None:
    """Load a model and measure the questions that a file lacks; a complete file needs no model."""
    if is_complete(path, rows):
        return
    from lmms_eval.utils import simple_parse_args_string

    arguments = {"batch_size": batch_size} | simple_parse_args_string(model_args)
    mini = all(row["id"].startswith("mini_") for row in rows)
    adapter = load(name, arguments, "emorealm_mini_analyse" if mini else "emorealm_analyse")
    run(rows, measure(adapter), path, model_args or name)


def is_complete(path: Path, rows: Sequence[Row]) -> bool:
    """Whether a file has every question."""
    _mend(path)
    there = _ids(path)
    return all(row["id"] in there for row in rows)


def run(rows: Sequence[Row], measure: Measure, path: Path, label: str) -> None:
    """Measure every question that `path` does not hold yet, a chunk at a time, each written as soon as it is there."""
    _mend(path)
    there = _ids(path)
    missing = [row for row in rows if row["id"] not in there]
    with path.open("a", encoding="utf-8") as file, tqdm(total=len(rows), initial=len(there), desc=label) as progress:
        for start in range(0, len(missing), _CHUNK):
            chunk = missing[start : start + _CHUNK]
            for one in measure(chunk):
                file.write(json.dumps(one) + "\n")
            file.flush()
            progress.update(len(chunk))


def about(row: Row) -> dict[str, Any]:
    """What every line says of its question, without an error so far."""
    fields = {"id": row["id"], "clip": row["clip"], "task": row["task"], "error": ""}
    return fields | {"subtask": row.get("subtask", ""), "emotion": row.get("emotion", "")}


def scored(rows: Sequence[Row], conditions: Conditions, score: Scorer) -> list[Scored]:
    """The questions under every condition; a question that fails under one has none, and says why."""
    found: list[Scored] = []
    asked: list[tuple[Scored, str, Row]] = []
    for row in rows:
        one: Any = about(row) | {"conditions": {}}
        found.append(one)
        try:
            asked += [(one, name, of) for name, of in conditions(row).items()]
        except MediaError as error:
            one["error"] = str(error)
    for (one, name, row), values in zip(asked, score([row for _, _, row in asked]), strict=True):
        if not all(map(math.isfinite, values)):
            one["error"] = one["error"] or f"{name}: the model gave no number"
        gold = messages.doc_to_choice(row).index(row["answer"])
        one["conditions"][name] = Options(gold=gold, scores=values)
        if (given := row.get("given_clip", "")) not in ("", row["clip"]):
            one["conditions"][name]["given"] = given
    for one in found:
        one["conditions"] = {} if one["error"] else one["conditions"]
    return found


def read(path: Path, holds: Mapping[str, Any] = SCORES) -> Iterator[Any]:
    """The questions of a file, one at a time; `holds`: the pattern of what was measured. Stops at a line that is none.

    Those of a file of scores are `Scored`.
    """
    with path.open(encoding="utf-8", errors="replace") as file:
        for number, line in enumerate(file, 1):
            try:
                value = parse_json(line)
                fit(value, {**_LINE, **holds})
            except Unreadable as error:
                stop(f"{path}: line {number}: {error}; delete the line, or the file, and give the same command again")
            yield value


def _ids(path: Path) -> set[str]:
    return {one["id"] for one in read(path, {})} if path.exists() else set()


def _mend(path: Path) -> None:
    """Cut off the last line where a kill left it without its end."""
    with contextlib.suppress(FileNotFoundError), path.open("r+b") as file:
        whole = file.read().rfind(b"\n") + 1
        file.truncate(whole)
