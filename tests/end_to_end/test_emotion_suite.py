"""The suite as a user runs it on the embedded world: avere-nano and a stock lmms-eval class answer all of it."""

import json
import os
import re
import sys
from pathlib import Path

import pytest
import serving
import tiny_llava

import warm_commands
from faulty_server import VERDICT, FaultyServer

RECOGNITION = ("dfew", "ravdess", "mer2023")
MINI = tuple(f"{name}_mini" for name in RECOGNITION)
QUESTIONS = tuple(
    f"emorealm_mini_{task}"
    for task in (
        "modality_agreement",
        "reasoning_basic_audio",
        "reasoning_basic_video",
        "reasoning_stress_audio",
        "reasoning_stress_video",
    )
)
SUITE = {*MINI, "emer_mini", *QUESTIONS}


def run(command, *arguments, **environment):
    kept = {key: value for key, value in os.environ.items() if not key.startswith("EMOREALM_")}
    variables = kept | {"HF_HUB_OFFLINE": "1", "CUDA_VISIBLE_DEVICES": ""} | environment
    line = [str(Path(sys.executable).with_name(command)), *arguments]
    return warm_commands.run(line, variables)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("suite")
    variables = {"EMOREALM_MINI": str(folder / "mini"), "EMOREALM_CACHE": str(folder / "cache")}
    built = run("emorealm-mini", "build", "--clips", "40", **variables)
    assert built.returncode == 0, built.stderr
    again = run("emorealm-mini", "build", "--if-missing", "--clips", "40", **variables)
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
    return answered(world, "nano", "--tasks", "emotion_suite_mini", "--model", "avere", "--batch_size", "8")


@pytest.fixture(scope="module")
def public(world):
    """The public tasks, their settings pointing at the embedded world's copies of the layouts; a server judges."""
    mini, server = world[0] / "mini", FaultyServer()
    places = {name: mini / name for name in (*RECOGNITION, "emer")}
    places |= {"json": mini / "emorealm_v1.json", "videos": mini / "videos"}
    settings = {f"EMOREALM_{name.upper()}": str(place) for name, place in places.items()}
    settings["EMOREALM_JUDGE_BASE_URL"] = server.url
    yield answered(world, "public", "--tasks", "emotion_suite", "--model", "avere", "--batch_size", "8",
                   "--model_args", "nano_anyway=true", **settings)  # fmt: skip
    server.stop()


@pytest.fixture(scope="module")
def stock(world):
    """A class of lmms-eval's own with random weights; a public data set that is not set up is to be left out."""
    weights = tiny_llava.write(world[0] / "llava")
    arguments = f"pretrained={weights},device=cpu,device_map=cpu,max_frames_num=2"
    named = ("--tasks", "emotion_suite_mini,ravdess", "--force_simple", "--model", "llava_hf")
    return answered(world, "stock", *named, "--model_args", arguments, EMOREALM_ALLOW_MISSING="1")


@pytest.fixture(scope="module")
def hearing(world, tiny_omni):
    """lmms-eval's own class for servers; transformers serves random weights that are given frames and sound."""
    serving.skip_without_transformers_serve()
    server = serving.start(tiny_omni, world[0])
    arguments = f"model_version={server.model},base_url={server.url},api_key=none,timeout=300"
    named = ("--tasks", "emotion_suite_mini", "--limit", "2", "--model", "openai")
    given = f"{arguments},max_frames_num=2,num_concurrent=1"
    yield answered(world, "hearing", *named, "--model_args", given), server
    serving.stop(server)


def test_every_benchmark_of_the_suite_is_answered(nano):
    _, results, samples = nano
    assert set(samples) == SUITE
    for task in MINI:
        scores = {key.split(",")[0]: value for key, value in results[task].items() if "_stderr" not in key}
        assert scores["uar_low_strict"] <= scores["uar_strict"] <= scores["uar_high_strict"]
        assert scores["errors_count"] == 0
        recalls = [key for key in scores if key.startswith("recall_") and key.endswith("_strict")]
        assert len(recalls) == (5 if "mer" in task else 7)


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
    done = run("emorealm", "rescore", str(folder / "nano"), "--json", "-", **variables)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    for task in MINI:
        again = report["recognition"][task]
        for row, value in (("emotion_score", "war"), ("uar_strict", "uar"), ("weighted_f1_strict", "weighted_f1")):
            assert nano[1][task][f"{row},none"] == pytest.approx(again["readings"]["strict"][value]["value"])
        assert nano[1][task]["uar_official,none"] == pytest.approx(again["readings"]["official"]["uar"]["value"])
        assert sum(map(sum, (row.values() for row in again["confusion"]["strict"].values()))) == again["n"]
    shown = run("emorealm", "table", str(folder / "nano"), "--markdown", **variables)
    assert shown.returncode == 0, shown.stderr
    for words in (
        "emorealm_mini: avere",
        "Emotion recognition: avere",
        "ravdess_mini: who is taken for whom",
        "emer_mini",
    ):
        assert words in shown.stdout


