"""What lmms-eval gets to know of us, in this process."""

import os
import subprocess
import sys

import pytest
import yaml

import warm_commands
from emorealm_results.runs.samples import read_samples
from emorealm_tasks import plugin
from emorealm_tasks.benchmarks import registry, suite
from emorealm_tasks.harness import current_run, media_log


@pytest.fixture(scope="module")
def manager():
    from lmms_eval.tasks import TaskManager

    plugin.register()
    plugin.register()  # a second call must not search the folders twice
    return TaskManager("ERROR", model_name="avere", include_defaults=False)


def test_all_tasks_and_groups_are_found_without_an_include_path(manager):
    assert set(manager.all_tasks) == set(plugin.describe())
    assert len(manager.all_tasks) == 2 * 6 * 6 + len(suite.TASK_NAMES) + len(suite.SUITES)


def test_including_our_folder_by_hand_is_harmless():
    from lmms_eval.tasks import TaskManager

    listed = TaskManager("ERROR", include_path=str(plugin.FOLDER), include_defaults=False)
    assert "emorealm_mini_blind" in listed.all_tasks


@pytest.mark.parametrize(
    ("words", "alone"),
    [
        (["--tasks", "emorealm_mini,emer"], True),
        (["--tasks=emorealm_mini_blind_modality_agreement"], True),
        (["--tasks", "emorealm,mme"], False),
        (["--tasks", "emorealm_*"], False),
        (["--tasks", "emorealm_mni"], False),
        (["--tasks", "emorealm", "--config", "runs.yaml"], False),
        (["--tasks", "emorealm", "--tasks", "mme"], False),
        (["--model", "--tasks"], False),
        ([], False),
    ],
)
def test_lmms_evals_own_tasks_are_read_unless_ours_alone_are_named(words, alone, manager, monkeypatch):
    from lmms_eval.tasks import TaskManager

    monkeypatch.setattr(sys, "argv", ["lmms-eval", *words])
    found = set(TaskManager("ERROR").all_tasks)
    assert found >= set(manager.all_tasks)
    assert ("mme" in found) == (not alone)


def test_groups_hold_their_five_members(manager):
    for benchmark in registry.BENCHMARKS:
        for variant in registry.VARIANTS:
            group = "_".join(filter(None, (benchmark, variant)))
            assert plugin._members(manager.task_index, [group]) == plugin.members(group)


def test_the_suites_hold_every_benchmark_once(manager):
    for group, parts in suite.SUITES.items():
        found = plugin._members(manager.task_index, [group])
        assert found == plugin.members(group)
        assert len(found) == len(set(found)) == len(parts) - 1 + 5
    assert plugin.members("dfew") == []


def test_recognition_tasks_ask_for_what_their_names_say(manager):
    from emorealm_tasks.benchmarks.recognition_rows import PROMPTS

    for name, asked in suite.TASK_NAMES.items():
        if asked.benchmark in suite.PROMPTED:
            config = manager._get_config(name)
            assert config["dataset_name"] == asked.benchmark
            assert config["test_split"] == (asked.variant or "one_word") in PROMPTS
            assert os.path.isfile(config["dataset_kwargs"]["data_files"][config["test_split"]])
            long = asked.variant == "detail"
            assert (config["generation_kwargs"]["max_new_tokens"] > 16) == long
            assert ("avere" in config["model_specific_generation_kwargs"]) != long


def test_each_task_asks_for_what_its_name_says(manager):
    for name, asked in registry.TASK_NAMES.items():
        config = manager._get_config(name)
        floor = asked.variant if asked.variant != "likelihood" else ""
        assert config["dataset_name"] == "_".join(filter(None, (asked.benchmark, floor))), name
        assert config["test_split"] == asked.task, name
        assert os.path.isfile(config["dataset_kwargs"]["data_files"][asked.task]), name
        assert (config["output_type"] == "multiple_choice") == (asked.variant == "likelihood"), name
        assert config.get("generation_kwargs", {}).get("until", []) == [], name


def test_model_families_name_modes_that_exist():
    from emorealm_tasks.settings import AV_MODES

    text = (plugin.FOLDER / "emorealm/_common.yaml").read_text().replace("!function ", "")
    families = yaml.safe_load(text)["lmms_eval_specific_kwargs"]
    assert families["avere"] == {"av_mode": "source", "simple": "source"}
    for family, modes in families.items():
        assert modes["av_mode"] in AV_MODES, family
        assert modes["simple"] in ("embedded", "separate", "source", "audio", "both"), family


def test_model_families_are_models_of_lmms_eval():
    from lmms_eval.models import list_available_models

    text = (plugin.FOLDER / "emorealm/_common.yaml").read_text().replace("!function ", "")
    named = set(yaml.safe_load(text)["lmms_eval_specific_kwargs"]) - {"default"}
    assert named <= set(list_available_models(include_aliases=True))


def test_the_likelihood_task_knows_the_model(manager):
    assert current_run.model_name() is None or isinstance(current_run.model_name(), str)
    from lmms_eval.tasks import TaskManager

    TaskManager("ERROR", model_name="avere", include_defaults=False)
    assert current_run.model_name() == "avere"


def test_a_side_file_is_named_once_and_removed_at_exit(monkeypatch, tmp_path):
    code = (
        "import os; from emorealm_tasks.harness import media_log as m; m.start(); first = os.environ[m.VARIABLE];"
        "m.start(); assert os.environ[m.VARIABLE] == first and os.path.exists(first); print(first)"
    )
    monkeypatch.delenv(media_log.VARIABLE, raising=False)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not os.path.exists(done.stdout.strip())


@pytest.mark.slow
def test_the_manifest_module_may_be_imported_first():
    code = (
        "import model_adapters.manifests;"
        "from lmms_eval.models import list_available_models; print('avere' in list_available_models())"
    )
    done = warm_commands.run([sys.executable, "-c", code], os.environ)
    assert done.stdout.strip() == "True", done.stderr


def test_half_an_emoji_costs_no_samples_and_a_password_is_not_published(tmp_path):
    from lmms_eval.loggers import EvaluationTracker

    plugin.register()
    tracker = EvaluationTracker(output_path=str(tmp_path))
    tracker.general_config_tracker.model_name_sanitized = "m"
    tracker.general_config_tracker.start_time = 0.0
    about = {"model_args": "model=m,base_url=https://me:secret@host/v1"}
    results = {"results": {"t": {}}, "config": about, "configs": {"t": {"description": "\ud83d"}}}
    tracker.save_results_aggregated(results=results, samples={}, datetime_str="now")
    replies = ["good", "half \ud83d", "a\u2028line"]
    samples = [
        {"doc_id": n, "doc": {}, "target": "A", "arguments": [(f"asked \udc00 {n}",)], "resps": [[said]],
         "filtered_resps": [said], "emorealm_score": {"record": {"raw": said}}}
        for n, said in enumerate(replies)
    ]  # fmt: skip
    tracker.save_results_samples(task_name="t", samples=samples)
    [written] = tmp_path.rglob("*_samples_t.jsonl")
    raws = [sample["emorealm_score"]["record"]["raw"] for _, sample in read_samples(written)]
    assert raws == ["good", "half \ufffd", "a\u2028line"]
    [published] = tmp_path.rglob("*_results.json")
    assert "secret" not in published.read_text()
    assert "https://***@host/v1" in published.read_text()
