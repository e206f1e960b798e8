"""Runs without our records, in the shapes that other evaluations leave, and the file their questions come from."""

import json

import pytest

import run_folders
from emorealm_tasks.metrics import TASKS


@pytest.fixture
def questions(tmp_path):
    """The benchmark's file that the fixtures' questions come from, emotion and clip included."""
    rows = [row for task in TASKS for row in run_folders.records(task)]
    items = [
        {"id": row["id"], "task": row["task"], "video": row["clip"], "question": f"{row['id']}?",
         "choices": row["choices"], "answer": row["gold"], "subtask": row["subtask"]}
        for row in rows
    ]  # fmt: skip
    path = tmp_path / "emorealm_v1.json"
    path.write_text(json.dumps(items))
    return path


def strip(folder, shape):
    """Rewrite every sample line of a run as `shape` makes it of its record."""
    for path in folder.rglob("*_samples_*.jsonl"):
        lines = [json.loads(line)["emorealm_score"]["record"] for line in path.read_text().splitlines()]
        path.write_text("".join(json.dumps(shape(record)) + "\n" for record in lines))


SHAPES = {
    "ours": lambda r: {"emorealm_score": {"record": r}},
    "an older record": lambda r: {"emorealm_score": {"record": {k: r[k] for k in ("id", "raw", "error")}}},
    "lmms-eval's own doc": lambda r: {"doc": {"id": r["id"]}, "filtered_resps": [r["error"] or r["raw"]]},
    "a line of another evaluation": lambda r: {"question_id": r["id"], "prediction": r["error"] or r["raw"]},
    "nested responses": lambda r: {"doc": {"id": r["id"]}, "resps": [[r["error"] or r["raw"]]]},
}
