"""`pretrained=org/name@revision`: the hub's cache stands in for the hub, with two commits of one model."""

import os
import shutil
import sys

import pytest

import warm_commands

COMMITS = "1" * 40, "2" * 40
LOAD = """
import sys
from model_adapters.in_process.audio_visual import Qwen25OmniAV

model = Qwen25OmniAV(pretrained=sys.argv[1], device="cpu")
print(model.model.config.said, model.fingerprint)
"""


def load(cache, named):
    environment = os.environ | {"HF_HUB_CACHE": str(cache), "HF_HUB_OFFLINE": "1"}
    command = [sys.executable, "-c", LOAD, named]
    return warm_commands.run(command, environment)


@pytest.mark.slow
def test_a_model_is_loaded_at_the_revision_named(tiny_omni, tmp_path):
    model = tmp_path / "models--org--name"
    for commit in COMMITS:
        folder = shutil.copytree(tiny_omni, model / "snapshots" / commit)
        config = folder / "config.json"
        config.write_text(config.read_text().replace("{", f'{{"said": "{commit[0]}",', 1))
    (model / "refs").mkdir()
    (model / "refs" / "main").write_text(COMMITS[0])
    newest, named = load(tmp_path, "org/name"), load(tmp_path, f"org/name@{COMMITS[1]}")
    assert newest.returncode == 0, newest.stderr[-3000:]
    assert (newest.stdout.split()[-2:-1], named.stdout.split()[-2:-1]) == (["1"], ["2"]), newest.stderr + named.stderr
    assert newest.stdout.split()[-1] != named.stdout.split()[-1]
    unknown = load(tmp_path, "org/name@v9")
    assert unknown.returncode == 2
    assert unknown.stderr.strip().splitlines()[-1].startswith("emorealm: qwen2_5_omni_av: org/name")
