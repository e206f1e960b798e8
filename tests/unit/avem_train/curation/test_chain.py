"""All stages one after another over real clips, and the export of what they make."""

import json
import re

import pytest

from avem_train.curation import pipeline, recipe
from avem_train.curation.export import writing
from avem_train.data import checks
from avem_train.data.bad_records import BadRecords
from curation import REPLIES as CAPTIONS
from curation import answering, content
from preference_rows import ABSENT, CUES, REPLIES, SPURIOUS

STAGES = {
    "captions": {"picture": "server", "sound": "server", "frames": 2},
    "emotions": {"client": "server"},
    "questions": {"client": "server"},
    "filter": {"balance": False, "match_labels": False},
    "descriptions": {"client": "server"},
    "preferences": {"client": "server", "letters": 0.3},
    "supervise": {},
}


def text(body):
    """The prompt of a request."""
    return body["messages"][0]["content"]


def cues(modality):
    found = [{name: value for name, value in cue.items() if name != "modality"} for cue in CUES]
    chosen = [cue for cue, whole in zip(found, CUES, strict=True) if whole["modality"] == modality]
    return [cue | {"start": None, "end": None} for cue in chosen]


def question(body):
    heard = "a bright voice" in text(body)
    names = ("a bright voice", "slow piano music") if heard else ("a broad smile", SPURIOUS["cue"])
    options = [{"cue": cue, "text": f"The {cue} shows happiness."} for cue in (*names, "tears", ABSENT["cue"])]
    asked = "Which part explains how the person feels?"
    return {"question": asked, "right": options[0], "irrelevant": options[1:2], "hallucinated": options[2:]}


def verdict(body):
    known = text(body).partition("What is known of the question: ")[2].partition("\n")[0]
    opposite = "No" if known.startswith("Yes") else "Yes"
    return {"chosen": known, **varied(opposite + ", the {} in the video suggests much.")}


def varied(form):
    kinds = (("video_relevant", SPURIOUS["cue"]), ("emotion_relevant", ABSENT["cue"]))
    return {kind: {"cue": cue, "text": form.format(cue)} for kind, cue in kinds}


@pytest.mark.slow
@pytest.mark.parametrize("form", ["jsonl", "parquet"])
def test_clips_become_preferences_that_training_reads(folder, form, capsys):
    replies = REPLIES | {
        "PictureCaption": CAPTIONS["PictureCaption"] | {"cues": cues("video")},
        "SoundCaption": CAPTIONS["SoundCaption"] | {"cues": cues("audio")},
        "EmotionGuess": {"emotion": "happiness"},
        "BasicQuestion": question,
        "AbsentCues": {"cues": ["raised arms"]},
        "VerdictVariations": verdict,
        "AnswerVariations": varied("The {} shows happiness."),
    }
    server = answering(replies)
    try:
        loaded = recipe.from_content(content(folder, server.url, STAGES, format=form))
        reports = {report.stage: report for report in pipeline.run(loaded)}
    finally:
        server.stop()
    assert {name: dict(report.rejects) for name, report in reports.items()} == {name: {} for name in STAGES}
    counts = [reports[name].rows for name in ("filter", "descriptions", "preferences", "supervise")]
    assert counts == [27, 9, 36, 36]
    out = folder / "train.jsonl"
    writing.write(pipeline.path(loaded, "preferences"), loaded.root, writing.Export("preferences", "avem", out))
    capsys.readouterr()
    assert len(checks.load(out, None, BadRecords(folder))) == 36
    origins = [json.loads(line) for line in (folder / "train.provenance.jsonl").read_text().splitlines()]
    assert [one["id"] for one in origins] == [json.loads(line)["id"] for line in out.read_text().splitlines()]
    for one in origins:
        stages = [asked["stage"] for asked in one["provenance"]]
        assert stages[:2] == ["captions", "captions"]
        assert all(re.fullmatch(r"\w+/\d+/[0-9a-f]{8}", asked["prompt"]) for asked in one["provenance"])
        assert {asked["model"] for asked in one["provenance"]} == {"m"}
        by_letter = "options of each kind" in one["checks"]
        assert by_letter or one["checks"][-1] == "cues by their meaning"
        assert by_letter == ("preferences" not in stages)
    absent = next(one for one in origins if one["id"].endswith("stress_video_3"))
    assert absent["checks"][:3] == ["label not in the cue", "cues by their words", "cues by their meaning"]
    assert capsys.readouterr().err == ""
