"""The suite as a user runs it on the embedded world: avere-nano and a stock lmms-eval class answer all of it."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import tiny_llava

MINI = ("dfew_mini", "ravdess_mini", "mer2023_mini")
QUESTIONS = ("modality_agreement", "reasoning_basic_audio", "reasoning_stress_video")


def run(command, *arguments, **environment):
    kept = {key: value for key, value in os.environ.items() if not key.startswith("EMOREALM_")}
    variables = kept | {"HF_HUB_OFFLINE": "1", "CUDA_VISIBLE_DEVICES": ""} | environment
    line = [str(Path(sys.executable).with_name(command)), *arguments]
    return subprocess.run(line, capture_output=True, text=True, env=variables, check=False)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("suite")
    variables = {"EMOREALM_MINI": str(folder / "mini"), "EMOREALM_CACHE": str(folder / "cache")}
    built = run("emorealm-mini", "build", "--clips", "40", **variables)
    assert built.returncode == 0, built.stderr
    again = run("emorealm-mini", "build", "--if-missing", **variables)
    assert "is there already" in again.stdout
    return folder, variables


def answered(world, name, *arguments, **environment):
    """A run in its own folder: what was printed, the results by task, and the samples by task."""
    folder, variables = world
    line = ("--batch_size", "1", "--output_path", str(folder / name), "--log_samples", *arguments)
    done = run("lmms-eval", *line, **(variables | environment))
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    results = json.loads(next((folder / name).rglob("*_results.json")).read_text())["results"]
    samples = {
        re.search(r"_samples_(.*)\.jsonl", path.name)[1]: [json.loads(text) for text in path.open()]
        for path in (folder / name).rglob("*_samples_*.jsonl")
    }
    return done, results, samples


@pytest.fixture(scope="module")
def nano(world):
    return answered(world, "nano", "--tasks", "emotion_suite_mini", "--model", "avere")


@pytest.fixture(scope="module")
def stock(world):
    """Without MER2023's likeness, and with a public data set that is not set up: both are to be left out."""
    folder, _ = world
    part = folder / "part"
    part.mkdir()
    for path in (folder / "mini").iterdir():
        if path.name != "mer2023":
            (part / path.name).symlink_to(path)
    weights = tiny_llava.write(folder / "llava")
    arguments = f"pretrained={weights},device=cpu,device_map=cpu,max_frames_num=2"
    named = ("--tasks", "emotion_suite_mini,ravdess", "--force_simple", "--model", "llava_hf")
    return answered(world, "stock", *named, "--model_args", arguments,
                    EMOREALM_MINI=str(part), EMOREALM_ALLOW_MISSING="1")  # fmt: skip


def test_every_benchmark_of_the_suite_is_answered(nano):
    _, results, samples = nano
    assert set(MINI) | {"emer_mini"} | {f"emorealm_mini_{task}" for task in QUESTIONS} <= set(samples)
    for task in MINI:
        scores = {key.split(",")[0]: value for key, value in results[task].items() if "_stderr" not in key}
        assert scores["uar_low_strict"] <= scores["uar_strict"] <= scores["uar_high_strict"]
        assert scores["errors_count"] == 0
        counts = [value for key, value in scores.items() if key.startswith("count_")]
        assert sum(counts) == len(samples[task])
        assert len(counts) == (5 if "mer" in task else 7)


def test_avere_nano_recognises_most_emotions_of_its_world(nano):
    """Chance is one in seven; the card's model is right nearly always, and any reading may slip."""
    assert nano[1]["dfew_mini"]["emotion_score,none"] >= 50


def test_records_tell_what_was_asked_given_and_read(nano):
    for task in MINI:
        for sample in nano[2][task]:
            record = sample["emotion_score"]["record"]
            assert record["question"] == "Describe the emotion of the person in the video in one word."
            assert record["media"]["clip"] == record["media"]["audio"]
            assert record["media"]["clip"].endswith(record["clip"])
            assert record["media"]["audio_seconds"] > 1
            assert sample["emotion_score"]["pred_answer"] == (record["strict"] or "none")


def test_the_run_is_scored_again_and_shown(nano, world):
    folder, variables = world
    done = run("emorealm", "rescore", str(folder / "nano"), **variables)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    for task in MINI:
        again = report["recognition"][task]
        for row, value in (("emotion_score", "war"), ("uar_strict", "uar"), ("weighted_f1_strict", "weighted_f1")):
            assert nano[1][task][f"{row},none"] == pytest.approx(again["readings"]["strict"][value]["value"])
        assert nano[1][task]["uar_official,none"] == pytest.approx(again["readings"]["official"]["uar"]["value"])
        assert sum(map(sum, (row.values() for row in again["confusion"]["strict"].values()))) == again["n"]
    shown = run("emorealm", "table", str(folder / "nano"), **variables)
    assert shown.returncode == 0, shown.stderr
    for words in (
        "emorealm_mini: avere",
        "Emotion recognition: avere",
        "ravdess_mini: who is taken for whom",
        "emer_mini",
    ):
        assert words in shown.stdout


def test_a_stock_class_answers_too_and_absent_data_sets_are_left_out(stock):
    done, results, samples = stock
    assert {"dfew_mini", "ravdess_mini", "emer_mini"} <= set(samples)
    assert not {"mer2023_mini", "ravdess"} & set(samples)
    assert "2 of 6 data sets cannot be used: mer2023_mini, ravdess. Going on without them" in done.stderr
    for task in ("dfew_mini", "ravdess_mini"):
        records = [sample["emotion_score"]["record"] for sample in samples[task]]
        assert all(record["raw"] for record in records)  # the class turns its own failures into ""
        assert len({record["raw"] for record in records}) > 1  # it looks at the clips
        assert 0 <= results[task]["uar_strict,none"] <= 100


def test_absent_data_sets_stop_the_run_with_a_report_of_all(world):
    done = run("lmms-eval", "--tasks", "emotion_suite,dfew_mini", "--model", "no_such_model", **world[1])
    assert done.returncode == 2
    for name in ("DFEW", "RAVDESS", "MER2023", "EMER"):
        assert f"EMOREALM_{name} is not set" in done.stderr
    assert "5 of 6 data sets cannot be used" in done.stderr
    assert "EMOREALM_ALLOW_MISSING=1 runs the rest" in done.stderr
    assert "Traceback" not in done.stderr + done.stdout
