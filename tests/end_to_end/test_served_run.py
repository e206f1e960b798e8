"""`openai_av` asks `transformers serve`, which sees and hears, through the real command line; the key stays hidden."""

import json
import os
import sys
from pathlib import Path

import pytest
import serving

import warm_commands
from chat_requests import ask
from model_adapters.engines.openai_server import OpenAIAV

BIN = Path(sys.executable).parent
KEY = "sk-very-secret-key-of-a-run"


@pytest.fixture(scope="module")
def server(tmp_path_factory, tiny_omni):
    serving.skip_without_transformers_serve()
    running = serving.start(tiny_omni, tmp_path_factory.mktemp("server"))
    yield running
    serving.stop(running)


@pytest.fixture(scope="module")
def run(tmp_path_factory, server):
    """One run over two questions: the process, its records and its folder."""
    folder = tmp_path_factory.mktemp("served")
    kept = {key: value for key, value in os.environ.items() if not key.startswith("EMOREALM_")}
    variables = kept | {"EMOREALM_MINI": str(folder / "mini"), "EMOREALM_CACHE": str(folder / "cache")}
    variables |= {"HF_HUB_OFFLINE": "1", "CUDA_VISIBLE_DEVICES": "", "OPENAI_API_KEY": KEY}

    def command(*words):
        line = [str(BIN / words[0]), *words[1:]]
        return warm_commands.run(line, variables, folder)

    built = command("emorealm-mini", "build", "--out", str(folder / "mini"), "--clips", "10")
    assert built.returncode == 0, built.stderr
    arguments = f"model={server.model},base_url={server.url},frames=2,concurrency=1,price=2;10"
    done = command("lmms-eval", "--model", "openai_av", "--model_args", arguments, "--log_samples",
                   "--tasks", "emorealm_mini_modality_agreement", "--limit", "2",
                   "--output_path", str(folder / "run"))  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    [samples] = (folder / "run").rglob("*_samples_*.jsonl")
    return done, [json.loads(line)["emorealm_score"]["record"] for line in samples.open()], folder


def test_questions_are_asked_with_picture_and_sound_answered_and_scored(run):
    done, records, _ = run
    assert len(records) == 2
    for record in records:
        assert record["raw"]
        assert not record["error"]
        assert record["media"]["frames"] == 2
        assert record["media"]["audio_seconds"] >= 2
    assert "2 answers, " in done.stdout + done.stderr


def test_the_key_is_written_nowhere(run):
    done, _, folder = run
    assert KEY not in done.stdout + done.stderr
    written = [path for path in (folder / "run").rglob("*") if path.is_file()]
    assert len(written) >= 2
    assert not [path for path in written if KEY in path.read_text(errors="replace")]


def test_another_sound_and_another_picture_are_other_questions(server, make_clip, tmp_path):
    clips = [str(make_clip(tmp_path / f"{i}.mp4", seconds=1 + i, tone=300.0 * (i + 1), size=64)) for i in range(2)]
    model = OpenAIAV(model=server.model, base_url=server.url, frames=2, concurrency=1, device="cpu")
    docs = [("Why?", clips[i], j if j is None else clips[j]) for i, j in ((0, 0), (1, 0), (0, 1), (0, None))]
    answers = ask(model, [*docs, docs[0]], max_new_tokens=12)
    assert answers[4] == answers[0]
    assert len(set(answers)) == 4
