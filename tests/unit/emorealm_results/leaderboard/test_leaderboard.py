"""Runs and the paper's numbers as Markdown, CSV and the page's data."""

import csv
import json
import re
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib import colormaps

import board_folders
import run_folders
from emorealm_results import cli
from emorealm_results.leaderboard import page, paired, plots, ranking, sample_browser, score_rows
from emorealm_results.leaderboard import rows as leaderboard_rows
from emorealm_results.pages import build
from emorealm_results.paper import printed
from emorealm_results.paper.layouts import LAYOUTS
from emorealm_tasks.metrics import TASKS


@pytest.fixture(scope="module")
def made(tmp_path_factory, make_clip):
    """The folder of a leaderboard: what was written, and its data."""
    out = board_folders.build(tmp_path_factory.mktemp("board"), make_clip, "--pictures", "3", out="out")
    text = (out / "leaderboard.html").read_text(encoding="utf-8")
    return out, json.loads(re.search(r'id="data">(.*?)</script>', text, re.DOTALL)[1])


def lines_of(data, layout, **wanted):
    keys = {f"{column['task']}/{column['metric']}" for column in layout["columns"]}
    return [
        line for line in data["lines"]
        if keys & set(line["cells"]) and all(line[name] == value for name, value in wanted.items())
    ]  # fmt: skip


def test_every_layout_of_the_paper_has_its_rows(made):
    _, data = made
    counted = {
        layout["name"]: len(lines_of(data, layout, source="published"))
        for layout in data["layouts"]
    }  # fmt: skip
    assert counted == {
        "table13": 23, "table3": 23, "table14": 17, "table5": 20, "table2": 24, "table15": 24, "table16": 6,
    }  # fmt: skip


def test_page_needs_nothing_from_outside_and_no_reply_is_markup(made):
    out, _ = made
    text = (out / "leaderboard.html").read_text(encoding="utf-8")
    assert board_folders.HOSTILE not in text
    assert text.count("<script") == 2
    assert text.count("</script>") == 2
    assert not re.findall(r"(?:src|href|url)\s*[=(]\s*[\"']?(?:https?:)?//", text)
    assert "default-src 'none'" in text


def test_a_limited_run_is_marked_and_never_ranked(made):
    out, data = made
    assert data["runs"][2]["marks"] == ["--limit 8"]
    table = (out / "leaderboard.md").read_text(encoding="utf-8").split("## EmoReAlM, all scores")[1].split("##")[0]
    line = next(line for line in table.splitlines() if "**partial**" in line)
    assert line.startswith("|      |")
    assert "--limit 8" in line
    assert re.match(r"\| \d+ ", next(line for line in table.splitlines() if "**good**" in line))


def test_pairs_hold_what_compare_prints(made, capsys):
    out, data = made
    assert set(data["pairs"]) == {"0/1", "0/2", "1/2"}
    pair = data["pairs"]["0/1"]
    report = out / "compared.json"
    assert (
        cli.main(["compare", *(str(out.parent / data["runs"][run]["name"]) for run in (0, 1)), "--json", str(report)])
        == 0
    )
    printed_lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("|")]
    shown = {tuple(cell.strip() for cell in line.strip("|").split("|")) for line in printed_lines}
    assert {tuple(line["cells"]) for line in pair["lines"]} <= shown
    assert tuple(pair["head"]) in shown
    compared = json.loads(report.read_text())
    accuracy = compared["tasks"][f"emorealm_{TASKS[3]}"]["scores"]["accuracy"]
    line = next(line for line in pair["lines"] if (line["task"], line["score"]) == (TASKS[3], "accuracy"))
    assert line["cells"][5] == f"{accuracy['difference']:+.1f} [{accuracy['low']:+.1f}, {accuracy['high']:+.1f}]"
    assert len([line for line in pair["lines"] if not line["task"]]) == len(compared["groups"]["emorealm full"])
    counts = Counter(change["change"] for change in compared["changes"])
    said = f"Changed answers: {counts['gained']} gained, {counts['lost']} lost, {counts['other answer']} other answer."
    assert pair["changed"]["all"] == said


def test_pairs_beyond_the_limit_and_of_other_questions_say_so(tmp_path):
    folders = [run_folders.write(tmp_path / name, run_folders.whole()) for name in "ab"]
    changed = {name: [row | {"clip": "other.mp4"} for row in rows] for name, rows in run_folders.whole().items()}
    folders += [
        run_folders.write(tmp_path / "c", changed),
        run_folders.write(tmp_path / "d", run_folders.whole("emorealm")),
    ]
    runs = [leaderboard_rows.read(folder, folder.name, number, []) for number, folder in enumerate(folders)]
    found = paired.compared(runs, 28)
    assert set(found) == {"0/1", "0/2", "1/2"}
    assert "lines" in found["0/1"]
    assert (
        found["0/2"]["why"]
        == f"Not compared: emorealm_mini_{TASKS[0]}: question {TASKS[0]}_0 differs between the runs in clip."
    )
    assert paired.compared(runs, 0)["0/1"]["why"].startswith("Not compared here: emorealm compare ")


