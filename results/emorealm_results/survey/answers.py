"""What participants answered: read, checked against the key, and who of them counts."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from emorealm_results.survey import label_studio
from emorealm_results.survey.study import CHECK, OPTIONS, PRETEST, QUESTION, ROLES, TEXT
from emorealm_tasks.benchmarks import recognition_rows
from emorealm_tasks.errors import stop
from emorealm_tasks.schemas import require
from emorealm_tasks.untrusted import brief, read_json

COLUMNS = ("study", "participant", "version", "item", "question", "choice")
_KEY = {
    "study": str,
    "kind": str,
    "questions": {str: {"wording": str, "choices": ({str: str}, str)}},
    "versions": {str: {str: {"id": str, "role": str, "answer": str, "options": {str: str}}}},
}
_OF_KIND: dict[str, Any] = {
    "preference": {"models": [str], "versions": {str: {str: {"shown": {str: str}}}}},
    "verification": {"versions": {str: {str: {"task": str}}}},
}


def load_key(path: Path) -> dict[str, Any]:
    """The key that ``survey export`` wrote; stops at any other file."""
    what = "it must be the key.json of `emorealm survey export`"
    key: dict[str, Any] = read_json(path, dict, what)
    if "versions" in key and "study" not in key:
        stop(f"{path}: it has no study id, so an earlier version wrote it; export the study again into a new folder")
    require(path, key, _KEY, what)
    if key["kind"] not in _OF_KIND:
        stop(f"{path}: unknown kind of study {brief(key['kind'])!r}; known: {', '.join(_OF_KIND)}")
    require(path, key, _OF_KIND[key["kind"]], what)
    for version, items in key["versions"].items():
        for number, item in items.items():
            if item["role"] not in ROLES or set(item.get("shown", item["options"])) != set(item["options"]):
                stop(f"{path}: item {brief(number)} of version {brief(version)} has another role or letters; {what}")
    return key


def read(paths: Sequence[Path], key: Mapping[str, Any], key_path: Path) -> list[dict[str, str]]:
    """All answers, of pages (CSV) and of Label Studio (JSON); stops at the first that the key does not know.

    Of a participant's several answers to one question the last counts. Each has COLUMNS.
    """
    answers: dict[tuple[str, ...], dict[str, str]] = {}
    for path in paths:
        if path.suffix.lower() == ".json":
            rows = label_studio.read(path, key)
        else:
            saved = recognition_rows.read_csv(path, COLUMNS, "it should be what the page's button saved")
            rows = [(f"{path}, line {number}", row) for number, row in enumerate(saved, start=2)]
        for where, row in rows:
            if row["study"] != key["study"]:
                stop(
                    f"{where}: an answer of study {brief(row['study'])!r}, but {key_path} is the key of study "
                    f"{key['study']!r}; name the key.json of that export"
                )
            _check(row, key, where)
            answers[tuple(row[name] for name in COLUMNS[:5])] = row
    if not answers:
        stop(f"{', '.join(map(str, paths))}: no answers")
    return list(answers.values())


def excluded(
    key: Mapping[str, Any], answers: Sequence[Mapping[str, str]], max_failed: int, pretest_right: int
) -> dict[str, str]:
    """Participant -> why they do not count, in words.

    An attention check is failed by a wrong choice in any question that its options answer; more than ``max_failed``
    failed ones exclude. So do fewer than ``pretest_right`` right answers in the pre-test.
    """
    graded: dict[str, dict[str, dict[str, bool]]] = {}
    for answer in answers:
        item = key["versions"][answer["version"]][answer["item"]]
        of_participant = graded.setdefault(answer["participant"], {CHECK: {}, PRETEST: {}})
        if item["role"] != QUESTION and key["questions"][answer["question"]]["choices"] == OPTIONS:
            items = of_participant[item["role"]]
            place = item["id"] if item["role"] == PRETEST else f"{answer['version']}/{answer['item']}"
            items[place] = items.get(place, True) and answer["choice"] == item["answer"]
    reasons = {}
    for participant, of in sorted(graded.items()):
        failed, right = sum(not well for well in of[CHECK].values()), sum(of[PRETEST].values())
        if failed > max_failed:
            reasons[participant] = f"failed attention checks: {failed}"
        elif right < pretest_right:
            reasons[participant] = f"right answers in the pre-test: {right}, needed: {pretest_right}"
    return reasons


def exclusions(left_out: Mapping[str, str]) -> list[str]:
    """A line that names who was left out and why; none where nobody was."""
    names = ", ".join(f"{name} ({why})" for name, why in left_out.items())
    return [f"Left out: {names}."] if left_out else []


def _check(row: Mapping[str, str], key: Mapping[str, Any], where: str) -> None:
    items = key["versions"].get(row["version"])
    if items is None or row["item"] not in items:
        stop(f"{where}: version {row['version']!r}, item {row['item']!r} is not in the key; is the file damaged?")
    if row["question"] not in key["questions"]:
        stop(f"{where}: unknown question {row['question']!r}; known: {', '.join(key['questions'])}")
    choices = key["questions"][row["question"]]["choices"]
    if choices != TEXT and row["choice"] not in (items[row["item"]]["options"] if choices == OPTIONS else choices):
        stop(f"{where}: choice {row['choice']!r} was not shown")
    if not row["participant"]:
        stop(f"{where}: no participant")
