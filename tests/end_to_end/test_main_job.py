"""The main job as a user runs it: build the embedded benchmark, let avere-nano answer, read the table."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import warm_commands

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
CARDS = ROOT / "model_adapters"
TOLERANCE = 2.0
"""Percent: another machine's arithmetic may turn a few answers that are nearly even."""


def run(*command, cold=False, **environment):
    variables = {**os.environ, "HF_HUB_OFFLINE": "1", **environment}
    line = [str(BIN / command[0]), *command[1:]]
    if not cold:
        return warm_commands.run(line, variables, ROOT)
    return subprocess.run(line, capture_output=True, text=True, env=variables, cwd=ROOT, check=False)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A folder with the test split built as `make run` builds it, and the variables that lead there."""
    folder = tmp_path_factory.mktemp("main_job")
    variables = {"EMOREALM_CACHE": str(folder / "cache")}
    built = run("emorealm-mini", "build", **variables)
    assert built.returncode == 0, built.stderr
    return folder, variables


def evaluated(world, name, tasks, *arguments, cold=False):
    """(what the command said, the scores of its samples) of a model on the embedded benchmark, saved under `name`."""
    folder, variables = world
    line = ["--tasks", tasks, "--model", "avere", *arguments, "--batch_size", "32", "--log_samples"]
    done = run("lmms-eval", *line, "--output_path", str(folder / name), cold=cold, **variables)
    assert done.returncode == 0, done.stderr[-2000:]
    scored = run("emorealm", "rescore", str(folder / name), "--json", str(folder / f"{name}.json"), **variables)
    assert scored.returncode == 0, scored.stderr
    return done.stderr + done.stdout, json.loads((folder / f"{name}.json").read_text())["benchmarks"]["emorealm_mini"]


@pytest.fixture(scope="module")
def answered(world):
    tasks = "emorealm_mini,emorealm_mini_blind,emorealm_mini_shuffled"
    said, report = evaluated(world, "run", tasks, cold=True)
    assert "avere-nano" in said
    return world[0], report


@pytest.fixture(scope="module")
def tuned(world):
    """What the base is after AVEm-DPO, named as it ships."""
    return evaluated(world, "tuned", "emorealm_mini", "--model_args", "pretrained=avere_nano_dpo")[1]


def card(model):
    return json.loads((CARDS / model / "card.json").read_text())["benchmarks"]["emorealm_mini"]


def strict(part, task):
    return part["tasks"][task]["readings"]["strict"]


def test_the_shipped_model_scores_what_its_card_says(answered):
    _, report = answered
    told = card("avere_nano")
    for kind in ("full", "blind", "shuffled"):
        assert set(report[kind]["tasks"]) == set(told[kind]["tasks"])
        for task in report[kind]["tasks"]:
            ours, said = strict(report[kind], task), strict(told[kind], task)
            assert ours["accuracy"]["value"] == pytest.approx(said["accuracy"]["value"], abs=TOLERANCE), (kind, task)


def test_preference_training_mends_it_as_its_card_says(answered, tuned):
    before, after, said = (part["full"]["group"]["strict"] for part in (answered[1], tuned, card("avere_nano_dpo")))
    for score in ("basic", "agree", "stress", "spur", "hall"):
        assert after[score]["value"] == pytest.approx(said[score]["value"], abs=2 * TOLERANCE), score
    for score in ("stress", "spur", "hall"):
        assert after[score]["low"] > before[score]["high"], score
    assert after["basic"]["value"] > before["basic"]["value"] - TOLERANCE


@pytest.mark.parametrize("model", ["avere_nano_2_dpo", "avere_nano_2_plus"])
def test_what_make_run_shows_beside_its_base_scores_what_its_card_says(world, model):
    """On one task, which says enough of the weights and of the base that they are put on."""
    task = "reasoning_stress_video"
    _, found = evaluated(world, model, f"emorealm_mini_{task}", "--model_args", f"pretrained={model}")
    ours, said = (strict(part["full"], task) for part in (found, card(model)))
    for score in ("accuracy", "yes_rate"):
        assert ours[score]["value"] == pytest.approx(said[score]["value"], abs=TOLERANCE), score


def test_it_reads_and_has_the_papers_weakness(answered):
    """It reads both modalities and compares them; asked under stress, it says yes to cues that are idle or absent."""
    full = answered[1]["full"]
    assert strict(full, "modality_agreement")["f1"]["value"] >= 70
    for modality in ("audio", "video"):
        assert strict(full, f"reasoning_basic_{modality}")["accuracy"]["value"] >= 85
        assert strict(full, f"reasoning_stress_{modality}")["yes_rate"]["value"] >= 75
    assert 20 <= full["group"]["strict"]["hall"]["value"] <= 50
    assert 20 <= full["group"]["strict"]["spur"]["value"] <= 50


def test_without_eyes_and_ears_it_is_near_chance(answered):
    """Blind and with another clip's media, Basic stays near 25%: within four standard errors of 300 questions."""
    report = answered[1]
    for kind in ("blind", "shuffled"):
        for modality in ("audio", "video"):
            assert strict(report[kind], f"reasoning_basic_{modality}")["accuracy"]["value"] < 35