def test_page_ranks_as_the_markdown_does(made):
    out, data = made
    layout = data["layouts"][0]
    column = layout["columns"][layout["rank_by"]]
    ranks = {
        line["model"]: line["ranks"]["strict"].get(f"{column['task']}/{column['metric']}")
        for line in lines_of(data, layout, mini=False, part="full", source="measured")
    }  # fmt: skip
    table = (out / "leaderboard.md").read_text(encoding="utf-8").split("## EmoReAlM, all scores")[1].split("##")[0]
    rows = [[cell.strip(" *") for cell in line.split("|")] for line in table.splitlines() if "**" in line]
    assert ranks == {row[2]: int(row[1]) if row[1] else None for row in rows if "blind" not in row[4]}
    assert ranks["partial"] is None


@given(st.lists(st.none() | st.integers(0, 5)), st.booleans())
def test_a_place_is_one_more_than_the_better_ones(values, lower):
    for value, place in zip(values, ranking.places(values, lower), strict=True):
        better = [
            one for one in values if one is not None and value is not None and one != value and (one < value) == lower
        ]
        assert place == (None if value is None else 1 + len(better))


def test_missing_clips_keep_a_run_out_of_the_ranking(tmp_path):
    folder = run_folders.write(tmp_path / "run", run_folders.whole("emorealm"), missing=3)
    run = leaderboard_rows.read(folder, "run", 0, [])
    assert run.about["marks"] == ["15 questions missing"]
    line = ranking.lines(run.rows, LAYOUTS[0], False, "strict", [run.about])[0]
    assert line.rank is None


def test_ranks_follow_the_ranking_column_and_ties_share_one(tmp_path):
    runs = []
    for number, name in enumerate(("a", "b", "c")):
        tasks = {f"emorealm_{task}": board_folders.rows(task, (0,) if name == "c" else ()) for task in TASKS}
        folder = run_folders.write(tmp_path / name, tasks)
        runs.append(leaderboard_rows.read(folder, name, number, []))
    rows = [row for run in runs for row in run.rows]
    ranked = ranking.lines(rows, LAYOUTS[0], False, "strict", [run.about for run in runs])
    assert [(line.model, line.rank) for line in ranked] == [("a", 1), ("b", 1), ("c", 3)]


def test_cells_carry_interval_counts_and_the_blind_floor(made):
    _, data = made
    line = next(line for line in data["lines"] if (line["model"], line["part"]) == ("good", "full"))
    cell = line["cells"]["reasoning_basic_audio/accuracy"]["strict"]
    assert cell["low"] < cell["value"] < cell["high"]
    assert (cell["n"], cell["n_clips"], cell["unparsed"], cell["errors"]) == (12, 12, 1, 0)
    assert cell["floor"] == pytest.approx(100 * 5 / 12)  # the blind run's own score
    weak = next(line for line in data["lines"] if line["model"] == "weak")
    assert weak["cells"]["reasoning_basic_audio/accuracy"]["strict"]["floor"] == 25  # chance, of Table 1


@pytest.mark.parametrize(("published", "verdict"), [(70, "below"), (50, "within"), (20, "above")])
def test_verdicts_say_on_which_side_of_the_paper_a_run_lies(published, verdict):
    def row(source, value, **more):
        return score_rows.ScoreRow(
            source, "m", "A,V", "emorealm", False, "emorealm", "full", "accuracy", "official", value, **more
        )

    rows = [row("measured", 48.0, low=42.0, high=54.0, run=0), row("published", published, table=13)]
    about = {"published": "m", "marks": []}
    (found,) = ranking.comparisons(rows, [about])
    assert found["verdict"] == verdict
    assert (found["difference"], found["low"], found["high"]) == (48 - published, 42 - published, 54 - published)


def test_a_run_finds_its_row_by_model_by_checkpoint_or_by_name(tmp_path):
    models = printed.models()
    for model, pretrained, name, expected in [
        ("qwen2_5_omni", "", "x", "Qwen 2.5 Omni"),
        ("avere", "/data/avere-7b", "x", "Our base + AVEm-DPO"),
        ("vllm", "Qwen/Qwen2.5-Omni-7B", "x", "Qwen 2.5 Omni"),
        ("avere", "nano", "x", ""),
        ("other", "thing", "OLA", "OLA"),
    ]:
        folder = tmp_path / f"{model}_{expected}_{name}".replace("/", "_")
        run_folders.write(
            folder, {f"emorealm_{TASKS[0]}": run_folders.records(TASKS[0])}, model=model, pretrained=pretrained
        )
        assert leaderboard_rows.read(folder, name, 0, models).about["published"] == expected


