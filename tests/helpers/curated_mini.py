"""A recipe over embedded clips whose stages `captions` and `filter` are done: rows made from the embedded questions."""

import json
from pathlib import Path

from avem_train.curation import pipeline, recipe
from avem_train.curation.data import row_files
from avem_train.curation.data.rows import Captioned, Clip, Filtered
from emorealm_tasks.answers.choices import split_choice

SAID = {"en": "I never thought that you would come back to this house", "de": "Das habe ich wirklich nicht gewusst"}


def made(world: Path, out: Path, **more):
    """The recipe. world: a built split."""
    stages = {"captions": {"picture": "server", "frames": 2}, "filter": {}}
    client = {"kind": "openai", "model": "m", "base_url": "http://localhost:9", "price_in": 1.0, "retries": 0}
    content = {"manifest": {"reader": "mini", "path": str(world)}, "out": out, "clients": {"server": client}}
    chosen = recipe.from_content(content | {"stages": stages} | more)
    pipeline.write_manifest(chosen)
    clips = {row["video"]: row for row in row_files.read(pipeline.path(chosen, ""), Clip)}
    with row_files.writer(pipeline.path(chosen, "captions"), Captioned) as put:
        for number, clip in enumerate(clips.values()):
            told = {"transcript": list(SAID.values())[number % 2], "language": "" if number % 2 else "en"}
            put(clip | {"caption_video": "seen", "caption_audio": "heard", "cues": []} | told)
    with row_files.writer(pipeline.path(chosen, "filter"), Filtered) as put:
        for item in json.loads((world / "emorealm_v1.json").read_text()):
            put(question(item, clips[f"videos/{item['video']}"]))
    return chosen


def question(item, clip):
    """An item of the published layout as a row of the stage `filter`."""
    letters, choices = zip(*map(split_choice, item["choices"]), strict=True)
    answer = letters.index(item["answer"])
    roles = [choice.lower() if choice in ("Yes", "No") else "irrelevant" for choice in choices]
    if roles[answer] == "irrelevant":
        roles[answer] = "right"
    prompt = "questions_basic/1/abc"
    asked = {"stage": "questions", "client": "server", "model": "m", "prompt": prompt, "key": item["id"]}
    more = {"modality": "video", "question": item["question"], "choices": list(choices), "roles": roles}
    row = clip | {"id": item["id"], "clip": clip["id"], "task": item["task"], "subtask": item["subtask"], **more}
    return Filtered.model_validate(row | {"answer": answer, "guessed_by": [], "provenance": [asked]}).model_dump()
