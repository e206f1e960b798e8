"""Human verification of what a recipe of `emorealm curate` made: out to pages, back as rows (B.2, Tables 6 and 7)."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from avem_train.curation import pipeline
from avem_train.curation.data import row_files
from avem_train.curation.data.rows import Filtered, PreferenceRow, Reject, Row, Verified
from avem_train.curation.export import ours
from avem_train.curation.export.media import finder
from avem_train.curation.recipe import Recipe
from avem_train.curation.release import layout, sources
from emorealm_results.survey import verification
from emorealm_tasks import files
from emorealm_tasks.errors import stop
from emorealm_tasks.untrusted import Unreadable, brief

QUESTIONS, SUBTITLES = "questions", "subtitles.json"
_PEOPLE = "verified by people"


def prepare(recipe: Recipe, out: Path) -> list[list[str]]:
    """Write what `emorealm survey export` takes into `out`; returns its arguments, for each of the two studies.

    Questions are the rows of the stage `filter`, preferences those of `preferences`, each as far as they are there;
    both with subtitles. Stops where neither is, or a clip lies outside the recipe's root.
    """
    root = recipe.root.absolute()
    exports = []
    if (path := pipeline.path(recipe, sources.FILTER)).exists():
        items, _ = layout.items(list(row_files.read(path, Filtered)), root, subtitle=True)
        files.write_json(out / f"{QUESTIONS}.json", items, ensure_ascii=False)
        exports.append(["--questions", str(out / f"{QUESTIONS}.json"), "--out", str(out / QUESTIONS)])
    if (path := pipeline.path(recipe, sources.PREFERENCES)).exists():
        rows = list(row_files.read(path, PreferenceRow))
        files.write(out / f"{sources.PREFERENCES}.jsonl", "".join(_records(rows, root)))
        exports.append(
            ["--preferences", str(out / f"{sources.PREFERENCES}.jsonl"), "--out", str(out / sources.PREFERENCES)]
        )
        if spoken := {row["id"]: row["subtitle"] for row in rows if row["subtitle"]}:
            files.write_json(out / SUBTITLES, spoken, ensure_ascii=False)
            exports[-1] += ["--subtitles", str(out / SUBTITLES)]
    if not exports:
        stop(f"{recipe.out}: has neither questions nor preferences; run the stages filter or preferences first")
    return [["export", *one, "--clips", str(root)] for one in exports]


def _records(rows: Sequence[Row], root: Path) -> Iterator[str]:
    find = finder(root)
    try:
        for row in rows:
            yield json.dumps(ours.record(row, find(row), root), ensure_ascii=False) + "\n"
    except Unreadable as error:
        stop(f"{error}: name the folder that all media lie below with manifest.root=")


def apply(recipe: Recipe, key: Mapping[str, Any], report: Mapping[str, Any]) -> Path:
    """Write the rows that people verified, the others as rejects with the reason, and the tally; returns their path.

    key, report: the study's key and its tally (`annotator_agreement.tally`). Questions become `verified.jsonl`: those
    that more than half answered as keyed and in which no more than half saw a fault. Preferences become
    `preferences_verified.jsonl`: all but those with a response that was found to be otherwise than it claims; those
    that nobody was asked about stay.
    Stops where the study is of other rows than the recipe has.
    """
    asked = {
        item["id"]: item for page in key["versions"].values() for item in page.values() if item["role"] == "question"
    }
    if {item["task"] for item in asked.values()} <= set(verification.RESPONSES):
        return _preferences(recipe, set(asked), report)
    return _questions(recipe, asked, report)


def _questions(recipe: Recipe, asked: Mapping[str, Any], report: Mapping[str, Any]) -> Path:
    source = pipeline.path(recipe, sources.FILTER)
    rows = {row["id"]: row for row in row_files.read(source, Filtered)} if source.exists() else {}
    for name, item in asked.items():
        row = rows.get(name)
        options = dict(zip(layout.LETTERS, row["choices"], strict=False)) if row else {}
        if not row or options != item["options"] or layout.LETTERS[row["answer"]] != item["answer"]:
            stop(f"{source}: {brief(name)!r} of the study is not there, or has other options; make the rows as they "
                 "were at the export, or export again")  # fmt: skip
    verdicts = {one["id"]: one for one in report["questions"]}
    good, rejects = [], []
    for name, row in rows.items():
        one = verdicts.get(name)
        if one and one["verdict"] == "keep":
            found = {count: one[count] for count in ("annotators", "right", "flagged")}
            good.append(row | found | {"checks": [*row["checks"], _PEOPLE]})
        else:
            rejects.append(_reject(sources.VERIFIED, row, *_why(one, name in asked, report["annotators"])))
    return _write(recipe, sources.VERIFIED, Verified, (good, rejects), source, report)


def _why(one: Mapping[str, Any] | None, was_asked: bool, enough: int) -> tuple[str, str]:
    """Kind and reason of what is not verified."""
    if one is None:
        return ("too few annotators", f"fewer than {enough}") if was_asked else ("not asked about", "in no page")
    told = f"{one['right']} of {one['annotators']} chose what is keyed, {one['flagged']} saw a fault"
    if one["problems"]:
        told += f" ({', '.join(f'{problem} {count}' for problem, count in sorted(one['problems'].items()))})"
    told += "".join(f"; {brief(comment)}" for comment in one["comments"])
    return ("discrepancy" if one["verdict"] == "mend" else "no majority"), told


def _preferences(recipe: Recipe, asked: set[str], report: Mapping[str, Any]) -> Path:
    source = pipeline.path(recipe, sources.PREFERENCES)
    rows = {row["id"]: row for row in row_files.read(source, PreferenceRow)} if source.exists() else {}
    if unknown := sorted(name for name in asked if name.rpartition("/")[0] not in rows):
        stop(f"{source}: {brief(unknown[0])!r} of the study is not there; make the rows as they were, or export again")
    faults: dict[str, list[tuple[str, str]]] = {}
    for one in report["questions"]:
        name, _, response = one["id"].rpartition("/")
        if one["verdict"] != "keep":
            kind, reason = _why(one, True, report["annotators"])
            faults.setdefault(name, []).append((kind, f"{response}: {reason}"))
    seen = {name.rpartition("/")[0] for name in asked}
    good = [
        row | {"checks": [*row["checks"], *([_PEOPLE] if name in seen else [])]}
        for name, row in rows.items()
        if name not in faults
    ]
    rejects = [
        _reject(sources.VERIFIED_PREFERENCES, rows[name], some[0][0], "; ".join(reason for _, reason in some))
        for name, some in faults.items()
    ]
    return _write(recipe, sources.VERIFIED_PREFERENCES, PreferenceRow, (good, rejects), source, report)


def _reject(stage: str, row: Row, kind: str, reason: str) -> Row:
    return {"stage": stage, "id": row["id"], "kind": kind, "reason": reason,
            "row": json.dumps(row, ensure_ascii=False)}  # fmt: skip


def _write(
    recipe: Recipe,
    stage: str,
    model: type[Any],
    parts: tuple[Sequence[Row], Sequence[Row]],
    source: Path,
    report: Mapping[str, Any],
) -> Path:
    """Write verified rows and rejects (`parts`), and the tally with what the rows were verified from."""
    path = pipeline.path(recipe, stage)
    rejects = pipeline.rejects_path(recipe, stage)
    files.write_json(
        sources.report_path(recipe, stage), {**report, sources.INPUT: files.sha256(source)}, ensure_ascii=False
    )
    written: list[tuple[Path, type[Any], Sequence[Row]]] = [(rejects, Reject, parts[1]), (path, model, parts[0])]
    for file, form, rows in written:
        with row_files.writer(file, form) as put:
            for row in rows:
                put(row)
    return path
