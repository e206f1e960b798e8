"""The real command line over real clips: what is found, handed over, scored, printed, saved and refused."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

import warm_commands

TASKS = [
    "modality_agreement",
    "reasoning_basic_audio",
    "reasoning_basic_video",
    "reasoning_stress_audio",
    "reasoning_stress_video",
]
KINDS = ["no_hallucination", "spurious", "hallucination", "no_hallucination"]
FAKE = '''
import json, os
from lmms_eval.api.model import lmms


class Fake(lmms):
    """Writes down what it is handed; answers B, and finds B the likelier option."""

    is_simple = False

    def __init__(self, **kwargs):
        super().__init__()

    def note(self, handed):
        with open(os.environ["FAKE_LOG"], "a") as file:
            file.write(json.dumps(handed) + "\\n")

    def generate_until(self, requests):
        for request in requests:
            _, to_messages, settings, doc_id, task, split = request.args
            self.note({"task": task, "messages": to_messages(self.task_dict[task][split][doc_id]), "gen": settings})
        return ["B"] * len(requests)

    def loglikelihood(self, requests):
        for request in requests:
            context, option, to_visual, doc_id, task, split = request.args
            visuals = to_visual(self.task_dict[task][split][doc_id])
            self.note({"task": task, "context": context, "option": option, "visuals": visuals})
        return [(-0.1 if "B" in request.args[1] else -3.0, False) for request in requests]

    def generate_until_multi_round(self, requests):
        raise NotImplementedError


def manifests():
    from lmms_eval.models.registry_v2 import ModelManifest
    return ModelManifest("fake_chat", chat_class_path="fake_models.Fake")
'''


def _items() -> list[dict]:
    """Four clips, one question a task on each, gold A, B, A, B."""
    items = []
    for task in TASKS:
        choices = ["(A) a raised voice", "(B) a sob"] if "basic" in task else ["(A) Yes", "(B) No"]
        for n in range(4):
            items.append({"id": f"{task}_{n}", "task": task, "video": f"part_1/{n}.mp4", "question": f"Clip {n}, why?",
                          "choices": choices, "answer": "AB"[n % 2], "emotion": ["anger", "fear"][n // 2],
                          "subtask": KINDS[n] if "stress" in task else ""})  # fmt: skip
    return items


@pytest.fixture(scope="module")
def world(tmp_path_factory, make_clip):
    root = tmp_path_factory.mktemp("harness")
    for n in range(4):
        make_clip(root / f"videos/part_1/{n}.mp4", seconds=0.5)
    (root / "q.json").write_text(json.dumps(_items()))
    site = root / "site"
    (site / "fake_models-0.1.dist-info").mkdir(parents=True)
    (site / "fake_models.py").write_text(FAKE)
    (site / "fake_models-0.1.dist-info/METADATA").write_text("Metadata-Version: 2.1\nName: fake-models\nVersion: 0.1\n")
    (site / "fake_models-0.1.dist-info/entry_points.txt").write_text(
        "[lmms_eval.models]\nfake = fake_models:manifests\n"
    )
    return root


def _run(world: Path, *arguments: str, cold: bool = False, **extra: str) -> subprocess.CompletedProcess:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("EMOREALM_")}
    environment = kept | {
        "EMOREALM_JSON": str(world / "q.json"),
        "EMOREALM_VIDEOS": str(world / "videos"),
        "EMOREALM_CACHE": str(world / "cache"),
        "HF_HUB_OFFLINE": "1",
        "CUDA_VISIBLE_DEVICES": "",
        "PYTHONPATH": str(world / "site"),
        "FAKE_LOG": str(world / "handed.jsonl"),
        **extra,
    }
    command = [str(Path(sys.executable).with_name("lmms-eval")), *arguments]
    if not cold:
        return warm_commands.run(command, environment, world)
    return subprocess.run(command, env=environment, cwd=world, capture_output=True, text=True, timeout=280, check=False)


def _table(printed: str) -> dict[str, dict[str, float]]:
    """Every row of the printed tables: {task or group: {metric: value}}."""
    rows, name = {}, ""
    for line in printed.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if line.startswith("|") and len(cells) > 6 and cells[3] not in ("Metric", "") and not cells[3].startswith("-"):
            name = cells[0].lstrip("- ") or name
            rows.setdefault(name, {})[cells[3]] = float(cells[5])  # not a number would be a fault
    return rows


def _saved(folder: Path) -> tuple[Mapping, dict[str, list[dict]]]:
    results = json.loads(next(folder.rglob("*_results.json")).read_text())
    samples = {
        re.search(r"_samples_(.*)\.jsonl", path.name)[1]: [json.loads(line) for line in path.open()]
        for path in folder.rglob("*_samples_*.jsonl")
    }
    return results, samples


@pytest.fixture(scope="module")
def simple_run(world):
    """A simple model that lmms-eval ships, with nothing but --tasks and --model: every answer is A."""
    out = world / "simple"
    done = _run(world, "--tasks", "emorealm", "--model", "dummy", "--model_args", "response=A,read_bytes=16",
                "--output_path", str(out), "--log_samples", cold=True)  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done, *_saved(out)


@pytest.fixture(scope="module")
def chat_run(world):
    """A chat model from another plugin: the tasks, both floors and the likelihoods in one run."""
    out = world / "chat"
    done = _run(world, "--tasks", "emorealm,emorealm_blind,emorealm_shuffled,emorealm_likelihood",
                "--model", "fake_chat", "--output_path", str(out), "--log_samples")  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    handed = [json.loads(line) for line in (world / "handed.jsonl").open()]
    return done, *_saved(out), handed


def test_the_bare_command_prints_the_whole_table(simple_run):
    rows = _table(simple_run[0].stdout)
    assert set(rows) == {"emorealm"} | {f"emorealm_{task}" for task in TASKS}
    agreement = rows["emorealm_modality_agreement"]
    assert agreement["emorealm_score"] == 50
    assert agreement["table5_agree"] == 0
    for task in TASKS:
        shown = rows[f"emorealm_{task}"]
        assert shown["accuracy_low_official"] <= 50 <= shown["accuracy_high_official"]
        assert (shown["unparsed_rate"], shown["errors_count"]) == (0, 0)
        assert "f1_strict" not in shown
        assert len(shown) <= 9
        assert ("sub_spurious_official" in shown) == ("stress" in task)
    stress = rows["emorealm_reasoning_stress_audio"]
    assert [stress[f"sub_{kind}_official"] for kind in KINDS[1:3]] == [0, 100]


def test_the_group_is_the_plain_mean_with_the_ablation_columns(simple_run):
    group = _table(simple_run[0].stdout)["emorealm"]
    assert group["emorealm_score"] == group["table5_basic"] == 50
    assert group["table5_agree"] == group["table5_stress"] == 0
    assert group["sub_spurious_official"] == 0
    assert group["sub_hallucination_official"] == 100


def test_the_saved_results_are_plain_numbers_with_clustered_errors(simple_run):
    _, results, _ = simple_run
    for task in TASKS:
        scores = results["results"][f"emorealm_{task}"]
        assert all(isinstance(value, int | float) or value in (None, "N/A") for key, value in scores.items()
                   if key not in ("alias", " "))  # fmt: skip
        # right on two of four clips: sqrt of the variance of 0/100 over 4
        assert scores["emorealm_score_stderr_clustered,none"] == pytest.approx((10000 / 3 / 4) ** 0.5)


def test_the_saved_samples_can_be_scored_again(simple_run):
    from emorealm_tasks import metrics

    _, results, samples = simple_run
    for task in TASKS:
        records = [sample["emorealm_score"]["record"] for sample in samples[f"emorealm_{task}"]]
        assert len(records) == 4
        again = metrics.task_scores(records, "official")
        assert again["accuracy"] == results["results"][f"emorealm_{task}"]["emorealm_score,none"]
        assert {key: records[1][key] for key in ("clip", "task", "gold", "raw", "strict", "error", "media")} == {
            "clip": "part_1/1.mp4",
            "task": task,
            "gold": "B",
            "raw": "A",
            "strict": "A",
            "error": "",
            "media": "unknown",
        }
        first = samples[f"emorealm_{task}"][0]["emorealm_score"]
        assert (first["score"], first["pred_answer"], first["answer"]) == (1, "A", "A")


def test_a_chat_model_gets_video_sound_and_the_released_prompt(chat_run, world):
    handed = {entry["task"]: entry for entry in reversed(chat_run[3])}
    content = handed["emorealm_reasoning_basic_audio"]["messages"][0]["content"]
    assert [item["type"] for item in content] == ["video", "audio", "text"]
    assert content[0]["url"] == str(world / "videos/part_1/0.mp4")
    assert content[1]["url"].startswith(str(world / "cache/wav"))
    assert Path(content[1]["url"]).is_file()
    assert content[2]["text"] == "Clip 0, why? (A) a raised voice (B) a sob"
    settings = handed["emorealm_reasoning_basic_audio"]["gen"]
    assert (settings["max_new_tokens"], settings["do_sample"], settings["until"]) == (16, False, [])


def test_the_floors_withhold_and_exchange_media(chat_run, world):
    handed = chat_run[3]
    blind = [entry["messages"][0]["content"] for entry in handed if entry["task"].startswith("emorealm_blind")]
    assert len(blind) == 20
    assert all([item["type"] for item in content] == ["text"] for content in blind)
    samples = chat_run[2]
    for sample in samples["emorealm_shuffled_modality_agreement"]:
        record = sample["emorealm_score"]["record"]
        own, other = (int(record[key][len("part_1/") : -len(".mp4")]) for key in ("clip", "given_clip"))
        assert own // 2 != other // 2  # another emotion
    shuffled = [entry for entry in handed if entry["task"] == "emorealm_shuffled_modality_agreement"]
    assert shuffled[0]["messages"][0]["content"][0]["url"] == str(
        world / "videos" / samples["emorealm_shuffled_modality_agreement"][0]["emorealm_score"]["record"]["given_clip"]
    )
    assert {s["emorealm_score"]["record"]["media"] for s in samples["emorealm_blind_modality_agreement"]} == {"none"}


def test_likelihoods_are_asked_of_a_chat_model_too(chat_run, world):
    done, _, samples, handed = chat_run
    first = next(entry for entry in handed if entry["task"] == "emorealm_likelihood_modality_agreement")
    assert (first["context"], first["option"]) == ("Clip 0, why? (A) Yes (B) No", " A")
    assert first["visuals"] == [str(world / "videos/part_1/0.mp4")]
    records = [s["emorealm_score"]["record"] for s in samples["emorealm_likelihood_modality_agreement"]]
    assert [record["strict"] for record in records] == ["B"] * 4
    assert [record["official"] for record in records] == [False, True, False, True]
    groups = {name: rows for name, rows in _table(done.stdout).items() if "table5_basic" in rows}
    assert {"emorealm", "emorealm_blind", "emorealm_shuffled", "emorealm_likelihood"} <= set(groups)


def test_missing_clips_stop_before_the_model_loads(world):
    done = _run(world, "--tasks", "emorealm", "--model", "no_such_model", EMOREALM_VIDEOS=str(world / "elsewhere"))
    assert done.returncode == 2
    assert "4 of 4 clips cannot be used: 4 missing." in done.stderr
    assert str(world / "elsewhere") in done.stderr
    assert "EMOREALM_VIDEOS" in done.stderr
    assert "Traceback" not in done.stderr + done.stdout


def test_going_on_without_clips_counts_them_beside_the_scores(world):
    broken = world / "broken"
    (broken / "part_1").mkdir(parents=True)
    for n in (0, 1):
        (broken / f"part_1/{n}.mp4").symlink_to(world / f"videos/part_1/{n}.mp4")
    done = _run(world, "--tasks", "emorealm_modality_agreement", "--model", "dummy",
                EMOREALM_VIDEOS=str(broken), EMOREALM_ALLOW_MISSING="1")  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    shown = _table(done.stdout)["emorealm_modality_agreement"]
    assert (shown["clips_missing"], shown["questions_left_out"]) == (2, 2)
    assert shown["emorealm_score"] == 50


def test_avere_answers_and_weighs_options_in_one_run_and_says_what_it_was_given(world, tiny_avere):
    out = world / "avere"
    names = [f"emorealm{variant}_modality_agreement" for variant in ("", "_shuffled", "_likelihood")]
    done = _run(world, "--tasks", ",".join(names), "--model", "avere", "--model_args", f"pretrained={tiny_avere}",
                "--batch_size", "2", "--output_path", str(out), "--log_samples")  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    _, samples = _saved(out)
    assert len(samples) == 3
    for name, of_task in samples.items():
        for sample in of_task:
            record = sample["emorealm_score"]["record"]
            assert record["error"] == ""
            assert record["media"]["clip"] == record["media"]["audio"]  # the sound in the mp4 itself
            assert record["media"]["clip"].endswith(record["given_clip"])
            assert (record["media"]["frames"], len(record["media"]["times"])) == (4, 4)
            assert record["media"]["audio_seconds"] == pytest.approx(0.5, abs=0.1)
            assert (record["given_clip"] != record["clip"]) == ("shuffled" in name)
    weighed = [s["emorealm_score"]["record"]["strict"] for s in samples["emorealm_likelihood_modality_agreement"]]
    assert set(weighed) <= {"A", "B"}
