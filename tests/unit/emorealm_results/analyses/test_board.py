"""Analyses on the leaderboard: whose numbers they are, and the cells of a swap."""

import json

import pytest

import analysis_folders
import run_folders
import studies
from emorealm_results import cli
from emorealm_results.analyses import board
from emorealm_results.leaderboard.score_rows import Measured

study = studies.study


def run(name, model_args="", weights="", origin="run", model="avere"):
    about = {"name": name, "model": model, "model_args": model_args, "weights": weights, "origin": origin}
    return Measured(about, (), None)


def test_numbers_go_to_the_runs_of_the_same_weights_and_else_stand_alone(tmp_path):
    folder = analysis_folders.page(tmp_path, "pretrained=a/good,device=cpu", "pretrained=lone")
    runs = [
        run("g", "pretrained=other/good"), run("noted", "", "good"), run("other", "pretrained=b"),
        run("v", model="vllm_av"), run("good", "", "", "study in miniature"),
    ]  # fmt: skip
    found = board.joined(runs, board.read(folder), folder)
    values = {one.about["name"]: {(row.metric, row.value) for row in one.rows} for one in found}
    index = {("shortcut_index", 0.25)}
    assert values == {"g": index, "noted": index, "other": set(), "v": set(), "good": set(), "lone": index}
    assert (found[-1].about["origin"], found[-1].rows[0].run, found[-1].rows[0].n) == ("analyses", 5, 2)
    assert found[0].rows[0].note == "swap: emorealm, all questions by seed 1"


def test_a_row_of_a_study_gets_the_numbers_of_its_trainings(tmp_path):
    folder = analysis_folders.page(tmp_path, "AVEm-DPO")
    path = folder / "swap.json"
    one = json.loads(path.read_text()) | {"study": {"settings": ["seeds=2"], "trainings": {"AVEm-DPO": 2}}}
    (folder / "study_swap.json").write_text(json.dumps(one))
    path.unlink()
    (read,) = board.read(folder)
    studied = run("AVEm-DPO", origin="study in miniature, 5 seeds")
    found = board.joined([run("AVEm-DPO"), studied], [read], folder)
    assert [len(one.rows) for one in found] == [0, 3]
    (part,) = board.shown([read], folder).shown["parts"]
    assert part["command"] == "emorealm analyse study swap seeds=2 --limit 0 --seed 1 --out DIR"
    assert part["title"].endswith("trainings: AVEm-DPO 2")


def test_cells_of_a_swap_by_question(tmp_path):
    folder = analysis_folders.page(tmp_path, "m", tasks=("emorealm_mini",))
    swaps = board.shown(board.read(folder), folder).swaps
    assert set(swaps) == {("emorealm_mini", f"reasoning_basic_audio_{number}") for number in (0, 1)}
    one = swaps["emorealm_mini", "reasoning_basic_audio_0"]
    assert one["partner"] == "part_1/1.mp4"
    # e^m of the right option beside three at 0: log-odds m - log 3
    assert {cell: of["odds"] for cell, of in one["models"]["m"].items()} == {
        "oo": 0.9,
        "ox": -2.1,
        "xo": -0.1,
        "xx": -3.1,
    }
    assert one["models"]["m"]["oo"]["p"] == [0.7112, 0.0963, 0.0963, 0.0963]


def test_what_is_no_page_ends_in_one_line(tmp_path, capsys):
    with pytest.raises(SystemExit):
        board.read(tmp_path)
    assert "holds no analysis; name a folder that" in capsys.readouterr().err
    folder = analysis_folders.page(tmp_path / "p", "m")
    (folder / "swap_questions.parquet").write_bytes(b"PAR1")
    with pytest.raises(SystemExit):
        board.shown(board.read(folder), folder)
    assert "swap_questions.parquet: cannot be read" in capsys.readouterr().err


def test_the_leaderboard_is_made_with_runs_a_study_and_a_model_that_was_only_analysed(tmp_path, study, monkeypatch):
    monkeypatch.setattr("emorealm_results.commands.leaderboard._draw", lambda rows, out, reading: [])
    analyses = analysis_folders.page(tmp_path, "pretrained=lone", tasks=("emorealm_mini",))
    (tmp_path / "study.json").write_text(json.dumps(study))
    places = [str(run_folders.write(tmp_path / "run", run_folders.whole())), str(tmp_path / "study.json")]
    options = ["--analyses", str(analyses), "--pictures", "0", "--out", str(tmp_path / "out")]
    assert cli.main(["leaderboard", *places, *options]) == 0
    for name in ("leaderboard.md", "leaderboard.csv", "leaderboard.html"):
        assert "lone" in (tmp_path / "out" / name).read_text()
    runs = (tmp_path / "out" / "leaderboard.md").read_text().split("## Runs")[1]
    (lone,) = [line for line in runs.splitlines() if "lone" in line]
    assert lone.split("|")[4].strip() == "0", "what an analysis asked counts as asked by a run"
