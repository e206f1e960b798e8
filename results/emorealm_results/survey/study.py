"""What every kind of study shares: items, pages, the key to the answers, and the id that ties them together."""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tqdm import tqdm

from emorealm_results.console import output
from emorealm_results.pages import build
from emorealm_results.survey.clips import Clip
from emorealm_tasks import files
from emorealm_tasks.errors import stop
from emorealm_tasks.untrusted import Unreadable, brief, clean, parse_json, read_bytes

KEY = "key.json"
OPTIONS, TEXT = "options", "text"
"""Choices of a question that are no fixed list: the letters of the item's options; free text, which may be left out."""
ROLES = QUESTION, CHECK, PRETEST = "question", "check", "pretest"
"""Roles of an item: it counts; it shows whether a participant looks; it shows whether a participant is able."""


@dataclass(frozen=True)
class Item:
    """One clip with options, as one page shows it."""

    id: str
    """The experimenter's name, which no page shows."""
    clip: Clip
    """The clip's files."""
    options: Mapping[str, str]
    """Letter -> text."""
    subtitle: str = ""
    """What is said in the clip, shown beside it; "" = nothing."""
    question: str = ""
    """Wording of the question that the options answer; "" = the study's."""
    role: str = QUESTION
    """One of ROLES."""
    answer: str = ""
    """The right letter; "" = there is none."""
    hidden: Mapping[str, Any] = field(default_factory=dict)
    """What only the key holds."""


@dataclass(frozen=True)
class Study:
    """What is exported."""

    kind: str
    """preference or verification."""
    seed: int
    """Of the order of items and options."""
    title: str
    """The pages' heading."""
    intro: str
    """What participants read before they begin, plain text."""
    finish: str
    """What they read at the end, plain text."""
    questions: Mapping[str, Mapping[str, Any]]
    """Name -> `wording` and `choices` (value -> label, or OPTIONS or TEXT)."""
    versions: Mapping[str, Sequence[Item]]
    """Number of a page -> its items in their order."""
    hidden: Mapping[str, Any] = field(default_factory=dict)
    """What only the key holds."""


def key_of(study: Study) -> dict[str, Any]:
    """The key: ``study`` (the id), ``kind``, ``seed``, ``questions``, ``versions``, and what the study's kind adds.

    ``versions[page][item]`` holds ``id``, ``role``, ``answer``, ``options``, and what the kind adds. The id is a hash
    of all that and of what the pages show, the content of clips included: the same export has the same id.
    """
    versions = {
        version: {
            str(number): {"id": item.id, "role": item.role, "answer": item.answer, "options": dict(item.options)}
            | dict(item.hidden)
            for number, item in enumerate(items, start=1)
        }
        for version, items in study.versions.items()
    }
    key = {"kind": study.kind, "seed": study.seed, "questions": study.questions, **study.hidden, "versions": versions}
    page_content = [
        [study.title, study.intro, study.finish],
        *([item.subtitle, item.question, item.clip.digest()] for items in study.versions.values() for item in items),
    ]
    text = json.dumps([key, page_content], sort_keys=True)
    return {"study": hashlib.sha256(text.encode()).hexdigest()[:12]} | key


def page(study: Study, identity: str, version: str) -> str:
    """One version as HTML: nothing in it names a model, a file or a right answer."""
    items = study.versions[version]
    clips = list(dict.fromkeys(item.clip for item in items))
    data = {
        "study": identity,
        "version": version,
        "title": study.title,
        "page": _page(study, version),
        "intro": study.intro,
        "finish": study.finish,
        "questions": [{"name": name} | dict(question) for name, question in study.questions.items()],
        "items": [
            {
                "item": number,
                "clip": clips.index(item.clip),
                "subtitle": item.subtitle,
                "question": item.question,
                "options": dict(item.options),
            }
            for number, item in enumerate(items, start=1)
        ],
        "clips": [clip.embedded() for clip in clips],
    }
    return build.build("survey", data, ["player", "answers", "survey"], media="data: blob:")


def _page(study: Study, version: str) -> str:
    """Which of a verification's pages this is; "" where there is one, or where pages only differ in their order."""
    pages = list(study.versions)
    several = study.kind == "verification" and len(pages) > 1
    return f"page {pages.index(version) + 1} of {len(pages)}" if several else ""


def write(study: Study, out: Path, further: Mapping[str, str] | None = None) -> str:
    """Write the key, which stays with the experimenter, ``survey_N.html`` for each version, and further files.

    Returns the study's id. The same export again leaves the folder as it is; stops where it holds another study's key,
    without which that study's answers are lost.
    """
    files.claim(out, "emorealm survey export", "--out", _left_by_earlier)
    key = key_of(study)
    identity: str = key["study"]
    text = clean(json.dumps(key, indent=2, ensure_ascii=False) + "\n")
    if (out / KEY).exists() and (existing_key := read_bytes(out / KEY)) != text.encode():
        stop(
            f"{out}: holds the key of study {_study_id(existing_key)}, and this is study {identity}; name another "
            "--out, since answers are lost without their key"
        )
    output.write(out / KEY, text)
    for name, content in (further or {}).items():
        output.write(out / name, content)
    for version in tqdm(study.versions, desc="pages", unit="page", disable=None):
        output.write(out / f"survey_{version}.html", page(study, identity, version))
    return identity


def _study_id(key: bytes) -> str:
    """The id in another key, as far as it has one."""
    try:
        content = parse_json(key)
    except Unreadable:
        return "unknown"
    return brief(content.get("study", "unknown")) if isinstance(content, dict) else "unknown"


def _left_by_earlier(out: Path) -> bool:
    """Whether an earlier version, which left no mark, exported here: its key and pages, and nothing else."""
    return all(re.fullmatch(r"key\.json|survey_\d+\.html", path.name) for path in files.entries(out))
