"""A verification study in Label Studio: its tasks and labelling configuration, and the answers in its JSON export.

The configuration's parts are called as the questions of the study, and a task carries the study's id, version and item,
so that its answers are tallied with the same key as those of our own pages.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote
from xml.etree import ElementTree

from emorealm_results.survey.study import OPTIONS, PRETEST, TEXT, Study
from emorealm_tasks.errors import stop
from emorealm_tasks.untrusted import brief, clean, read_json

TASKS, CONFIG = "label_studio_tasks.json", "label_studio_config.xml"
_REMEDY = "it should be Label Studio's export in the format JSON (not JSON-MIN)"


def tasks(study: Study, identity: str, clips: Path, media: str) -> list[dict[str, Any]]:
    """The tasks to import; a clip's address is ``media`` and its path below the folder ``clips``.

    The pre-test, with which every page starts, is there once.
    """
    return [
        {
            "data": {
                "study": identity,
                "version": version,
                "item": str(number),
                "clip": media + quote(item.clip.picture.relative_to(clips.resolve()).as_posix()),
                "subtitle": f"Subtitle: {item.subtitle}" if item.subtitle else "",
                "question": item.question,
                "options": [{"value": f"({letter}) {text}"} for letter, text in item.options.items()],
            }
        }
        for version, items in study.versions.items()
        for number, item in enumerate(items, start=1)
        if item.role != PRETEST or version == "1"
    ]


def configuration(study: Study) -> str:
    """The labelling interface as XML."""
    view = ElementTree.Element("View")
    ElementTree.SubElement(view, "Header", value=study.title)
    ElementTree.SubElement(view, "Video", name="clip", value="$clip")
    ElementTree.SubElement(view, "Text", name="subtitle", value="$subtitle")
    for name, question in study.questions.items():
        options, free = question["choices"] == OPTIONS, question["choices"] == TEXT
        ElementTree.SubElement(view, "Header", value="$question" if options else question["wording"])
        if free:
            ElementTree.SubElement(view, "TextArea", name=name, toName="clip", rows="1", maxSubmissions="1")
            continue
        field = {"name": name, "toName": "clip", "choice": "single-radio", "required": "true"}
        part = ElementTree.SubElement(view, "Choices", field | ({"value": "$options"} if options else {}))
        for value, label in {} if options else question["choices"].items():
            ElementTree.SubElement(part, "Choice", value=label, alias=value)
    ElementTree.indent(view)
    return ElementTree.tostring(view, encoding="unicode") + "\n"


def read(path: Path, key: Mapping[str, Any]) -> list[tuple[str, dict[str, str]]]:
    """Where each answer stands, and the answer as a page would have saved it; skipped tasks have none."""
    rows = []
    for position, task in enumerate(read_json(path, list, _REMEDY), start=1):
        where = f"{path}, task {position}"
        if not isinstance(task, dict) or not isinstance(task.get("data"), dict) or "annotations" not in task:
            stop(f"{where}: it has no data or no annotations; {_REMEDY}")
        of = {name: clean(str(task["data"].get(name, ""))) for name in ("study", "version", "item")}
        for annotation in task["annotations"] if isinstance(task["annotations"], list) else []:
            if not isinstance(annotation, dict) or not isinstance(annotation.get("result"), list):
                stop(f"{where}: an annotation without result; {_REMEDY}")
            if annotation.get("was_cancelled"):
                continue
            who = {"participant": _participant(annotation.get("completed_by"))}
            for part in annotation["result"]:
                question, value = _part(part, where)
                rows.append((where, of | who | {"question": question, "choice": _choice(key, of, question, value)}))
    return rows


def _participant(completed_by: object) -> str:
    """An annotator is a number, or an object with an address, as the export was asked for."""
    if isinstance(completed_by, dict):
        completed_by = completed_by.get("email") or completed_by.get("id")
    return "" if completed_by is None else clean(str(completed_by))


def _part(part: object, where: str) -> tuple[str, str]:
    """The name of the question and what was chosen or written."""
    value = part.get("value") if isinstance(part, dict) else None
    answer = (value.get("choices") or value.get("text")) if isinstance(value, dict) else None
    answer = answer[0] if isinstance(answer, list) and answer else answer
    if not isinstance(part, dict) or not isinstance(answer, str):
        stop(f"{where}: a result without choices or text; {_REMEDY}")
    return clean(str(part.get("from_name", ""))), clean(answer)


def _choice(key: Mapping[str, Any], of: Mapping[str, str], question: str, value: str) -> str:
    """The choice's letter or value; a text that is none stays as it is, for the check against the key to tell."""
    choices = key["questions"].get(question, {}).get("choices")
    if choices == OPTIONS:
        options = key["versions"].get(of["version"], {}).get(of["item"], {}).get("options", {})
        return next((letter for letter, text in options.items() if value == f"({letter}) {text}"), brief(value))
    if isinstance(choices, dict):
        return next((name for name, label in choices.items() if value == label), value)
    return value
