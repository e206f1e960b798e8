"""Stages that read texts, against a small real language model on a real server: what comes back has its form."""

import dataclasses
import json

import pytest

from avem_train.curation import pipeline, recipe
from avem_train.curation.data import row_files
from avem_train.curation.data.rows import Captioned, Clip, Filtered, Guessed, Question, Reject
from avem_train.curation.stages.emotions import INSUFFICIENT
from curation import described
from emorealm_results import cli
from emorealm_tasks import files
from emorealm_tasks.emotions import EMOTIONS

SEEN = {
    "happiness": "The person laughs with joy and is very happy.",
    "sadness": "The person weeps and looks very sad.",
    "anger": "The person shouts with rage, fists clenched, and is very angry.",
}
MODEL = {"kind": "openai", "model": "smollm2", "concurrency": 2, "max_tokens": 60, "price_in": 1.0, "price_out": 1.0}
STAGES = {"emotions": {"client": "small"}, "filter": {"clients": ["small"], "balance": False, "match_labels": False}}


@pytest.fixture
def chosen(small_model, tmp_path):
    """A recipe whose earlier stages are done: described clips, and a question about each."""
    (tmp_path / "clips.csv").write_text("id,video,emotion\n" + "".join(f"{name},{name}.mp4,{name}\n" for name in SEEN))
    content = {
        "manifest": {"reader": "csv", "path": str(tmp_path / "clips.csv")},
        "out": str(tmp_path / "out"),
        "clients": {"small": MODEL | {"base_url": small_model}},
        "stages": STAGES,
    }
    (tmp_path / "recipe.yaml").write_text(json.dumps(content))
    made = recipe.load(str(tmp_path / "recipe.yaml"), [])
    files.claim(made.out, pipeline.MAKER, "out=")
    with row_files.writer(pipeline.path(made, "captions"), Captioned) as put:
        for name, seen in SEEN.items():
            more = {"caption_video": seen, "caption_audio": "Rain falls."}
            put({field: value for field, value in (described(name, name) | more).items() if field in fields(Captioned)})
    with row_files.writer(pipeline.path(made, "questions"), Question) as put:
        for name in SEEN:
            put(asked(name))
    return made


def fields(model):
    return model.model_fields


def asked(name):
    """A question about a clip."""
    clip = Clip(id=f"{name}_q", video=f"{name}.mp4", emotion=name).model_dump()
    about = {"clip": name, "task": "reasoning_basic_video", "modality": "video", "question": f"What tells of {name}?"}
    return clip | about | {"choices": ["A smile", "A grey wall", "A frown"], "roles": ROLES, "answer": 0}


ROLES = ["right", "irrelevant", "hallucinated"]


@pytest.mark.slow
def test_every_row_comes_through_in_its_form_or_is_rejected_with_a_reason(chosen, tmp_path):
    command = ["curate", "run", str(tmp_path / "recipe.yaml"), "emotions", "filter"]
    assert cli.main(command) == 0
    guessed = list(row_files.read(pipeline.path(chosen, "emotions"), Guessed))
    filtered = list(row_files.read(pipeline.path(chosen, "filter"), Filtered))
    for stage, rows in {"emotions": guessed, "filter": filtered}.items():
        rejects = list(row_files.read(chosen.out / f"{stage}.rejects.jsonl", Reject))
        names = [row.get("clip") or row["id"] for row in rows] + [row["id"].removesuffix("_q") for row in rejects]
        assert sorted(names) == sorted(SEEN)
        assert all(row["kind"] != "failed" and row["reason"] for row in rejects)
    texts = [json.loads(json.loads(file.read_text())["text"]) for file in (chosen.out / "replies").rglob("*.json")]
    assert len(texts) == 7  # the schema holds: one label for each caption, one letter for each question
    assert {text.get("emotion", INSUFFICIENT) for text in texts} <= {*EMOTIONS, INSUFFICIENT}
    assert {text.get("answer", "A") for text in texts} <= set("ABC")
    report = json.loads((chosen.out / "filter.report.json").read_text())
    assert set(report["before"]) == {"reasoning_basic_video"}
    reports = {name: json.loads((chosen.out / f"{name}.json").read_text()) for name in STAGES}
    assert [reports[name]["counts"]["asked"] for name in STAGES] == [4, 3]
    assert all(one["counts"]["repaired"] == 0 for one in reports.values())
    assert all(one["counts"]["tokens_in"] > 100 and one["counts"]["dollars"] > 0 for one in reports.values())

    for name in STAGES:  # the stages anew, with a server that is gone: every reply is in the cache
        (chosen.out / f"{name}.json").unlink()
    before = {name: pipeline.path(chosen, name).read_bytes() for name in STAGES}
    gone = {"small": dataclasses.replace(chosen.clients["small"], base_url="http://127.0.0.1:9/v1", retries=0)}
    again = pipeline.run(dataclasses.replace(chosen, clients=gone), list(STAGES))
    assert [one.counts["asked"] for one in again] == [0, 0]
    assert {name: pipeline.path(chosen, name).read_bytes() for name in STAGES} == before