def test_the_public_tasks_read_the_same_layouts_and_score_the_same(public, nano):
    _, results, samples = public
    assert set(samples) == {task.replace("_mini", "") for task in SUITE}
    for name in RECOGNITION:
        same = ("emotion_score", "uar_strict", "uar_official", "weighted_f1_strict")
        for row in (*same, "uar_low_strict", "uar_high_strict"):
            assert results[name][f"{row},none"] == nano[1][f"{name}_mini"][f"{row},none"]
    for task in QUESTIONS:
        public_score = results[task.replace("_mini", "")]["emorealm_score,none"]
        assert public_score == nano[1][task]["emorealm_score,none"]
    judged = [sample["emer_score"]["record"] for sample in samples["emer"]]
    assert {record["judge"] for record in judged} == {"gpt-4o/prompt-1"}
    assert results["emer"]["clue_mean,none"] == VERDICT["clue"]["score"]
    said = [sample["emer_score"]["record"]["raw"] for sample in nano[2]["emer_mini"]]
    assert [record["raw"][: len(text)] for record, text in zip(judged, said, strict=True)] == said  # more tokens there


def test_other_counts_than_the_published_are_said_before_the_run(public):
    for said in (
        "dfew, test fold 1: class counts differ from the published ones: happiness",
        "ravdess, audiovisual speech: class counts differ from the published ones: neutral",
        "clips instead of 834",
        "it was published with 332",
    ):
        assert said in public[0].stderr


def test_a_stock_class_answers_all_of_it_and_an_absent_data_set_is_left_out(stock):
    done, results, samples = stock
    assert set(samples) == SUITE
    assert "1 of 6 data sets cannot be used: ravdess. Going on without them" in done.stderr
    for task in SUITE:
        [score] = {key for key in samples[task][0] if key in ("emotion_score", "emer_score", "emorealm_score")}
        records = [sample[score]["record"] for sample in samples[task]]
        assert all(record["raw"] for record in records)  # the class turns its own failures into ""
        assert len({record["raw"] for record in records}) > 1  # it looks at the clips
        assert 0 <= results[task][f"{score},none"] <= 100
    assert {sample["emer_score"]["record"]["judge"] for sample in samples["emer_mini"]} == {"cues"}


def test_a_stock_class_that_hears_answers_all_of_it(hearing, nano, world, monkeypatch):
    (_, results, samples), server = hearing
    assert set(samples) == SUITE
    raws = [json.dumps(sample) for task in SUITE for sample in samples[task]]
    assert len(raws) == 2 * len(SUITE)
    assert not [raw for raw in raws if "REQUEST_FAILED" in raw]
    assert all(results[task]["emotion_score,none"] is not None for task in MINI)
    monkeypatch.setenv("EMOREALM_CACHE", world[1]["EMOREALM_CACHE"])
    clip = nano[2]["dfew_mini"][0]["emotion_score"]["record"]["media"]["clip"]
    with_sound, without = (serving.ask(server, clip, mode) for mode in ("inline", "video"))
    assert with_sound != without


def test_absent_data_sets_stop_the_run_with_a_report_of_all(world):
    done = run("lmms-eval", "--tasks", "emotion_suite,dfew_mini", "--model", "no_such_model", **world[1])
    assert done.returncode == 2
    for name in ("DFEW", "RAVDESS", "MER2023", "EMER"):
        assert f"EMOREALM_{name} is not set" in done.stderr
    assert "5 of 6 data sets cannot be used" in done.stderr
    assert "EMOREALM_ALLOW_MISSING=1 runs the rest" in done.stderr
    assert "Traceback" not in done.stderr + done.stdout
