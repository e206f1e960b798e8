"""What a study leaves: `study.json`, the contract between the runs and whoever makes tables of them.

about      base (name, fingerprint), split, world and preferences (their build.json), training, versions
questions  columns of equal length, by task: id, clip, task, subtask, gold, and choices ("AB yes A": letters, and
           which one says yes)
runs       key -> recipe, seed, features (beside the image, of an Emotion-LLaMA), version (of the code,
           `worker.VERSION`; 1 where it is not there), settings, steps, seconds, log (first and last tenth of every
           logged value), scores (part -> reading -> group and tasks) and answers (part -> a letter a question as the
           strict reading has it, "-" for none, and 1 or 0 as the official one); or failed, and why
sections   section -> rows: name, published, axis, value and the keys of its runs, a seed each
"""

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from statistics import fmean
from typing import Any, Literal

from emorealm_tasks import files, metrics, schemas
from emorealm_tasks.answers.choices import split_choice, yes_no_letters
from emorealm_tasks.errors import stop
from emorealm_tasks.untrusted import read_json

READINGS = ("strict", "official")
_PACKAGES = ("emorealm", "lmms-eval", "torch", "transformers", "peft")
_LOGGED = ("loss", "gradient/", "logps/", "margins/", "accuracies/", "rewards/", "tpd", "grad_norm")
PARTS = ("about", "questions", "runs", "sections")
"""What the record of a study has."""
_COLUMNS: tuple[Literal["id", "clip", "task", "subtask", "gold"], ...] = ("id", "clip", "task", "subtask", "gold")
_REMEDY = "`avem-train study mini` writes a study again"
_SCORES = {str: (float, None)}
_OF_READING = {"group": _SCORES, "tasks": dict.fromkeys(metrics.TASKS, _SCORES)}
PARTS_ANSWERED = ("full", "blind", "shuffled")
"""Parts of an examination: the benchmark, its text alone, and with another clip's media; the first is always there."""
_PART_KEYS = ("full", *(f"{part}?" for part in PARTS_ANSWERED[1:]))
_RUN = {
    "seed": (int, None),
    "recipe?": str,
    "answering?": [str],
    "features?": str,
    "steps?": int,
    "seconds?": float,
    "log?": {str: {"first": float, "last": float}},
    "scores": {part: dict.fromkeys(READINGS, _OF_READING) for part in _PART_KEYS},
    "answers": {part: dict.fromkeys(READINGS, str) for part in _PART_KEYS},
}
_FAILED = {"seed": (int, None), "failed": str}
_ROW = {"name": str, "published": str, "axis": str, "value": (float, None), "runs": [str]}
_STUDY = {
    "about": {
        "base": {"name": str, "fingerprint": str},
        "split": str,
        "world": {"clips": int, "seed": int},
        "preferences": {"clips": int, "letters": float},
        "training": dict,
        "versions": {str: str},
    },
    "questions": {f"{name}?": [str] for name in (*_COLUMNS, "choices")},
    "runs": {str: (_RUN, _FAILED)},
    "sections": {str: [_ROW]},
}
"""See `emorealm_tasks.schemas`."""


def versions() -> dict[str, str]:
    """The installed packages that numbers depend on."""
    return {package: version(package) for package in _PACKAGES}


def questions(records: Sequence[metrics.Record]) -> dict[str, list[str]]:
    """The questions, as columns."""
    columns: dict[str, list[str]] = {name: [record[name] for record in records] for name in _COLUMNS}
    return columns | {"choices": [_short(record["choices"]) for record in records]}


def _short(choices: Sequence[str]) -> str:
    letters = "".join(split_choice(choice)[0] for choice in choices)
    says = yes_no_letters(choices)
    return f"{letters} yes {says['yes']}" if says else letters


def _long(choices: str) -> list[str]:
    letters, _, yes = choices.partition(" yes ")
    words = {letter: ("Yes" if letter == yes else "No") if yes else letter for letter in letters}
    return [f"({letter}) {word}" for letter, word in words.items()]


def answers(records: Sequence[metrics.Record]) -> dict[str, str]:
    """Both readings of the answers, a character a question."""
    return {
        "strict": "".join(record["strict"] or "-" for record in records),
        "official": "".join("01"[bool(record["official"])] for record in records),
    }


def records(questions: Mapping[str, Sequence[str]], answered: Mapping[str, str]) -> list[metrics.Record]:
    """The records that `questions` and `answers` were made of, as far as `emorealm_tasks.metrics` needs them.

    Stops where their lengths differ.
    """
    if {len(column) for column in questions.values()} != {len(answered["strict"])} or len(answered["official"]) != len(
        answered["strict"]
    ):
        stop(f"a run has {len(answered['strict'])} answers to {len(questions['id'])} questions; make the study again")
    rows = zip(*(questions[name] for name in _COLUMNS), questions["choices"], *answered.values(), strict=True)
    all_records: list[metrics.Record] = []
    for identity, clip, task, subtask, gold, choices, strict, official in rows:
        all_records.append(
            {
                "id": identity,
                "clip": clip,
                "task": task,
                "subtask": subtask,
                "gold": gold,
                "strict": strict.replace("-", ""),
                "official": official == "1",
                "official_lenient": official == "1",
                "choices": _long(choices),
                "error": "",
            }
        )
    return all_records


