"""The pages of a user study of captions, and the key to their answers."""

import base64
import json
import mimetypes
import random
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from string import ascii_uppercase
from typing import Any

from emorealm_results.console import output
from emorealm_results.pages import build
from emorealm_tasks import files
from emorealm_tasks.errors import stop
from emorealm_tasks.untrusted import Unreadable, below, brief, clean, read_bytes, read_json

QUESTIONS = {
    "best_emotion": "Which caption describes the emotional state of the person best?",
    "best_association": "Which caption connects the emotion best with what can be seen and heard?",
    "most_inconsistent": "Which caption fits the clip worst (most that is wrong or not there)?",
}
"""The three questions of Section E.4, by the metric of the published tables."""
CHECK_CAPTION = "This is a check of attention: please choose this caption in all three questions."
KEY = "key.json"
_FORM = 'a list of {"id": ..., "clip": "path of an mp4", "captions": {"model": "text", ...}}'


def read_items(path: Path, clips: Path | None = None) -> list[dict[str, Any]]:
    """Clips and their captions: ``id``, ``clip`` (absolute path), ``captions`` by model; stops at what is malformed.

    Clips are video or sound below the folder `clips`, by default the file's own, where relative ones are looked for: a
    page shows everybody what is in them. All items have the same models, at least two.
    """
    items = read_json(path, list, f"it needs {_FORM}")
    if not items:
        stop(f"{path}: needs {_FORM}")
    folder = path.parent if clips is None else clips
    rows = []
    for position, item in enumerate(items):
        if not isinstance(item, dict) or not isinstance(item.get("captions"), dict) or {"id", "clip"} - set(item):
            stop(f"{path}: item {position} is no {_FORM[len('a list of ') :]}")
        captions, identity = item["captions"], brief(item["id"])
        if not all(isinstance(text, str) for text in captions.values()):
            stop(f"{path}: item {identity!r}: its captions are model -> text")
        try:
            clip = below(folder, item["clip"])
        except Unreadable as error:
            stop(f"{path}: item {identity!r}: {error}; name its folder with --clips")
        if not clip.is_file():
            stop(f"{path}: item {identity!r}: {clip} does not exist")
        if not (mimetypes.guess_type(clip.name)[0] or "").startswith(("video/", "audio/")):
            stop(f"{path}: item {identity!r}: {clip.name} is no video or sound by its name")
        rows.append({"id": clean(str(item["id"])), "clip": clip, "captions": captions})
    models = sorted(rows[0]["captions"])
    if not 2 <= len(models) <= len(ascii_uppercase):
        stop(f"{path}: item {rows[0]['id']!r} has captions of {len(models)} model(s); 2 to 26 can be compared")
    if odd := [row["id"] for row in rows if sorted(row["captions"]) != models]:
        stop(f"{path}: items {', '.join(odd[:5])} lack captions of some of {', '.join(models)}")
    if len({row["id"] for row in rows}) < len(rows):
        stop(f"{path}: two items have the same id")
    return rows


def shuffle(items: Sequence[Mapping[str, Any]], version: int, checks: int, seed: int) -> list[dict[str, Any]]:
    """One page's items in their order, with ``item`` (a number, all a participant sees) and ``shown``: letter -> model.

    ``checks`` items, spread over the page, show a caption that says what to choose; its model is "" and its letter
    the item's ``attention``. The same seed and version give the same page.
    """
    draw = random.Random(f"{seed}/{version}")
    order = [dict(item) for item in draw.sample(list(items), len(items))]
    models = sorted(items[0]["captions"])
    rows = []
    for item in order:
        names = draw.sample(models, len(models))
        rows.append(item | {"shown": dict(zip(ascii_uppercase, names, strict=False)), "attention": ""})
    for source in draw.sample(rows, min(checks, len(rows))) if rows else []:
        letter = draw.choice(list(source["shown"]))
        check = source | {"shown": source["shown"] | {letter: ""}, "attention": letter}
        rows.insert(draw.randint(1, len(rows)), check)
    return [row | {"item": number} for number, row in enumerate(rows, start=1)]


def page(rows: Sequence[Mapping[str, Any]], title: str, version: int) -> str:
    """One version as HTML: nothing in it names a model or a file."""
    media: dict[Path, str] = {}
    items = []
    for row in rows:
        if row["clip"] not in media:
            media[row["clip"]] = _data_uri(row["clip"])
        said = {letter: row["captions"][model] if model else CHECK_CAPTION for letter, model in row["shown"].items()}
        items.append({"item": row["item"], "clip": list(media).index(row["clip"]), "captions": said})
    data = {"title": title, "version": version, "questions": QUESTIONS, "items": items, "clips": list(media.values())}
    return build.build("survey", data, ["survey"])


def export(items: Sequence[Mapping[str, Any]], out: Path, versions: int, checks: int, seed: int, title: str) -> None:
    """Write ``survey_N.html`` for each version, and ``key.json``, which stays with the experimenter."""
    key: dict[str, Any] = {"seed": seed, "questions": QUESTIONS, "models": sorted(items[0]["captions"]), "versions": {}}
    files.claim(out, "emorealm survey export", "--out", _left_by_earlier)
    orders = {version: shuffle(items, version, checks, seed) for version in range(1, versions + 1)}
    for version, rows in orders.items():
        fields = ("id", "shown", "attention")
        key["versions"][str(version)] = {str(row["item"]): {name: row[name] for name in fields} for row in rows}
    text = clean(json.dumps(key, indent=2, ensure_ascii=False) + "\n")
    if (out / KEY).exists() and read_bytes(out / KEY) != text.encode():
        stop(f"{out}: holds the key of another export, without which its answers are lost; name another --out")
    output.write(out / KEY, text)
    for version, rows in orders.items():
        output.write(out / f"survey_{version}.html", page(rows, title, version))


def _left_by_earlier(out: Path) -> bool:
    """Whether an earlier version, which left no mark, exported here: its key and pages, and nothing else."""
    return all(re.fullmatch(r"key\.json|survey_\d+\.html", path.name) for path in files.entries(out))


def _data_uri(path: Path) -> str:
    kind = mimetypes.guess_type(path.name)[0] or "video/mp4"
    return f"data:{kind};base64,{base64.b64encode(path.read_bytes()).decode('ascii')}"
