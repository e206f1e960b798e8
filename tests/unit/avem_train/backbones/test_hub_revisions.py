"""A hub id's revision is the one that is loaded; the hub's own cache stands in for it."""

import os
import subprocess
import sys

COMMITS = "1" * 40, "2" * 40
FIND = "import sys; from avem_train.backbones import loading; print(loading.find(sys.argv[1]))"


def found(cache, named):
    environment = os.environ | {"HF_HUB_CACHE": str(cache), "HF_HUB_OFFLINE": "1"}
    command = [sys.executable, "-c", FIND, named]
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False, timeout=120)


def test_a_model_is_taken_at_its_revision_and_its_folder_says_which(tmp_path):
    model = tmp_path / "models--org--name"
    for commit in COMMITS:
        (model / "snapshots" / commit).mkdir(parents=True)
        (model / "snapshots" / commit / "config.json").write_text('{"model_type": "avere"}')
    (model / "refs").mkdir()
    (model / "refs" / "main").write_text(COMMITS[0])
    assert found(tmp_path, "org/name").stdout.strip().endswith(COMMITS[0])
    assert found(tmp_path, f"org/name@{COMMITS[1]}").stdout.strip().endswith(COMMITS[1])
    unknown = found(tmp_path, "org/name@v9")
    assert unknown.returncode == 2
    assert unknown.stderr.strip().splitlines()[-1].startswith("emorealm: model=org/name@v9: ")
