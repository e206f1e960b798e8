"""The released AVERE behind its worker, and `avere`: the same prompts, the same logits.

The released code needs libraries of its own and its licence keeps it out of this repository, so the two are compared
through the numbers it left in tests/golden/data, in three steps:

1. The worker puts a question into exactly the prompts of those numbers: first test here, on a stub that joins the
   template as the released code does.
2. `avere` makes the same prompts and the released ids of them, and from the stored pixels and mel features the
   released scores of every step of greedy decoding, within 1e-4: TestGeneration in tests/golden/test_avere_numbers.py.
3. What the worker hands over is what the released processors make, its random mirroring taken out (test_released_avere
   in test_worker_scripts.py); what `avere` makes itself is equal to that: tests/golden/test_avere_frontend.py.

Open stays whether the released code bears the worker's calls. The last test asks it, where it is at hand:

    export EMOREALM_RELEASED_PYTHON=/envs/avere/bin/python EMOREALM_RELEASED_AVERE=/src/AVERE
    pytest tests/unit/model_adapters/avere/test_released_avere.py
"""

import json
import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

import stub_repositories
from model_adapters.external_worker.environment import SCRIPTS
from worker_session import Session

DATA = Path(__file__).parents[3] / "golden" / "data" / "avere_dev" / "dev"
ASKED = json.loads((DATA / "meta.json").read_text())["gen"]
CASES = {
    "gen_av_eval": ("both", "tokenizer_audio_and_image_token"),
    "gen_video_only": ("video", "tokenizer_image_token"),
    "gen_audio_only": ("audio", "tokenizer_audio_token"),
}
TEMPLATE = stub_repositories.conversation("llava_v1", style="TWO") + (
    f"""
def get_prompt(self):
    turns = [f"{{role}}: {{message}} " if message else f"{{role}}:" for role, message in self.messages]
    return {ASKED["gen_av_eval"]["prompt"].partition("USER:")[0]!r} + "".join(turns)

Conversation.roles, Conversation.get_prompt = ("USER", "ASSISTANT"), get_prompt
"""
)
PYTHON, CHECKOUT = (os.environ.get(f"EMOREALM_RELEASED_{name}") for name in ("PYTHON", "AVERE"))


def question(case):
    return ASKED[case]["prompt"].rpartition("\n")[2].removesuffix(" ASSISTANT:")


@pytest.mark.parametrize("case", CASES)
def test_the_worker_asks_in_the_prompt_of_the_golden_numbers(tmp_path, case):
    kind, tokenizer = CASES[case]
    template = {"avere/conversation.py": TEMPLATE}
    session = Session(tmp_path, "avere_official", [kind], prompt=question(case), files=template)
    assert session.one(tokenizer)["args"][0] == ASKED[case]["prompt"], session.errors


@pytest.mark.skipif(not (PYTHON and CHECKOUT), reason="the released code is not at hand: see the head of this file")
def test_the_released_code_behind_the_worker_gives_the_golden_scores(tmp_path):
    checkpoint, scores = tmp_path / "avere-tiny", tmp_path / "scores.npz"
    shutil.copytree(DATA, checkpoint)
    config = json.loads((DATA / "config.json").read_text())
    (checkpoint / "config.json").write_text(json.dumps(config | {"mm_image_tower": None}))  # for single pictures
    questions = {case: {**ASKED[case], "prompt": question(case)} for case in CASES}
    (checkpoint / "questions.json").write_text(json.dumps(questions))
    driver = str(Path(__file__).parents[3] / "helpers" / "released_avere.py")
    done = subprocess.run(
        [PYTHON, driver, str(SCRIPTS), CHECKOUT, str(checkpoint), str(scores)],
        env={**os.environ, "HF_HUB_OFFLINE": "1", "PYTHONPATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    given, inputs, expected = np.load(scores), np.load(DATA / "inputs.npz"), np.load(DATA / "expected.npz")
    for case in CASES:
        assert np.array_equal(given[f"{case}/input_ids"], inputs[f"{case}/input_ids"])
        np.testing.assert_allclose(given[f"{case}/step_scores"], expected[f"{case}/step_scores"], atol=1e-4, rtol=0)
