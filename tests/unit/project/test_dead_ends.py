"""Places where a user's first hour stopped: each says, on the real command line, what is wrong or what to do."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from emorealm_tasks import settings
from emorealm_tasks.chat_client import ChatClient, RequestFailed

ROOT = Path(__file__).resolve().parents[3]


def run(*command):
    variables = os.environ | {"PYTHONPATH": f"{ROOT}:{ROOT / 'results'}"}
    return subprocess.run([sys.executable, *command], capture_output=True, text=True, env=variables, check=False)


def test_the_help_of_a_recipe_lists_its_settings():
    shown = run("-m", "avem_train.cli", "run", "naive_dpo", "--help")
    assert shown.returncode == 0, shown.stderr
    assert "  objective.gamma_tpd=0" in shown.stdout
    assert "Text prior debiasing (Eq. 7), 0 = none" in shown.stdout
    assert "  out=(must be given)" in shown.stdout


@pytest.mark.parametrize("how", [[str(ROOT / "model_adapters/workers/vita.py")], ["-m", "model_adapters.workers.vita"]])
def test_a_workers_help_is_no_traceback(how):
    shown = run(*how, "--help")
    assert (shown.returncode, shown.stderr) == (0, "")
    assert "--checkpoint" in shown.stdout


EVALUATION = ("emorealm_results.cli", "eval", "--model", "avere", "--tasks")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "problem"),
    [
        (("emorealm_results.cli", "table", "none"), "none: "),
        (("emorealm_results.cli", "compare", "none", "none"), "none: "),
        (("avem_train.cli", "run", "avem_dpo", "data=none", "out=there"), "none: there is no such file"),
        (("avem_train.cli", "run", "avem_dpo", f"data={__file__}", "model=none"), "none: there is no such folder"),
        (("model_adapters.avere.convert", "--source", "none", "--out", "there"), "none/config.json: no such file"),
        (
            ("model_adapters.avere.assemble", "--language-model=none", "--video-tower=x", "--audio-tower=x", "--out=x"),
            "none/config.json: no such file; name the folder of each part",
        ),
        (
            ("model_adapters.emotion_llama.convert", "--checkpoint=none", "--eva=x", "--llama=x", "--out=x"),
            "none: no such file",
        ),
        (("model_adapters.emotion_llama.convert_faces", "--mae=none", "--videomae=x", "--out=x"), "none: no such file"),
        (
            ("model_adapters.emotion_llama.extract_features", "--clips=none", "--towers=x", "--out=x"),
            "none: no such folder",
        ),
        ((*EVALUATION, "emorealm"), "EMOREALM_VIDEOS is not set"),
        ((*EVALUATION, "emorealm_min"), "no task 'emorealm_min'; did you mean emorealm_mini?"),
        ((*EVALUATION, "emorealm_mini_blind", "--model_args", "pretrained=none"), "none cannot be used as weights"),
    ],
)
def test_a_missing_file_is_told_before_heavy_libraries_are_imported(command, problem, monkeypatch):
    monkeypatch.delenv("EMOREALM_VIDEOS", raising=False)
    heavy = {"sklearn", "scipy.stats", "transformers", "torch", "lmms_eval.__main__"}
    code = "import sys, runpy; sys.argv = sys.argv[1:]\ntry: runpy.run_module(sys.argv[0], run_name='__main__')\n"
    code += f"finally: print({heavy} & set(sys.modules))"
    shown = run("-c", code, *command)
    assert problem in shown.stderr
    assert shown.stderr.count("\n") == 1
    assert shown.stdout.strip().endswith("set()")


def test_the_check_of_missing_weights_imports_no_harness():
    code = "import sys\nfrom emorealm_results import cli\n"
    code += (
        "cli.main(['check', '--tasks', 'emorealm_mini_blind', '--model', 'avere', '--model_args', 'pretrained=none'])\n"
    )
    code += "print('lmms_eval.models' in sys.modules)"
    shown = run("-c", code)
    assert "none cannot be used as weights" in shown.stderr
    assert shown.stdout.splitlines()[-1] == "False"


@pytest.mark.slow
def test_a_missing_model_of_a_study_is_told_before_transformers_is_imported():
    code = "import sys\nfrom avem_train import cli\ntry: cli.main(['study', 'mini', 'model=none'])\n"
    code += "finally: print('transformers' in sys.modules)"
    shown = run("-c", code)
    assert "none: there is no config.json in it" in shown.stderr
    assert shown.stdout.strip() == "False"


def test_a_mistyped_variable_is_told(monkeypatch, capsys):
    monkeypatch.setenv("EMOREALM_VIDEO", "/data")
    monkeypatch.setenv("EMOREALM_MY_JUDGES_KEY", "k")
    monkeypatch.setenv("EMOREALM_JUDGE_KEY", "EMOREALM_MY_JUDGES_KEY")
    settings.load()
    (line,) = capsys.readouterr().err.splitlines()
    assert "EMOREALM_VIDEO is set, and is no variable of ours; did you mean EMOREALM_VIDEOS?" in line


def test_a_refused_connection_names_the_server():
    client = ChatClient("m", "k", "http://127.0.0.1:9/v1", timeout=5, retries=0, options={})
    with pytest.raises(RequestFailed, match=r"http://127\.0\.0\.1:9/v1/: APIConnectionError.* Is the server up\?"):
        client.answer([{"role": "user", "content": "?"}])


def test_a_table_of_predict_only_advises_nothing_that_fails(tmp_path):
    sample = {"doc_id": 0, "target": "D", "filtered_resps": "D", "bypass": [["D"], ["D"]]}
    name = "20260101_000000_samples_emorealm_mini_reasoning_basic_audio.jsonl"
    (tmp_path / name).write_text(json.dumps(sample) + "\n")
    (tmp_path / "20260101_000000_results.json").write_text(json.dumps({"model_source": "avere", "config": {}}))
    shown = run("-m", "emorealm_results.cli", "table", str(tmp_path))
    assert shown.returncode == 2
    assert "--predict_only left replies without scores; run it again without" in shown.stderr
