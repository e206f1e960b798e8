"""What a release holds, in numbers: Table 1, Figs. 7 to 9, licences and sources."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from avem_train.curation import pipeline
from avem_train.curation.balance import labels, summary
from avem_train.curation.data import row_files
from avem_train.curation.data.rows import Captioned, Clip, Row
from avem_train.curation.recipe import Recipe


def of_rows(rows: Sequence[Row]) -> dict[str, Any]:
    """Questions and clips in all, of each task (`balance.summary`), and of each licence and source."""
    clips = {row["clip"]: row for row in rows}
    origins = Counter((clip["source"], clip["licence"]) for clip in clips.values())
    return {
        "questions": len(rows),
        "clips": len(clips),
        "tasks": summary.tasks(rows),
        "subtasks": _subtasks(rows),
        "origins": [
            {"source": source, "licence": licence, "clips": count}
            for (source, licence), count in sorted(origins.items())
        ],
    }


def of_labels(rows: Sequence[Row], recipe: Recipe) -> dict[str, Any]:
    """Label -> clips and their share, in the manifest (`source`) and in the release (Fig. 7)."""
    source = Counter(row["emotion"] for row in row_files.read(pipeline.path(recipe, ""), Clip))
    found = summary.clip_labels(rows)
    return {
        "source": {"clips": dict(source.most_common()), "share": labels.shares(source)},
        "release": {"clips": dict(found.most_common()), "share": labels.shares(found)},
    }


def of_languages(rows: Sequence[Row], recipe: Recipe) -> dict[str, Any]:
    """Language -> clips (Fig. 8), as the captioner named it, or as py3langid tells it from the transcript.

    {} where the recipe has no captions.
    """
    path = pipeline.path(recipe, "captions")
    if not path.exists():
        return {}
    wanted = {row["clip"] for row in rows}
    counts: Counter[str] = Counter()
    told_by: Counter[str] = Counter()
    for row in row_files.read(path, Captioned):
        if row["id"] in wanted:
            language, by = _language(row)
            told_by[by] += 1
            counts.update([language] if language else [])
    return {"clips": dict(counts.most_common()), "told_by": dict(told_by)}


def _language(row: Row) -> tuple[str, str]:
    """A clip's language and who tells it: `captioner`, `detector`, or `nothing said`."""
    if not row["transcript"].strip():
        return "", "nothing said"
    if row["language"].strip():
        return row["language"].strip().lower(), "captioner"
    import py3langid  # type: ignore[import-untyped]

    return str(py3langid.classify(row["transcript"])[0]), "detector"


def _subtasks(rows: Sequence[Row]) -> Mapping[str, Mapping[str, int]]:
    """Task -> sub-task -> questions (Fig. 9)."""
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for row in rows:
        if row["subtask"]:
            found[row["task"]][row["subtask"]] += 1
    return {task: dict(sorted(counts.items())) for task, counts in sorted(found.items())}
