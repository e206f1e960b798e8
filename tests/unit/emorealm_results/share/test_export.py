"""Runs as tidy tables: from Python, and as files."""

import json

import pandas as pd
import pytest
from pyarrow import parquet

import emorealm_results
import judged_records
import recognition_runs
import run_folders
from emorealm_results import cli
from emorealm_results.rescore import report
from emorealm_results.share.columns import SAMPLES, SCORES


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Two runs of EmoReAlM and one of recognition; a reply of the first has half an emoji."""
    home = tmp_path_factory.mktemp("runs")
    tasks = run_folders.whole()
    tasks["emorealm_mini_modality_agreement"][2]["raw"] = "A HALF, is it?"
    run_folders.write(home / "first", tasks)
    (path,) = home.rglob("*_modality_agreement.jsonl")
    path.write_text(path.read_text().replace("HALF", "\\ud83d"))
    run_folders.write(home / "second", run_folders.whole("emorealm"))
    recognition_runs.write(home / "third")
    return home


@pytest.fixture(scope="module")
def loaded(runs):
    return emorealm_results.load([runs / "first", str(runs / "second"), runs / "third"])


def test_a_row_a_question_and_run_typed(loaded):
    samples = loaded.samples
    assert list(samples) == list(SAMPLES)
    assert samples.groupby("run").size().to_dict() == {"first": 40, "second": 40, "third": 5}
    assert not samples.duplicated(["run", "benchmark", "mini", "task", "part", "id"]).any()
    assert samples.dtypes.map(str)[["id", "strict_right", "frames", "audio_seconds"]].tolist() == [
        "string", "boolean", "Int64", "float64"]  # fmt: skip
    first = samples[(samples.run == "first") & (samples.task == "reasoning_basic_audio")].iloc[0]
    assert (first.reply, first.answer, first.gold, first.strict_right) == ("B", "B", "A", False)
    assert first.choices == run_folders.FOUR
    assert samples[samples.kind == "recognition"].official_lenient_right.isna().all()


def test_its_scores_are_those_of_rescore(runs, loaded):
    scores = loaded.scores
    assert list(scores) == list(SCORES)
    expected = report.report(report.read(runs / "first"))["benchmarks"]["emorealm_mini"]["full"]
    agreement = scores.query("run == 'first' and task == 'modality_agreement'")
    for reading, of_reading in expected["tasks"]["modality_agreement"]["readings"].items():
        shown = agreement[agreement.reading == reading]
        found = shown.set_index("metric")[["value", "low", "high"]].to_dict("index")
        assert found == {name: pytest.approx(score, nan_ok=True) for name, score in of_reading.items()}
    assert set(scores[scores.benchmark == "dfew"].metric) > {"uar", "war", "weighted_f1"}


def test_the_share_of_right_samples_is_the_accuracy(loaded):
    right = loaded.samples.query("kind == 'choice'").groupby(["run", "task"]).strict_right.mean()
    accuracy = loaded.scores.query("metric == 'accuracy' and reading == 'strict' and task != 'emorealm'")
    assert (100 * right.astype(float)).to_dict() == pytest.approx(accuracy.set_index(["run", "task"]).value.to_dict())


def test_a_folder_of_runs_is_all_of_them(runs, loaded):
    pd.testing.assert_frame_equal(emorealm_results.load(runs).samples, loaded.samples)


def test_judged_descriptions_have_their_points(tmp_path):
    run_folders.write(tmp_path, {"emer": [judged_records.record(number, big=4) for number in range(4)]})
    samples = emorealm_results.load(tmp_path).samples
    assert set(samples.kind) == {"description"}
    assert (samples[["clue", "label", "spurious", "halluc"]] == 4).all(axis=None)
    assert set(samples.judge) == {"big"}


@pytest.mark.parametrize("place", ["nowhere", "empty"])
def test_a_place_without_a_run_is_an_error_that_names_it(tmp_path, place, capsys):
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match=place):
        emorealm_results.load(tmp_path / place)
    assert capsys.readouterr() == ("", "")
    with pytest.raises(ValueError, match="no run is named"):
        emorealm_results.load([])


def test_the_three_formats_hold_the_same(runs, loaded, tmp_path, capsys):
    formats = [word for name in ("parquet", "csv", "jsonl") for word in ("--format", name)]
    assert cli.main(["export", str(runs), "--out", str(tmp_path / "out"), *formats]) == 0
    assert "85 samples and" in capsys.readouterr().out
    out = tmp_path / "out"
    lines = [json.loads(line) for line in (out / "samples.jsonl").read_text().splitlines()]
    table = parquet.read_table(out / "samples.parquet")
    assert table.to_pylist() == lines
    assert lines[2]["reply"] == "A \ufffd, is it?"
    assert table.schema.field("gold").metadata[b"description"].decode() == SAMPLES["gold"].holds
    spelled = pd.read_csv(out / "samples.csv", dtype="string", keep_default_na=False)
    assert spelled.id.tolist() == [line["id"] for line in lines]
    assert json.loads(spelled.choices[0]) == lines[0]["choices"]
    numbers = pd.read_csv(out / "scores.csv").value
    pd.testing.assert_series_equal(numbers, loaded.scores.value, check_dtype=False)


def test_another_export_replaces_the_former_one_and_nothing_else(runs, tmp_path, capsys):
    out = tmp_path / "out"
    cli.main(["export", str(runs / "first"), "--out", str(out), "--format", "csv"])
    cli.main(["export", str(runs / "second"), "--out", str(out)])
    assert sorted(path.name for path in out.glob("[!.]*")) == ["samples.parquet", "scores.parquet"]
    (tmp_path / "mine.txt").write_text("mine")
    capsys.readouterr()
    with pytest.raises(SystemExit):
        cli.main(["export", str(runs / "first"), "--out", str(tmp_path)])
    assert "mine.txt" in capsys.readouterr().err
