"""What can be named on the leaderboard's command line: runs, folders of them, rescored runs, studies."""

import csv
import json
import re

import pytest

import foreign_runs
import judged_records
import recognition_runs
import run_folders
import studies
from emorealm_results import cli
from emorealm_results.commands import rescore
from emorealm_results.leaderboard import inputs
from emorealm_results.paper.layouts import GROUP
from emorealm_results.runs import descriptions
from emorealm_results.study import scores as study_scores
from emorealm_tasks import metrics
from emorealm_tasks.judge import dispatch


@pytest.fixture(autouse=True)
def no_plots(monkeypatch):
    """They have tests of their own, and take their time."""
    monkeypatch.setattr("emorealm_results.commands.leaderboard._draw", lambda rows, out, reading: [])


def board(folder, *named):
    """The data of the leaderboard's page."""
    assert cli.main(["leaderboard", *map(str, named), "--out", str(folder / "out"), "--pictures", "0"]) == 0
    text = (folder / "out" / "leaderboard.html").read_text(encoding="utf-8")
    return json.loads(re.search(r'id="data">(.*?)</script>', text, re.DOTALL)[1])


def line_of(data, model, part="full", **more):
    wanted = {"model": model, "part": part, "source": "measured", **more}
    return next(line for line in data["lines"] if all(line[key] == value for key, value in wanted.items()))


def test_runs_and_a_study_make_one_page(tmp_path, study, capsys):
    run_folders.write(tmp_path / "runs" / "mine", run_folders.whole(), pretrained="models/mine")
    run_folders.write(tmp_path / "runs" / "other", run_folders.whole(), pretrained="")
    (tmp_path / "runs" / "failed").mkdir()
    results = next((tmp_path / "runs" / "mine").rglob("*_results.json"))
    (results.parent / f"._{results.name}").write_bytes(b"what macOS puts beside a file")
    (tmp_path / "study.json").write_text(json.dumps(study))
    data = board(tmp_path, tmp_path / "runs", tmp_path / "study.json")
    said = capsys.readouterr()
    assert "failed: no *_results.json" in said.err
    assert "2 runs, 3 rows of a study in miniature" in said.out
    names = [run["name"] for run in data["runs"]]
    assert names == ["mine", "other", "base", "AVEm-DPO", "w/o TPD"]
    line = line_of(data, "AVEm-DPO", mini=True)
    cell = line["cells"]["modality_agreement/accuracy"]["strict"]
    scored = study_scores.Scored(study, "strict")
    wanted = scored.row(study_scores.rows(study, "main")[1], "full")["modality_agreement", "accuracy"]
    assert (cell["value"], cell["low"], cell["high"]) == (wanted.value, wanted.low, wanted.high)
    assert cell["value"] == (87.5 + 75) / 2
    assert cell["note"] == "mean of 2 trainings, ± 8.8"
    assert cell["floor"] == 50  # half of the blind answers are wrong
    assert (cell["n"], cell["n_clips"], cell["unparsed"]) == (8, 8, 0)
    about = data["runs"][3]
    assert about["origin"] == "study in miniature, 2 seeds"
    assert (about["seeds"], about["marks"]) == ({"training": "0/1"}, [])
    assert data["runs"][4]["marks"] == ["1 of 3 seeds to come", "1 of 3 seeds failed"]
    markdown = (tmp_path / "out" / "leaderboard.md").read_text(encoding="utf-8")
    lines = [line for line in markdown.splitlines() if "**AVEm-DPO**" in line]
    assert any(re.match(r"\| 1 +\| \*\*AVEm-DPO\*\* .*\| study in miniature, 2 seeds ", line) for line in lines)
    assert not any(re.match(r"\| \d", line) for line in markdown.splitlines() if "**w/o TPD**" in line)


def test_a_study_of_other_questions_is_never_ranked_beside_a_run(tmp_path, study):
    run_folders.write(tmp_path / "run", run_folders.whole())
    study["about"]["split"] = "validation"
    study["questions"]["clip"][0] = "elsewhere.mp4"
    (tmp_path / "study_validation.json").write_text(json.dumps(study))
    path = tmp_path / "study_validation.json"
    found = inputs.read([str(tmp_path / "run"), str(path), f"tried={path}"], [])
    assert [run.about["name"] for run in found][:2] == ["run", "validation base"]
    assert found[-1].about["name"].startswith("tried ")
    assert all({"validation world", "other questions than the runs"} <= set(run.about["marks"]) for run in found[1:])


