"""A worker, a model of transformers and `avere` on the real command line: in one process, in two, from the cache."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from lmms_eval.api.instance import Instance

import two_ranks
import warm_commands
from model_adapters.avere.adapter import AvereChat

LIMIT = 3
TASKS = "emorealm_mini"
CONDITIONS = ",".join(f"emorealm_mini{how}_reasoning_basic_audio" for how in ("", "_blind", "_shuffled"))
CACHED = [("avere", f"{CONDITIONS},emorealm_mini_likelihood_reasoning_basic_audio"), ("qwen2_5_omni_av", CONDITIONS)]


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A small build of the embedded benchmark, and the variables that lead there."""
    folder = tmp_path_factory.mktemp("adapters")
    build = [str(Path(sys.executable).with_name("emorealm-mini")), "build", "--out", str(folder / "mini")]
    subprocess.run([*build, "--clips", "40"], check=True, capture_output=True)
    kept = {key: value for key, value in os.environ.items() if not key.startswith("EMOREALM_")}
    found = {"EMOREALM_MINI": str(folder / "mini"), "EMOREALM_CACHE": str(folder / "cache")}
    return folder, kept | found | {
        "HF_HUB_OFFLINE": "1",
        "GIT_DIR": os.devnull,  # lmms-eval takes the commit of the repository it lies in for its version: new keys
        "CUDA_VISIBLE_DEVICES": "",
        "OPENAI_API_KEY": "not for workers",
    }


@pytest.fixture(scope="module")
def arguments(tiny_omni):
    return {
        "external_worker": "worker=avere_native,checkpoint=avere_nano,device=cpu",
        "qwen2_5_omni_av": f"pretrained={tiny_omni},frames=4,device=cpu",
        "avere": "device=cpu",
        "emotion_llama": "pretrained=emotion_llama_nano,device=cpu",
    }


@pytest.fixture(scope="module")
def evaluate(world, arguments):
    """evaluate(model, name, launcher, options) -> results and samples of one run, kept under `name`."""
    folder, variables = world

    def run(model, name, launcher=(), tasks=TASKS, options=()):
        command = [sys.executable, *(launcher or ["-m"]), "lmms_eval", "--tasks", tasks, "--limit", str(LIMIT)]
        command += ["--model", model, "--model_args", arguments[model], "--gen_kwargs", "max_new_tokens=5"]
        command += ["--log_samples", "--output_path", str(folder / model / name), *options]
        environment = variables | {"EMOREALM_MEDIA_LOG": str(folder / f"{model}.jsonl")}
        done = warm_commands.run(command, environment)
        assert done.returncode == 0, done.stderr[-3000:]
        (path,) = (folder / model / name).rglob("*_results.json")
        samples = {}
        for file in (folder / model / name).rglob("*_samples_*.jsonl"):
            lines = [json.loads(line) for line in file.read_text().splitlines()]
            samples[file.name.partition("_samples_")[2]] = lines
        return json.loads(path.read_text())["results"], samples

    return run


@pytest.fixture(scope="module")
def alone(evaluate):
    """The one-process run of a model, made once."""
    made = {}

    def run(model):
        if model not in made:
            made[model] = evaluate(model, "alone")
        return made[model]

    return run


def records(samples):
    return [line["emorealm_score"]["record"] for task in sorted(samples) for line in samples[task]]


@pytest.mark.parametrize("model", ["external_worker", "qwen2_5_omni_av", "emotion_llama"])
def test_every_task_is_answered_with_picture_and_sound(alone, model):
    results, samples = alone(model)
    assert len(samples) == 5
    assert {"emorealm_mini", *(name.removesuffix(".jsonl") for name in samples)} <= set(results)
    answered = records(samples)
    assert len(answered) == 5 * LIMIT
    for record in answered:
        assert record["media"]["frames"] > 0
        assert record["media"]["audio_seconds"] >= 2
        assert record["raw"]
        assert not record["error"]


def test_the_embedded_emotion_llama_answers_in_its_own_form_and_is_read_right(alone):
    answered = records(alone("emotion_llama")[1])
    assert all(record["raw"] == record["raw"].lower() and "." not in record["raw"] for record in answered)
    assert all(record["strict"] and record["media"]["frames"] == 1 for record in answered)
    assert sum(record["strict"] == record["gold"] for record in answered) > len(answered) / 2
    assert all(record["official"] == (record["strict"] == record["gold"]) for record in answered)


def test_a_worker_gives_the_answers_that_avere_gives_itself(world, alone):
    """The worker hears a wav cut out of the clip, `avere` the clip itself."""
    mini = world[0] / "mini"
    items = {item["id"]: item for item in json.loads((mini / "emorealm_v1.json").read_text())}
    answered = records(alone("external_worker")[1])
    docs = [items[record["id"]] for record in answered]
    model = AvereChat(device="cpu", batch_size=5)
    model.task_dict["emorealm_mini_all"] = {"test": docs}

    def to_messages(doc):
        path = str(mini / "videos" / doc["video"])
        text = {"type": "text", "text": " ".join([doc["question"], *doc["choices"]])}
        return [{"role": "user", "content": [{"type": "video", "url": path}, {"type": "audio", "url": path}, text]}]

    requests = [
        Instance(
            request_type="generate_until",
            arguments=("", to_messages, {"max_new_tokens": 5, "until": []}, number, "emorealm_mini_all", "test"),
            idx=0,
            metadata={"task": "emorealm_mini_all", "doc_id": number, "repeats": 1},
        )
        for number in range(len(docs))
    ]
    assert [record["raw"] for record in answered] == [result.text for result in model.generate_until(requests)]
    assert len({record["raw"] for record in answered}) > 1


@pytest.mark.parametrize("model", ["external_worker", "qwen2_5_omni_av", "avere"])
def test_two_processes_give_the_same_result_file_as_one(world, evaluate, alone, model):
    expected, of_one = alone(model)
    log = world[0] / f"{model}.jsonl"
    lines = len(log.read_text().splitlines())
    results, samples = evaluate(model, "two", launcher=two_ranks.FORKS)
    clips = [json.loads(line)["clip"] for line in log.read_text().splitlines()[lines:]]
    assert len(clips) == len(set(clips)) > 1  # a clip is read by one process
    assert results == expected
    assert samples.keys() == of_one.keys()
    for task, lines in samples.items():
        assert [line["doc_id"] for line in lines] == list(range(LIMIT)), task
    assert [record["raw"] for record in records(samples)] == [record["raw"] for record in records(of_one)]


@pytest.mark.parametrize(("model", "tasks"), CACHED)
def test_asked_again_the_cache_answers_each_condition_for_itself(world, evaluate, model, tasks):
    """The audit log has a line for each answer that the model itself gave."""
    cache = world[0] / f"{model}_cache"
    options = ("--use_cache", str(cache))
    results, samples = evaluate(model, "first", tasks=tasks, options=options)
    given = (cache / "cache.audit.jsonl").read_text()
    assert given
    again, from_cache = evaluate(model, "second", tasks=tasks, options=options)
    assert (cache / "cache.audit.jsonl").read_text() == given
    assert again == results
    assert records(from_cache) == records(samples)
