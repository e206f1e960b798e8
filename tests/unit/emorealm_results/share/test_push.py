"""`emorealm push` by the hub's real client, to a hub on this machine."""

import io
import json
import os
import subprocess
import sys
from collections import namedtuple
from pathlib import Path

import huggingface_hub.constants
import pandas as pd
import pytest
import yaml

import hub_stand_in
import recognition_runs
import run_folders
from emorealm_results import cli
from emorealm_results.share import licences

ROOT = Path(__file__).resolve().parents[4]


@pytest.fixture(scope="module")
def hub():
    with hub_stand_in.Hub() as running:
        yield running


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run of the embedded benchmark and of dfew, whose question, path and key must not be published."""
    folder = tmp_path_factory.mktemp("runs") / "first"
    tasks = run_folders.whole()
    for rows in tasks.values():
        rows[7]["error"] = "/home/somebody/clips/7.mp4: out of memory"
        rows[0]["question"] = "Does the tear show sorrow?"
    run_folders.write(
        folder, tasks, pretrained="/home/somebody/weights,api_key=verysecret,max_new_tokens=5", asked={"frames": 8}
    )
    return folder


Done = namedtuple("Done", "returncode stdout stderr")


@pytest.fixture
def push(hub, monkeypatch, capsys, tmp_path):
    """The verb in this process, led to the stand-in or to another address."""

    def call(*arguments, token=hub_stand_in.TOKEN, address=hub.address, offline=False):
        settings = {"ENDPOINT": address, "HF_HUB_OFFLINE": offline, "HF_HUB_DISABLE_XET": True}
        settings["HF_TOKEN_PATH"] = str(tmp_path / "no_token_of_a_login")
        for name, value in settings.items():
            monkeypatch.setattr(huggingface_hub.constants, name, value)
        monkeypatch.setenv("HF_TOKEN", token)
        capsys.readouterr()
        try:
            status = cli.main(["push", *map(str, arguments)])
        except SystemExit as stopped:
            status = stopped.code
        return checked(Done(status, *capsys.readouterr()))

    return call


def checked(done):
    """What a command ended with, which told no token."""
    for token in (hub_stand_in.TOKEN, hub_stand_in.READER):
        assert token not in done.stdout + done.stderr
    return done


def refusal(done):
    """The one line with which a command ended."""
    assert done.returncode == 2, done.stderr
    lines = [line for line in done.stderr.splitlines() if not line.startswith("emorealm: uploading")]
    assert len(lines) == 1, done.stderr
    return lines[0]


def metadata(card):
    return yaml.safe_load(card.split("---\n")[1])


def test_runs_become_a_private_dataset_with_a_card(hub, run):
    line = [sys.executable, "-m", "emorealm_results.cli", "push", str(run), "--to", "org/runs"]
    done = checked(
        subprocess.run(line, capture_output=True, text=True, env=os.environ | hub.environment(), timeout=120)
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{hub.address}/datasets/org/runs: 40 samples and 102 scores of 1 run\n"
    made = hub.repositories["datasets/org/runs"]
    assert made["private"]
    assert set(made["files"]) == {"README.md", "samples.parquet", "scores.parquet"}
    samples = pd.read_parquet(io.BytesIO(made["files"]["samples.parquet"]))
    assert len(samples) == 40
    assert "Does the tear show sorrow?" in set(samples.question)
    card = made["files"]["README.md"].decode()
    assert metadata(card)["license"] == "apache-2.0"
    assert {one["data_files"] for one in metadata(card)["configs"]} == set(made["files"]) - {"README.md"}
    for part in ("mean accuracy [95%]", "| frames  | 8", "lmms-eval", "Clips are no part", "td682AAuPr"):
        assert part in card
    everything = b"".join(made["files"].values())
    for secret in (b"/home/somebody", b"verysecret", hub_stand_in.TOKEN.encode()):
        assert secret not in everything
    assert "pretrained=weights,api_key=***,max_new_tokens=5" in card
    assert set(samples.error) == {"", "7.mp4: out of memory"}


def test_texts_of_a_licensed_benchmark_stay_here(push, run, tmp_path):
    recognition_runs.write(tmp_path / "run")
    assert push(tmp_path / "run", "--to", "org/runs", "--dry-run", tmp_path / "out", token="").returncode == 0
    killed = tmp_path / "out" / ".samples.parquet.0123456789ab.new.parquet"
    killed.write_text("of a dry run that was killed")
    done = push(tmp_path / "run", "--to", "org/runs", "--dry-run", tmp_path / "out", token="")
    assert done.returncode == 0, done.stderr
    assert not killed.exists()
    samples = pd.read_parquet(tmp_path / "out" / "samples.parquet")
    assert samples[list(licences.WITHHELD)].isna().all(axis=None)
    assert set(samples.reply) >= {"angry", "calm"}
    assert samples.strict_right.tolist() == [True, False, True, True, True]
    card = (tmp_path / "out" / "README.md").read_text()
    assert metadata(card)["license"] == "other"
    assert "dfew: its own, on request" in card


def test_the_terms_are_those_of_the_page_on_licences():
    rows = [line for line in (ROOT / "docs" / "licences.md").read_text().splitlines() if line.startswith("|")]
    section = rows[rows.index("| **Benchmarks** | | |") + 1 : rows.index("| **AVERE** | | |")]
    stated = {cells[1].strip().lower(): cells[2].strip() for cells in (row.split("|") for row in section)}
    for benchmark, terms in licences.TERMS.items():
        assert [term for name, term in stated.items() if name.startswith(benchmark)] == [terms]


def test_public_is_said_aloud(push, hub, run):
    assert push(run, "--to", "org/open", "--public").returncode == 0
    assert not hub.repositories["datasets/org/open"]["private"]
    before = len(hub.seen)
    assert "is public; add --public" in refusal(push(run, "--to", "org/open"))
    assert not [path for _, path in hub.seen[before:] if path.endswith("/commit/main")]


@pytest.mark.parametrize(
    ("token", "line"),
    [
        ("", "no token for the hub; set HF_TOKEN"),
        ("hf_wrong", "does not know the token"),
        (hub_stand_in.READER, "the token may not write to org/runs"),
    ],
)
def test_a_token_that_does_not_do_ends_in_one_line(push, run, token, line):
    assert line in refusal(push(run, "--to", "org/runs", token=token))


def test_no_network_ends_in_one_line(push, run):
    with hub_stand_in.Hub() as gone:
        address = gone.address
    assert f"{address} cannot be reached" in refusal(push(run, "--to", "org/runs", address=address))
    assert "offline" in refusal(push(run, "--to", "org/runs", offline=True))


@pytest.mark.parametrize("name", ["runs", "a/b/c", "org/na me", "org/x--y", "org/x.git", "../x"])
def test_a_name_that_is_none_is_refused_before_any_work(push, name, tmp_path):
    assert "write ORG/NAME" in refusal(push(tmp_path, "--to", name))


@pytest.fixture
def trained(tmp_path):
    """What avem-train leaves of a finished training, with a base on this machine."""
    folder = tmp_path / "trained"
    (folder / "tensorboard").mkdir(parents=True)
    base = "/home/somebody/avere"
    about = {"settings": {"data": "/home/somebody/p.jsonl", "model": base}, "model": {"folder": base}, "steps": 3}
    (folder / "training.json").write_text(json.dumps(about | {"answering": {"prompt": "Yes/No?"}}))
    (folder / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": base, "r": 8}))
    (folder / "adapter_model.safetensors").write_bytes(b"weights")
    (folder / "README.md").write_text(f"---\nbase_model: {base}\nlicense: other\n---\n\n# trained\n")
    for name in ("recipe.yaml", "log.jsonl", ".emorealm.json", "tensorboard/events", "examined-mini.json"):
        (folder / name).write_text("{}")
    return folder


def test_a_trained_model_is_uploaded_with_its_card(push, hub, trained):
    assert "say with --base ORG/NAME" in refusal(push(trained, "--to", "org/model"))
    done = push(trained, "--to", "org/model", "--base", "org/avere")
    assert done.returncode == 0, done.stderr
    made = hub.repositories["models/org/model"]
    assert made["private"]
    assert set(made["files"]) == {"README.md", "adapter_config.json", "adapter_model.safetensors", "training.json"}
    assert made["files"]["adapter_model.safetensors"] == b"weights"
    assert json.loads(made["files"]["adapter_config.json"]) == {"base_model_name_or_path": "org/avere", "r": 8}
    about = json.loads(made["files"]["training.json"])
    assert about["settings"] == {"data": "p.jsonl", "model": "org/avere"}
    assert about["answering"] == {"prompt": "Yes/No?"}
    assert metadata(made["files"]["README.md"].decode())["base_model"] == "org/avere"
    assert "/home/somebody" in (trained / "training.json").read_text()  # the folder itself stays as it was


def test_a_training_that_is_under_way_is_no_model(push, hub, trained):
    (trained / "adapter_model.safetensors").unlink()
    assert "is not finished" in refusal(push(trained, "--to", "org/model", "--base", "org/avere"))


def test_a_dry_run_spares_what_others_put_there(push, run, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    line = refusal(push(run, "--to", "org/runs", "--dry-run", tmp_path))
    assert "notes.txt" in line
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_a_place_that_is_none_and_a_mixture_are_refused(push, run, trained, tmp_path):
    assert "nowhere: no such folder" in refusal(push(tmp_path / "nowhere", "--to", "org/runs"))
    assert "push it by itself" in refusal(push(run, trained, "--to", "org/runs"))
    assert "leave it out" in refusal(push(run, "--to", "org/runs", "--base", "org/avere"))