def test_without_a_name_the_usual_places_are_read(tmp_path, study, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert board(tmp_path)["runs"] == []
    run_folders.write(tmp_path / "results" / "runs" / "mine", run_folders.whole())
    (tmp_path / "results" / "mini").mkdir()
    (tmp_path / "results" / "mini" / "study.json").write_text(json.dumps(study))
    assert [run["name"] for run in board(tmp_path)["runs"]][:2] == ["mine", "base"]


@pytest.mark.parametrize(
    ("media", "modality"),
    [
        ({"frames": 8, "audio_seconds": 2.5}, "A,V"),
        ({"frames": 8, "audio_seconds": 0}, "V"),
        ({"audio_seconds": 2.5}, "A"),
        ("unknown", ""),
    ],
)
def test_the_input_is_what_the_model_was_given(tmp_path, media, modality):
    tasks = {f"emorealm_mini_{metrics.TASKS[0]}": [run_folders.record(metrics.TASKS[0], 0, media=media)]}
    (run,) = inputs.read([str(run_folders.write(tmp_path / "run", tasks))], [])
    assert {row.modality for row in run.rows} == {modality}


def test_models_that_share_an_output_path_are_runs_of_their_own(tmp_path):
    for model in ("one", "two"):
        run_folders.write(tmp_path / "shared", run_folders.whole(), pretrained=model)
    found = inputs.read([str(tmp_path / "shared"), str(tmp_path / "shared" / "one")], [])
    assert [run.about["name"] for run in found] == ["one", "two", "one #2"]


@pytest.mark.parametrize("content", ["[1]", "{}", "no JSON", '{"sections": {}}'])
def test_a_file_that_is_nothing_of_these_ends_in_one_line(tmp_path, capsys, content):
    (tmp_path / "x.json").write_text(content)
    with pytest.raises(SystemExit) as error:
        inputs.read([str(tmp_path / "x.json")], [])
    assert error.value.code == 2
    assert capsys.readouterr().err.count("x.json: ") == 1


questions = foreign_runs.questions
study = studies.study


def test_a_foreign_run_comes_by_way_of_rescore(tmp_path, questions):
    tasks = {f"emorealm_{task}": run_folders.records(task)[:6] for task in metrics.TASKS}
    run = run_folders.write(tmp_path / "run", tasks, model="other", pretrained="OLA-7b")
    ours = inputs.read([str(run)], [])[0]
    foreign_runs.strip(run, foreign_runs.SHAPES["nested responses"])
    scores = tmp_path / "foreign.json"
    assert cli.main(["rescore", str(run), "--questions", str(questions), "--json", str(scores)]) == 0
    data = board(tmp_path, scores)
    about = data["runs"][0]
    assert (about["name"], about["origin"], about["published"]) == ("foreign", "run, rescored", "OLA")
    assert about["marks"] == ["10 questions missing"]  # two a task; the run itself could not say so
    cell = line_of(data, "foreign", mini=False)["cells"][f"{GROUP}/accuracy"]["official"]
    (wanted,) = [r for r in ours.rows if (r.task, r.metric, r.reading) == (GROUP, "accuracy", "official")]
    assert (cell["value"], cell["low"], cell["high"]) == (wanted.value, wanted.low, wanted.high)
    assert any(one["verdict"] for one in data["comparisons"])


def described(folder, **judges):
    """A run of emer whose twelve descriptions each judge gives one score."""
    rows = [judged_records.record(number, **judges) | {"judge": "small"} for number in range(12)]
    return run_folders.write(folder, {"emer": rows})


@pytest.fixture
def no_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("EMOREALM_CACHE", str(tmp_path / "cache"))


def test_every_judge_of_a_description_is_told_apart_and_the_last_one_stands_for_the_run(tmp_path, no_cache):
    data = board(tmp_path, described(tmp_path / "run", small=4, big=7))
    own = line_of(data, "run")["cells"]["emer/clue"]["strict"]
    assert (own["value"], own["note"], own["n"]) == (4, "judged by small", 12)
    assert line_of(data, "run", "judged by big")["cells"]["emer/clue"]["strict"]["value"] == 7


def test_descriptions_judged_again_reach_the_board(tmp_path, no_cache, monkeypatch, capsys):
    run = described(tmp_path / "run", small=4)

    def judge(records, settings, asked):
        for record in records:
            record["judge"] = "new"
            record["verdicts"]["new"] = record["verdicts"]["small"][:0] + judged_records.record(0, x=9)["verdicts"]["x"]
        return ""

    scores = tmp_path / "again.json"
    with monkeypatch.context() as patch:
        patch.setattr(dispatch, "judge_records", judge)
        patch.setattr(dispatch, "check", lambda *_: None)
        assert rescore.main([str(run), "--judge", "live", "--json", str(scores)]) == 0
    assert json.loads(scores.read_text())["descriptions"]["emer"]["judge"] == "new"
    data = board(tmp_path, scores)
    cell = line_of(data, "again")["cells"]["emer/label"]["strict"]
    assert (cell["value"], cell["note"]) == (9, "judged by new")
    assert line_of(data, "again", "judged by small")["cells"]["emer/label"]["strict"]["value"] == 4


def test_a_judge_without_enough_verdicts_does_not_stand_for_the_run():
    rows = [judged_records.record(number, **({"small": 4} | ({"big": 7} if number else {}))) for number in range(12)]
    assert descriptions.counting(rows) == "small"  # big lacks one verdict of twelve


def test_recognised_emotions_are_read_again_with_their_recalls_intervals(tmp_path):
    (run,) = inputs.read([str(recognition_runs.write(tmp_path / "run"))], [])
    found = {(row.metric, row.reading): row for row in run.rows}
    war, recall = found["war", "strict"], found["recall_anger", "strict"]
    assert (war.value, war.n, war.unparsed, war.missing) == (80, 5, 1, 2)
    assert recall.low <= recall.value == 50 <= recall.high
    assert run.about["marks"] == ["2 questions missing"]


def test_csv_tells_a_study_from_a_run(tmp_path, study):
    (tmp_path / "study.json").write_text(json.dumps(study))
    board(tmp_path, tmp_path / "study.json")
    with (tmp_path / "out" / "leaderboard.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["source"] == "measured"]
    assert {row["mini"] for row in rows} == {"True"}
    assert {row["origin"].split(",")[0] for row in rows} == {"study in miniature"}


def test_runs_that_were_not_asked_alike_are_marked(tmp_path):
    runs = {"a": {"frames": 8}, "b": {"frames": 8}, "c": {"frames": 16}, "old": None}
    for name, asked in runs.items():
        run_folders.write(tmp_path / name, run_folders.whole(), asked=asked)
    run_folders.write(tmp_path / "other", run_folders.whole(), model="qwen2_5_omni_av", asked={"frames": 768})
    data = board(tmp_path, *(tmp_path / name for name in (*runs, "other")))
    notes = {run["name"]: run["notes"] for run in data["runs"]}
    unknown_build = "which build of the embedded benchmark it answered is not known"
    assert {name: [note for note in lines if note != unknown_build] for name, lines in notes.items()} == {
        "a": [],
        "b": [],
        "c": ["asked otherwise than a: frames: 8 | 16"],
        "old": ["how it was asked is not known"],
        "other": [],  # another kind of model, which has a way of its own
    }
    text = (tmp_path / "out" / "leaderboard.md").read_text()
    lines = [line for line in text.splitlines() if "run, asked otherwise" in line]
    assert lines
    assert all("**c**" in line for line in lines)


def test_the_features_of_an_emotion_llama_stand_beside_its_input(tmp_path):
    for features in ("demo", "files"):
        asked = {"features": features}
        run_folders.write(tmp_path / features, run_folders.whole(), model="emotion_llama", asked=asked)
    run_folders.write(tmp_path / "other", run_folders.whole(), asked={"frames": 8})
    data = board(tmp_path, *(tmp_path / name for name in ("demo", "files", "other")))
    expected = {"demo": "demo", "files": "files", "other": ""}
    assert {run["name"]: run["features"] for run in data["runs"]} == expected
    assert {line["model"]: line["features"] for line in data["lines"] if line["source"] == "measured"} == expected
    with (tmp_path / "out" / "leaderboard.csv").open(encoding="utf-8", newline="") as file:
        rows = {row["model"]: row["features"] for row in csv.DictReader(file) if row["source"] == "measured"}
    assert rows == expected
    lines = [line for line in (tmp_path / "out" / "leaderboard.md").read_text().splitlines() if "| run" in line]
    assert all("features: files" in line for line in lines if "**files**" in line)
    assert not [line for line in lines if "**other**" in line and "features" in line]
