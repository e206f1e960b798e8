"""EMER's rows, the scores of judged descriptions, and what the harness is given of them."""

import csv
import json
import os
import subprocess
import sys

import numpy as np
import pytest

from emorealm_tasks.benchmarks import emer, preflight, suite
from emorealm_tasks.errors import DataAbsent
from emorealm_tasks.harness import description
from emorealm_tasks.judge import dispatch
from emorealm_tasks.metrics import description as description_metrics
from emorealm_tasks.metrics.description import CRITERIA, Verdict
from emorealm_tasks.settings import Settings
from faulty_server import FaultyServer, chat

HEADER = ("name", "reason")


def write(folder, rows, header=HEADER):
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / emer.CSV_FILE).open("w", newline="", encoding="utf-8-sig") as file:
        csv.writer(file).writerows([header, *rows])
    return Settings(emer=folder, cache=folder / "cache", mini=folder)


def test_rows_of_the_published_layout(tmp_path, make_clip):
    settings = write(tmp_path, [("sample_1", 'She says "no",\nand cries.'), ("sample_2", "He laughs.")])
    for name in ("sample_1", "sample_2"):
        make_clip(tmp_path / "video" / f"{name}.mp4", seconds=0.5, sound=name != "sample_2")
    (tmp_path / "audio").mkdir()
    (tmp_path / "audio/sample_2.wav").write_bytes(make_clip(tmp_path / "x.mp4", seconds=0.5).read_bytes())
    first, second = emer.read("emer", settings)
    assert first["answer"] == 'She says "no",\nand cries.'
    assert first["question"] == "Describe the emotion of the person in the video in detail."
    assert (first["id"], first["clip"], first["choices"], first["truth"], first["audio"]) == (
        *["sample_1"] * 2,
        [],
        "",
        "",
    )
    assert first["video"] == str(tmp_path / "video/sample_1.mp4")
    assert second["audio"] == str(tmp_path / "audio/sample_2.wav")
    assert "names 2 clips; it was published with 332" in suite.note("emer", [first, second], settings)


@pytest.mark.parametrize(
    ("rows", "header", "said"),
    [
        ([("a", "x"), ("a", "y")], HEADER, "clip 2: 'a' occurs twice"),
        ([("a", " ")], HEADER, "must not be empty"),
        ([("../a", "x")], HEADER, "leaves the data folder"),
        ([("a", "x")], ("name", "label"), "expected the columns name, reason"),
        ([], HEADER, "no rows"),
    ],
)
def test_a_broken_file_stops_with_its_place(tmp_path, capsys, rows, header, said):
    with pytest.raises(SystemExit):
        emer.read("emer", write(tmp_path, rows, header))
    assert said in capsys.readouterr().err


