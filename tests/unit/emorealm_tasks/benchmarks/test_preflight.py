"""What a run of several data sets does when one is absent, and what lmms-eval then gets to see."""

import json

import pytest

from emorealm_tasks import plugin
from emorealm_tasks.benchmarks import preflight
from emorealm_tasks.mini.build import clip_pool, emer_layout, published_layouts, record
from emorealm_tasks.mini.world import sampling

MINI = ("dfew_mini", "ravdess_mini", "mer2023_mini", "emer_mini")


@pytest.fixture(scope="module")
def layouts_on_disk(tmp_path_factory, make_clip):
    """The four layouts around one real clip (its truth does not matter here)."""
    out = tmp_path_factory.mktemp("mini")
    file = make_clip(out / "videos/part_1/1.mp4", seconds=0.5)
    rng = sampling.generator("test", 0)
    pool = clip_pool.pool((sampling.sample_clip(rng), file) for _ in range(60))
    published_layouts.write_all(out, pool)
    (out / record.QUESTIONS).write_text("[]")
    assert (out / "emer" / emer_layout.CSV_FILE).is_file()
    return out


@pytest.fixture
def here(layouts_on_disk, tmp_path, monkeypatch):
    for name in ("SETTINGS", "JSON", "VIDEOS", "DFEW", "RAVDESS", "MER2023", "EMER", "ALLOW_MISSING"):
        monkeypatch.delenv(f"EMOREALM_{name}", raising=False)
    monkeypatch.setenv("EMOREALM_MINI", str(layouts_on_disk))
    monkeypatch.setenv("EMOREALM_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    return monkeypatch


def test_nothing_is_absent_and_nothing_is_said(here, capsys):
    assert preflight.find_absent([*MINI, "hellaswag", "emorealm_blind_modality_agreement"]) == set()
    assert capsys.readouterr().err == ""


def test_absent_data_sets_stop_with_every_report(here, capsys):
    with pytest.raises(SystemExit) as stopped:
        preflight.find_absent([*plugin.members("emotion_suite"), "dfew_mini"])
    assert stopped.value.code == 2
    said = capsys.readouterr().err
    for variable in ("DFEW", "RAVDESS", "MER2023", "EMER", "VIDEOS"):
        assert f"EMOREALM_{variable} is not set" in said
    assert "5 of 6 data sets cannot be used: dfew, ravdess, mer2023, emer, emorealm." in said
    assert "EMOREALM_ALLOW_MISSING=1 runs the rest" in said


def test_the_rest_runs_where_that_is_asked_for(here, capsys):
    here.setenv("EMOREALM_ALLOW_MISSING", "1")
    lost = preflight.find_absent(["dfew", "dfew_detail", "dfew_mini"])
    assert lost == {"dfew", "dfew_detail"}
    assert "1 of 2 data sets cannot be used: dfew. Going on without them" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        preflight.find_absent(["dfew", "ravdess"])
    assert "Nothing is left to ask about" in capsys.readouterr().err


def test_what_was_looked_at_ahead_is_reported_once(here, capsys):
    here.setenv("EMOREALM_ALLOW_MISSING", "1")
    preflight.look_ahead(["dfew", "dfew_mini", "hellaswag"])
    assert preflight.find_absent(["dfew_mini", "dfew"]) == {"dfew"}
    assert capsys.readouterr().err.count("EMOREALM_DFEW is not set") == 1
    assert preflight.find_absent(["dfew_mini", "dfew"]) == {"dfew"}  # of a later run it is told again
    assert capsys.readouterr().err.count("EMOREALM_DFEW is not set") == 1


def test_a_data_set_alone_needs_no_tally(here, capsys):
    with pytest.raises(SystemExit):
        preflight.find_absent(["dfew", "dfew_classes"])
    assert len([line for line in capsys.readouterr().err.splitlines() if line.startswith("emorealm:")]) == 1


def test_malformed_files_stop_whatever_is_allowed(here, layouts_on_disk, tmp_path, capsys):
    here.setenv("EMOREALM_ALLOW_MISSING", "1")
    (tmp_path / "d/test(single-labeled)").mkdir(parents=True)
    (tmp_path / "d/test(single-labeled)/set_1.csv").write_text("video_name,label\n1,9\n")
    here.setenv("EMOREALM_DFEW", str(tmp_path / "d"))
    with pytest.raises(SystemExit):
        preflight.find_absent(["dfew", "ravdess_mini"])
    assert "line 2" in capsys.readouterr().err


def test_lmms_eval_sees_neither_absent_tasks_nor_groups_of_them(here, layouts_on_disk):
    from lmms_eval.tasks import TaskManager

    plugin.register()
    here.setenv("EMOREALM_ALLOW_MISSING", "1")
    manager = TaskManager("ERROR", model_name="avere", include_defaults=False)
    here.setenv("EMOREALM_RAVDESS", str(layouts_on_disk / "ravdess"))
    named = ["emotion_suite", "dfew", "dfew_mini"]
    try:
        assert manager.match_tasks(named) == ["dfew_mini", "emotion_suite"]  # of which RAVDESS alone is set up
        assert named == ["emotion_suite", "dfew_mini"]
        assert manager._get_config("emotion_suite")["task"] == ["ravdess"]
    finally:
        plugin._left_out.clear()


def test_check_looks_at_the_suite_by_default(here, capsys):
    from emorealm_results.commands import check

    here.setenv("EMOREALM_DFEW", "/nowhere")
    assert check.main([]) == 2
    captured = capsys.readouterr()
    assert "ravdess: not set up (EMOREALM_RAVDESS)" in captured.out
    assert "mer2023_mini: " in captured.out
    assert "/nowhere: no such folder" in captured.err
    assert check.main(["--tasks", "dfew_mini_classes,mer2023_mini"]) == 0


def test_counts_that_differ_are_told_before_the_run(here, layouts_on_disk, capsys):
    here.setenv("EMOREALM_RAVDESS", str(layouts_on_disk / "ravdess"))
    assert preflight.find_absent(["ravdess"]) == set()
    assert "class counts differ from the published ones: neutral" in capsys.readouterr().err


def test_rows_name_their_prompt(here):
    from datasets import Dataset, DatasetInfo

    from emorealm_tasks.benchmarks import suite

    placeholder = Dataset.from_list([{"a": 1}], split="classes", info=DatasetInfo(config_name="mer2023_mini"))
    filled = suite.process_docs(placeholder)
    assert "happiness, sadness, neutral, anger or surprise?" in filled[0]["question"]
    assert json.loads(filled[0]["left_out"])["questions"] == 0
    assert filled[0]["choices"] == []