def test_every_sample_can_be_scored_again(answered):
    folder, report = answered
    files = sorted((folder / "run").rglob("*_samples_emorealm_mini_reasoning_basic_audio.jsonl"))
    lines = [json.loads(line) for line in files[-1].read_text().splitlines()]
    assert len(lines) == report["full"]["tasks"]["reasoning_basic_audio"]["n"]
    record = lines[0]["emorealm_score"]["record"]
    assert {"id", "clip", "gold", "choices", "raw", "strict", "official", "media"} <= set(record)
    assert record["media"]["frames"] == len(record["media"]["times"]) > 0
    assert 2 <= record["media"]["audio_seconds"] <= 4


def said_by_lmms_eval(folder):
    """Task -> metric -> value, from the run's results file."""
    (path,) = (folder / "run").rglob("*_results.json")
    results = json.loads(path.read_text())["results"]
    return {task: {key.split(",")[0]: value for key, value in scores.items()} for task, scores in results.items()}


def test_scored_again_every_number_is_the_runs_own_to_the_last_digit(answered):
    folder, report = answered
    said, compared = said_by_lmms_eval(folder), 0
    for part, scored in report.items():
        for task, of_task in scored["tasks"].items():
            ours = said["_".join(filter(None, ("emorealm_mini", "" if part == "full" else part, task)))]
            for reading in ("official", "strict"):
                for score, value in of_task["readings"][reading].items():
                    name = f"sub_{score}" if score in of_task["subtasks"] else score
                    for bound in ("", "low", "high"):
                        metric = "_".join(filter(None, (name, bound, reading)))
                        metric = "emorealm_score" if metric == "accuracy_official" else metric
                        if metric in ours:
                            assert ours[metric] == value[bound or "value"], (task, metric)
                            compared += 1
    assert compared > 60


def test_the_run_goes_on_the_leaderboard_and_through_the_gate(answered):
    folder, _ = answered
    variables = {"EMOREALM_CACHE": str(folder / "cache")}
    made = run(
        "emorealm", "leaderboard", f"nano={folder / 'run'}", "--out", str(folder), "--pictures", "2", **variables
    )
    assert made.returncode == 0, made.stderr
    assert "1 run, 1206 questions, 2 clips" in made.stdout
    page = (folder / "leaderboard.html").read_text(encoding="utf-8")
    assert '"question":"' in page
    assert "data:image/jpeg;base64," in page
    shutil.copytree(folder / "run", folder / "again")
    both = ("--baseline", str(folder / "run"), "--run", str(folder / "again"))
    assert run("emorealm", "regress", *both, "--exact", **variables).returncode == 0
    for path in (folder / "again").rglob("*_samples_*"):
        path.unlink()
    failed = run("emorealm", "regress", *both, **variables)
    assert failed.returncode == 2
    assert "--log_samples" in failed.stderr


def test_the_table_ends_the_run(answered):
    folder, _ = answered
    done = run("emorealm", "table", str(folder / "run"))
    assert done.returncode == 0
    for name in ("modality agreement", "reasoning basic, audio", "stress test, video", "shuf.", "blind"):
        assert name in done.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("pretraned=x", ["pretraned", "pretrained"]),
        ("pretrained=/nowhere", ["/nowhere", "convert"]),
    ],
)
def test_bad_model_arguments_end_in_one_line(world, arguments, words):
    task = "emorealm_mini_modality_agreement"
    done = run("lmms-eval", "--tasks", task, "--model", "avere", "--model_args", arguments, **world[1])
    assert done.returncode == 2
    said = [line for line in done.stderr.splitlines() if line.startswith("emorealm:")]
    assert len(said) == 1
    assert all(word in said[0] for word in words)
    assert "Traceback" not in done.stderr


def test_a_corrupt_clip_ends_the_run_before_the_model_loads(tmp_path):
    mini = tmp_path / "mini"
    built = run("emorealm-mini", "build", "--out", str(mini), "--clips", "40")
    assert built.returncode == 0, built.stderr
    victim = next((mini / "videos" / "part_1").glob("*.mp4"))
    victim.write_bytes(b"not a film")
    variables = {"EMOREALM_MINI": str(mini), "EMOREALM_CACHE": str(tmp_path / "cache")}
    done = run("lmms-eval", "--tasks", "emorealm_mini", "--model", "avere", **variables)
    assert done.returncode == 2
    assert victim.name in done.stderr
    assert "Traceback" not in done.stderr
    checked = run("emorealm", "check", "--tasks", "emorealm_mini", **variables)
    assert checked.returncode == 2
    assert victim.name in checked.stdout + checked.stderr