def test_absent_data_and_an_unset_judge_stop_before_anything_runs(tmp_path, capsys, monkeypatch):
    for name in ("OPENAI_API_KEY", "EMOREALM_JUDGE_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(SystemExit):
        dispatch.check(Settings(), embedded=False)
    assert "OPENAI_API_KEY" in capsys.readouterr().err
    dispatch.check(Settings(judge="later"), embedded=False)
    with pytest.raises(DataAbsent):
        preflight.look("emer", ["emer"], Settings())
    assert "EMOREALM_EMER" in capsys.readouterr().err
    with pytest.raises(DataAbsent):
        emer.read("emer", Settings(emer=tmp_path))
    with pytest.raises(SystemExit):
        dispatch.check(Settings(judge="cues"), embedded=False)
    dispatch.check(Settings(), embedded=True)


def verdict(*scores):
    return Verdict(dict(zip(CRITERIA, scores, strict=True)), dict.fromkeys(CRITERIA, ""))


def record(number, *verdicts, judge="j"):
    given = description_metrics.as_json(verdicts)
    return {
        "id": str(number),
        "clip": str(number),
        "error": "",
        "truth": None,
        "judge": judge,
        "verdicts": {judge: given},
    }


def test_scores_are_means_over_judged_clips():
    records = [record(n, verdict(2, 4, 6, 8), verdict(4, 4, 6, 8)) for n in range(20)]
    records += [record(20 + n, verdict(9, 9, 9, 9), None) for n in range(2)]
    found = description_metrics.scores(records, "j")
    assert found["clue"]["value"] == pytest.approx((20 * 3 + 2 * 9) / 22)
    assert found["mean"]["value"] == pytest.approx((20 * 5.25 + 2 * 9) / 22)
    assert found["clue"]["spread"] == pytest.approx(np.sqrt(2))  # of (2, 4), in the clips judged twice
    assert found["label"]["spread"] == 0
    assert found["mean"]["spread"] == pytest.approx(np.sqrt(0.125))  # of (5, 5.5)
    assert found["clue"]["low"] < found["clue"]["value"] < found["clue"]["high"]
    assert description_metrics.unjudged(records, "j") == (2, 44)
    assert description_metrics.scores(records, "nobody")["clue"]["value"] is None


def test_more_than_a_twentieth_unjudged_leaves_no_scores():
    judged = [record(n, verdict(5, 5, 5, 5)) for n in range(19)]
    assert description_metrics.scores([*judged, record(19, None)], "j")["clue"]["value"] == 5
    assert description_metrics.scores([*judged, record(19, None), record(20, None)], "j")["clue"]["value"] is None


def doc(number, truth=""):
    names = dict.fromkeys(("id", "clip", "given_clip"), str(number))
    media = {"video": "v", "audio": "", "left_out": json.dumps({"missing": 0, "questions": 0})}
    return {**names, **media, "task": "emer_mini", "answer": "ref", "truth": truth}


TRUTH = json.dumps({"emotions": ["anger"], "present": ["growl"], "relevant": ["growl"]})


def aggregated(results, name):
    values = [result[name] for result in results]
    return description.emer_score(values) if name == "emer_score" else description.aggregate(values)


def test_the_harness_gets_every_row_and_records_that_can_be_judged_again(monkeypatch):
    monkeypatch.delenv("EMOREALM_JUDGE", raising=False)
    replies = [
        "A growl conveys anger.",
        "A sob conveys sadness.",
        "",
        "[LMMS_EVAL_REQUEST_FAILED after a growl: anger]",
    ]
    results = [description.process_results(doc(n, TRUTH), [reply]) for n, reply in enumerate(replies)]
    names = {metric["metric"] for metric in description.METRIC_LIST}
    assert not [(a, b) for a in names for b in names if a != b and a in b]  # groups pick metrics by substring
    assert set(results[0]) <= names
    # the growl; no such cue; nothing said; a failed request says nothing either, whatever its message holds
    assert aggregated(results, "clue_mean") == pytest.approx((10 + 1 + 1 + 1) / 4)
    assert aggregated(results, "errors_count") == 1
    assert aggregated(results, "unjudged_count") == 0
    score = aggregated(results, "emer_score")
    assert score == pytest.approx(np.mean([result["emer_score"]["score"] for result in results]))
    saved = results[0]["emer_score"]["record"]
    assert saved["verdicts"]["cues"][0]["scores"] == dict.fromkeys(CRITERIA, 10)
    assert "clue_spread" not in results[0]
    monkeypatch.setenv("EMOREALM_JUDGE_REPEATS", "2")
    assert "clue_spread" in description.process_results(doc(0, TRUTH), ["x"])


FAILING = """
import atexit, json
atexit.register(print, "other duties are done")
from emorealm_tasks.harness import description
docs = [json.loads(line) for line in open("docs.jsonl")]
results = [description.process_results(doc, ["A growl, " + doc["id"]]) for doc in docs]
print(description.emer_score([result["emer_score"] for result in results]))
print(*[description.aggregate([result[name] for result in results]) for name in ("clue_mean", "unjudged_count")])
print("saved", len(json.dumps([result["emer_score"] for result in results])) > 0)
"""


def harness(tmp_path, url, **settings):
    """A process that judges three descriptions as the harness does, and then goes on."""
    (tmp_path / "docs.jsonl").write_text("".join(json.dumps(doc(n)) + "\n" for n in range(3)))
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("EMOREALM_", "OPENAI_"))}
    environment = kept | {"EMOREALM_JUDGE_BASE_URL": url, "EMOREALM_CACHE": str(tmp_path / "cache"), **settings}
    return subprocess.run(
        [sys.executable, "-c", FAILING], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )


def test_a_failing_judge_leaves_no_scores_saves_the_rest_and_ends_the_process_with_2(tmp_path):
    server = FaultyServer(lambda body, number: (200, {}, chat("Very good!")))
    done = harness(tmp_path, server.url)
    server.stop()
    assert done.returncode == 2
    assert done.stdout.splitlines() == ["None", "None 3.0", "saved True", "other duties are done"]
    assert len(server.asked) == 6  # each once and once more; not again for every metric
    assert "3 of 3 verdicts" in done.stderr.splitlines()[-1]
    assert done.stderr.splitlines()[-1].startswith("emorealm: FAILED: emer_mini: ")


def test_a_judge_that_works_and_a_batch_that_runs_end_with_0(tmp_path):
    server = FaultyServer()
    server.batch_status = "in_progress"
    batch = harness(tmp_path, server.url, EMOREALM_JUDGE="batch")
    assert batch.returncode == 0, batch.stderr
    assert batch.stdout.splitlines()[:2] == ["None", "None 2.0"]
    assert "under way: batch-0 (2 requests)" in batch.stderr
    live = harness(tmp_path, server.url, EMOREALM_JUDGE_MODEL="other")
    server.stop()
    assert (live.returncode, live.stdout.splitlines()[:2]) == (0, ["7.0", "7.0 0.0"])