def test_csv_holds_every_score_with_its_runs_facts(made):
    out, _ = made
    with (out / "leaderboard.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    published = [row for row in rows if row["source"] == "published"]
    assert {row["table"] for row in published} == {"2", "3", "5", "13", "14", "15", "16", "17", "18"}  # 16 repeats 4
    limited = [row for row in rows if row["model"] == "partial"]
    assert limited
    assert all(row["marks"] == "--limit 8" for row in limited)
    assert len(limited) > 100


def test_markdown_shows_the_plots_that_were_drawn(made):
    out, _ = made
    text = (out / "leaderboard.md").read_text(encoding="utf-8")
    for name in re.findall(r"!\[.*?\]\((.*?)\)", text):
        assert (out / name).stat().st_size > 10_000
    assert "leaderboard_yes_no.png" in text


def test_samples_join_the_runs_and_clips_are_drawn_where_they_are(made):
    _, data = made
    assert len(data["samples"]) == 60
    assert all(set(sample["answers"]) == {"0", "1", "2"} for sample in data["samples"])
    assert data["samples"][0]["question"] == "modality_agreement: question 0?"
    with_sound, silent = data["clips"]["emorealm/part_1/0.mp4"], data["clips"]["emorealm/part_1/1.mp4"]
    assert with_sound["frames"].startswith("data:image/jpeg;base64,")
    assert len(with_sound["times"]) == sample_browser.FRAMES
    assert "sound" in with_sound
    assert silent["no_sound"]
    assert "sound" not in silent


def test_clips_that_models_disagree_on_come_first():
    def sample(clip, *answers):
        return {
            "benchmark": "b",
            "clip": clip,
            "gold": "A",
            "answers": {str(i): {"right": ["strict"] if a == "A" else []} for i, a in enumerate(answers)},
        }

    found = [sample("easy", "A", "A"), sample("hard", "B", "B"), sample("split", "A", "B")]
    assert sample_browser.choose_clips(found, 2) == [("b", "split"), ("b", "hard")]


def test_suite_tasks_come_from_the_results_file(tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    scores = {"emotion_score,none": 61.0, "war_low_strict,none": 55.0, "war_high_strict,none": 67.0,
              "uar_official,none": 50.0, "recall_fear_official,none": "N/A", "unparsed_rate,none": 10.0,
              "errors_count,none": 1.0}  # fmt: skip
    emer = {"emer_score,none": 6.0, "clue_mean,none": 5.5, "clue_low,none": 5.0, "clue_high,none": 6.0,
            "unjudged_count,none": 2.0}  # fmt: skip
    results = {
        "results": {"dfew": scores, "emer": emer, "mmlu": {"acc,none": 0.5}},
        "n-samples": {"dfew": {"effective": 40}, "emer": {"effective": 20}},
        "config": {"model": "avere", "random_seed": 7}, "versions": {"dfew": 1.0},
    }  # fmt: skip
    (folder / "20261121_101500_results.json").write_text(json.dumps(results))
    run = leaderboard_rows.read(folder, "run", 0, [])
    found = {(row.task, row.metric, row.reading): row for row in run.rows}
    war = found["dfew", "war", "strict"]
    assert (war.value, war.low, war.high, war.n, war.unparsed, war.errors) == (61, 55, 67, 40, 4, 1)
    assert found["dfew", "recall_fear", "official"].value is None
    assert found["emer", "clue", "official"].unparsed == 2
    assert run.about["seeds"] == {"random_seed": 7}
    assert not any(row.task == "mmlu" for row in run.rows)


def test_folders_without_scores_end_in_one_line(tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    with pytest.raises(SystemExit) as error:
        cli.main(["leaderboard", str(tmp_path / "empty"), "--out", str(tmp_path)])
    assert error.value.code == 2
    assert "no *_results.json" in capsys.readouterr().err


def test_a_survey_stands_beside_the_papers(tmp_path):
    share = {"value": 60.0, "low": 50.0, "high": 70.0}
    report = {"participants": 9, "questions": {"best_emotion": {"mine": share}}}
    (tmp_path / "tally.json").write_text(json.dumps(report))
    rows = page.survey_rows(tmp_path / "tally.json")
    layout = next(one for one in LAYOUTS if one.name == "table16")
    (line,) = ranking.lines(rows, layout, False, "official", [])
    assert (line.model, line.cells[0].value, line.cells[0].n) == ("mine", 60.0, 9)


@given(
    st.recursive(
        st.text() | st.integers() | st.none(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    )
)
def test_embedded_data_comes_back_and_cannot_end_its_element(value):
    text = build.embed(value)
    assert not set("<>&\u2028\u2029") & set(text)
    assert json.loads(text) == value


def test_no_folder_of_this_machine_is_on_the_page_nor_in_the_csv(made):
    out, data = made
    assert [run["folder"] for run in data["runs"]] == ["good", "weak", "partial"]
    assert str(out.parent) not in (out / "leaderboard.csv").read_text(encoding="utf-8")
    assert str(out.parent) not in json.dumps({name: data[name] for name in ("runs", "pairs", "missing", "copied")})
    assert data["about"].startswith("3 runs and ")


def test_text_in_the_heat_map_has_contrast_on_every_shade():
    for percent in range(101):
        red, green, blue, _ = colormaps[plots._SHADES](percent / 100)
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (red, green, blue)]
        background = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
        ink = {"black": 0.0, "white": 1.0}[plots._ink(percent)]
        light, dark = max(ink, background), min(ink, background)
        assert (light + 0.05) / (dark + 0.05) >= 4.5, percent