def scores(all_records: Sequence[metrics.Record]) -> dict[str, dict[str, Any]]:
    """Reading -> `group` (metrics.group_scores) and `tasks` (metrics.task_scores of each)."""
    by_task = {task: [record for record in all_records if record["task"] == task] for task in metrics.TASKS}
    return {
        reading: {
            "group": metrics.group_scores(all_records, reading),
            "tasks": {task: metrics.task_scores(of_task, reading) for task, of_task in by_task.items()},
        }
        for reading in READINGS
    }


def summary(log: Sequence[Mapping[str, float]]) -> dict[str, dict[str, float]]:
    """Each logged value's mean over the first and over the last tenth of the steps (at least one)."""
    steps = [line for line in log if "loss" in line]
    tenth = max(1, len(steps) // 10)
    names = sorted({name for line in steps for name in line if name.startswith(_LOGGED)})
    return {
        name: {
            end: round(fmean(values), 5)
            for end, part in (("first", steps[:tenth]), ("last", steps[-tenth:]))
            if (values := [line[name] for line in part if name in line])
        }
        for name in names
    }


def read(path: Path) -> dict[str, Any] | None:
    """A study, None where there is none; stops at a file that is none."""
    if not path.exists():
        return None
    study: dict[str, Any] = read_json(path, dict, f"not the JSON of a study; {_REMEDY}")
    check(path, study)
    return study


def check(path: Path, study: Any) -> None:
    """Stop where the content of a file is not that of a study."""
    schemas.require(path, study, _STUDY, f"is it a study? {_REMEDY}")
    lengths = {len(study["questions"].get(name, ())) for name in (*_COLUMNS, "choices")}
    for run in study["runs"].values():
        lengths |= {len(letters) for of_part in run.get("answers", {}).values() for letters in of_part.values()}
    if len(lengths) > 1:
        stop(f"{path}: its questions' columns and its runs' answers differ in number; {_REMEDY}")


def read_run(path: Path) -> dict[str, Any]:
    """A finished run's record, with the questions that it answers; stops where the file holds none."""
    remedy = "delete it, and the study makes that run again"
    run: dict[str, Any] = read_json(path, dict, remedy)
    schemas.require(path, run, _FAILED if "failed" in run else _RUN | {"questions?": dict}, remedy)
    return run


def answers_all(run: Mapping[str, Any] | None, parts: Sequence[str]) -> bool:
    """Whether a run in a record needs not be made again: it has all parts of the examination, or failed."""
    return run is not None and ("failed" in run or set(parts) <= run["scores"].keys())


def write(path: Path, study: Mapping[str, Any]) -> None:
    """Write a study, whole or not at all."""
    files.write_json(path, study, ensure_ascii=False)


def resumed(study: dict[str, Any] | None, about: dict[str, Any], file: Path) -> dict[str, Any]:
    """The record to go on with: what `file` holds already, or an empty one.

    Stops where the file is a study of something else: its runs took hours, and are not written over.
    """
    current_versions = versions()
    if study is None:
        return {"about": about | {"versions": current_versions}} | {part: {} for part in PARTS[1:]}
    changed = [name for name, value in about.items() if study["about"].get(name) != value]
    if changed:
        name = changed[0]
        stop(
            f"{file} is a study of another {name} ({study['about'].get(name)}, now {about[name]}); move it away, or "
            "give another out="
        )
    study_versions = study["about"]["versions"]
    merged = {
        package: _merged_versions(study_versions.get(package, ""), version)
        for package, version in current_versions.items()
    }
    return study | {"about": about | {"versions": merged}}


def _merged_versions(first: str, second: str) -> str:
    """The versions of a package that a study's runs were made with."""
    return ", ".join(dict.fromkeys([*(first.split(", ") if first else []), second]))


def add_sections(study: dict[str, Any], sections: Mapping[str, list[dict[str, Any]]]) -> None:
    """Put sections into a study, in place; rows that it has already keep their further seeds."""
    study["sections"] |= {name: with_seeds(study["sections"].get(name, []), rows) for name, rows in sections.items()}


def with_seeds(earlier: Sequence[Mapping[str, Any]], rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """A section's rows, each with the further seeds that an earlier call made of the very same training."""
    runs_of = {row["name"]: row["runs"] for row in earlier}
    return [row | {"runs": _with_more_seeds(runs_of.get(row["name"], []), row["runs"])} for row in rows]


def _with_more_seeds(earlier: list[str], current: list[str]) -> list[str]:
    return earlier if earlier[: len(current)] == current else current


def add_run(study: dict[str, Any], key: str, run: dict[str, Any]) -> None:
    """Put a run into a study, in place; the questions come with the first."""
    questions = run.pop("questions", None)
    study["questions"] = study["questions"] or questions or {}
    study["runs"][key] = run
