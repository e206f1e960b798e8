"""The shipped workers around their official repositories' own code, with tiny random weights.

The repositories pin libraries that exclude one another, so this runs where they are at hand, and is skipped elsewhere:

    export EMOREALM_OFFICIAL=/official    # there NAME/bin/python, an environment, and NAME/src, a checkout
    pytest tests/unit/model_adapters/external_worker/test_official_code.py

Each script in tests/official says at its head what its environment needs, and what it stands in for.
"""

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

from emorealm_tasks import media
from model_adapters.external_worker.environment import SCRIPTS

OFFICIAL = Path(os.environ.get("EMOREALM_OFFICIAL", "/no/where"))
HERE = Path(__file__).parents[3] / "official"
NAMES = sorted(path.stem for path in HERE.glob("*.py") if path.stem not in ("common", "emotion_llama_numbers"))


@pytest.mark.parametrize("name", NAMES)
def test_a_worker_on_official_code_hears_and_sees(name, make_clip, tmp_path):
    python, checkout = OFFICIAL / name / "bin" / "python", OFFICIAL / name / "src"
    if not python.exists():
        pytest.skip(f"{name}: not at hand, see the head of this file")
    made = {"a": {"level": 16, "tone": 220.0}, "b": {"level": 120, "tone": 880.0}}  # of one length, from frame 0 on
    videos = [str(make_clip(tmp_path / f"{clip}.mp4", **how)) for clip, how in made.items()]
    given = [path for video in videos for path in (video, str(media.separate_wav(video, tmp_path)))]
    done = subprocess.run(
        [python, HERE / f"{name}.py", SCRIPTS, checkout, tmp_path / "weights", *given],
        env={**os.environ, "HF_HUB_OFFLINE": "1", "CUDA_VISIBLE_DEVICES": "", "PYTHONPATH": ""},
        cwd=checkout,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    asked = json.loads(done.stdout.splitlines()[-1])
    kinds = {one["kind"] for one in asked}
    assert kinds, "the worker takes nothing"
    for kind in kinds:
        first, again, *others = (one for one in asked if one["kind"] == kind)
        assert first["scores"] == again["scores"], f"{name}, {kind}: the same question got other scores"
        for other in others:
            change = np.abs(np.subtract(first["scores"], other["scores"])).max()
            assert change > 1e-6, f"{name}, {kind}: clips {other['clips']} changed nothing against {first['clips']}"
