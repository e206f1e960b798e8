"""A worker behind the real command line: in one process and in two, against the same model asked directly."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from lmms_eval.api.instance import Instance

from model_adapters.avere.adapter import AvereChat

LIMIT = 3
TASKS = "emorealm_mini"
ARGUMENTS = "worker=avere_native,checkpoint=avere_nano,device=cpu"
TWO = ["accelerate.commands.launch", "--multi_gpu", "--num_processes", "2", "--num_machines", "1"]
TWO += ["--mixed_precision", "no", "--dynamo_backend", "no", "--main_process_port", "0", "-m"]


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A small build of the embedded benchmark, and the variables that lead there."""
    folder = tmp_path_factory.mktemp("external")
    build = [str(Path(sys.executable).with_name("emorealm-mini")), "build", "--out", str(folder / "mini")]
    subprocess.run([*build, "--clips", "40"], check=True, capture_output=True)
    kept = {key: value for key, value in os.environ.items() if not key.startswith("EMOREALM_")}
    found = {"EMOREALM_MINI": str(folder / "mini"), "EMOREALM_CACHE": str(folder / "cache")}
    return folder, kept | found | {
        "HF_HUB_OFFLINE": "1",
        "CUDA_VISIBLE_DEVICES": "",
        "OPENAI_API_KEY": "not for workers",
    }


def evaluate(world, name, *launcher):
    folder, variables = world
    command = [sys.executable, "-m", *launcher, "lmms_eval", "--tasks", TASKS, "--limit", str(LIMIT), "--log_samples"]
    command += ["--model", "external_worker", "--model_args", ARGUMENTS, "--gen_kwargs", "max_new_tokens=5"]
    done = subprocess.run(
        [*command, "--output_path", str(folder / name)], env=variables, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    (path,) = (folder / name).rglob("*_results.json")
    samples = {}
    for file in (folder / name).rglob("*_samples_*.jsonl"):
        lines = [json.loads(line) for line in file.read_text().splitlines()]
        samples[file.name.partition("_samples_")[2]] = sorted(lines, key=lambda line: line["doc_id"])
    return json.loads(path.read_text())["results"], samples


@pytest.fixture(scope="module")
def alone(world):
    return evaluate(world, "alone")


def records(samples):
    return [line["emorealm_score"]["record"] for task in sorted(samples) for line in samples[task]]


def test_a_worker_gives_the_answers_that_avere_gives_itself(world, alone):
    """The worker hears a wav cut out of the clip, `avere` the clip itself; both say how much the model was given."""
    mini = world[0] / "mini"
    items = {item["id"]: item for item in json.loads((mini / "emorealm_v1.json").read_text())}
    answered = records(alone[1])
    assert len(answered) == 5 * LIMIT
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
    assert all(record["media"]["frames"] > 0 and record["media"]["audio_seconds"] > 1 for record in answered)


def test_two_processes_give_the_same_result_file_as_one(world, alone):
    results, samples = evaluate(world, "two", *TWO)
    assert results == alone[0]
    assert samples.keys() == alone[1].keys()
    for task, lines in samples.items():
        assert [line["doc_id"] for line in lines] == list(range(LIMIT)), task
    assert [record["raw"] for record in records(samples)] == [record["raw"] for record in records(alone[1])]
