"""A reply about an emotion becomes a record, and records the rows of the table."""

import json

import pytest

from emorealm_tasks.benchmarks.recognition_rows import PROMPTS, ask, row
from emorealm_tasks.emotions import EMOTIONS
from emorealm_tasks.harness import recognition

NONE_LEFT_OUT = json.dumps({"missing": 0, "unreadable": 0, "soundless": 0, "questions": 0})
NAMES = [metric["metric"] for metric in recognition.METRIC_LIST]


def doc(gold="anger", number=1, left_out=NONE_LEFT_OUT, **more):
    made = row("dfew", str(number), gold, clip=f"part_1/{number}.mp4", video=f"/v/{number}.mp4") | more
    return ask([made], "one_word")[0] | {"given_clip": made["clip"], "left_out": left_out}


def aggregated(docs, replies):
    """What lmms-eval's table would show: {metric: value}."""
    values = {}
    for one, reply in zip(docs, replies, strict=True):
        for name, value in recognition.process_results(one, [reply]).items():
            values.setdefault(name, []).append(value)
    functions = {metric["metric"]: metric["aggregation"] for metric in recognition.METRIC_LIST}
    return {name: functions[name](of_name) for name, of_name in values.items()}


def test_no_name_contains_another():
    for name in NAMES:
        assert [other for other in NAMES if name in other] == [name]


def test_a_record_holds_what_scoring_again_needs():
    scored = recognition.process_results(doc(), ["not happy but angry"])["emotion_score"]
    assert {key: scored[key] for key in ("score", "points", "clip", "pred_answer", "answer")} == {
        "score": 1, "points": 100, "clip": "part_1/1.mp4", "pred_answer": "anger", "answer": "anger"
    }  # fmt: skip
    record = scored["record"]
    assert json.loads(json.dumps(record)) == record
    assert (record["raw"], record["strict"], record["official"]) == ("not happy but angry", "anger", "happiness")
    assert record["question"] == PROMPTS["one_word"]
    assert recognition.read(record) == record


def test_a_failed_request_is_no_class_whatever_its_message_says():
    record = recognition.make_record(doc(), "[LMMS_EVAL_REQUEST_FAILED] angry server")
    assert record["error"].endswith("angry server")
    assert (record["strict"], record["official"]) == ("", "")
    assert recognition.make_record(doc(), "")["error"] == ""


def test_the_rows_of_a_task():
    docs = [doc("anger", 1), doc("anger", 2), doc("sadness", 3), doc("fear", 4)]
    table = aggregated(docs, ["angry", "hm", "sad", "happy\nindeed"])
    assert table["emotion_score"] == 50
    assert table["uar_strict"] == pytest.approx((50 + 100 + 0) / 3)
    assert table["recall_anger_strict"] == 50
    assert table["recall_disgust_strict"] is None
    assert table["uar_low_strict"] <= table["uar_strict"] <= table["uar_high_strict"]
    assert (table["unparsed_rate"], table["errors_count"], table["dropped_count"]) == (25, 0, 1)
    # "angry", "hm" and "sad" are happiness there, and the fear clip is dropped
    assert (table["war_official"], table["uar_official"]) == (0, 0)
    assert "clips_missing" not in table
    assert set(table) <= set(NAMES)


def test_five_classes_have_no_rows_of_the_other_two():
    table = aggregated([doc("anger", labels=list(EMOTIONS[:5]))], ["angry"])
    assert "recall_surprise_strict" in table
    assert not [name for name in table if "disgust" in name or "fear" in name]


def test_clips_left_out_stand_beside_the_scores():
    left_out = json.dumps({"missing": 2, "unreadable": 0, "soundless": 1, "questions": 3})
    table = aggregated([doc(left_out=left_out)], ["angry"])
    assert (table["clips_missing"], table["clips_soundless"], table["questions_left_out"]) == (2, 1, 3)


def test_prompts_are_the_released_ones_and_the_classes_are_the_rows_own():
    from emorealm_tasks.mini.language import wording

    assert (PROMPTS["one_word"], PROMPTS["detail"]) == (wording.ONE_WORD, wording.DESCRIBE)
    five = ask([doc(labels=list(EMOTIONS[:5]))], "classes")[0]["question"]
    assert "happiness, sadness, neutral, anger or surprise?" in five
