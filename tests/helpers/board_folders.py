"""A small leaderboard's worth of runs: two whole ones, a limited one, hostile replies, and clips at hand."""

import json

import pytest

import run_folders
from emorealm_results import cli
from emorealm_tasks.metrics import TASKS

HOSTILE = "</script><script>window.pwned = true</script><img src=x onerror='window.pwned = true'>"


def rows(task, wrong, count=12):
    """`count` questions, the last reply hostile; those in `wrong` are answered wrongly."""
    made = [run_folders.record(task, number, question=f"{task}: question {number}?") for number in range(count)]
    for number in wrong:
        made[number]["raw"] = "AB"[number % 2 == 0]
    made[-1]["raw"] = HOSTILE
    return made


def write(folder, make_clip, prefix="emorealm"):
    """Runs below folder as (name, path), and the settings' variables that lead to questions and clips."""
    runs = {}
    for name, wrong, limit in (("good", (0,), None), ("weak", (0, 1, 2, 3, 6), None), ("partial", (1,), 8)):
        tasks = {f"{prefix}_{task}": rows(task, wrong) for task in TASKS}
        runs[name] = run_folders.write(folder / name, tasks, limit=limit, pretrained=f"models/{name}")
    blind = {f"{prefix}_blind_{task}": rows(task, range(6)) for task in TASKS}
    run_folders.write(folder / "good", blind, date="20261121_130000", pretrained="models/good")
    videos = folder / "videos"
    make_clip(videos / "part_1/0.mp4", seconds=1)
    make_clip(videos / "part_1/1.mp4", seconds=1, sound=False)
    items = [
        {"id": row["id"], "task": row["task"], "video": row["clip"], "question": row["question"],
         "choices": row["choices"], "answer": row["gold"]}
        for task in TASKS for row in rows(task, ())
    ]  # fmt: skip
    (folder / "emorealm_v1.json").write_text(json.dumps(items))
    return runs, {"EMOREALM_JSON": str(folder / "emorealm_v1.json"), "EMOREALM_VIDEOS": str(videos)}


def build(folder, make_clip, *options, out=""):
    """The folder of those runs' leaderboard, as the command writes it."""
    runs, variables = write(folder, make_clip)
    named = [f"{name}={path}" for name, path in runs.items()]
    with pytest.MonkeyPatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(name, value)
        assert cli.main(["leaderboard", *named, "--out", str(folder / out), *options]) == 0
    return folder / out
