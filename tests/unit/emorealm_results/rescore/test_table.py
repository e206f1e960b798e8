"""The printed tables: what they show, that their columns line up, and what the footer owns up to."""

import json
from itertools import pairwise

import pytest

import run_folders
from emorealm_results import cli
from emorealm_results.rescore import scores, table
from emorealm_results.runs import samples


def render(folder):
    return table.render(scores.score(samples.load(folder)))


def rows(text, start):
    """Cells of the table lines that start with a word, in order."""
    lines = [line for line in text.splitlines() if line.startswith(f"| {start}")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_tables_hold_every_task_subtask_and_group_column(tmp_path):
    text = render(run_folders.write(tmp_path, run_folders.whole()))
    strict, official = rows(text, "modality agreement")
    assert strict[1] == "8 / 8"
    assert strict[2].startswith("62.5 [")
    assert strict[3:5] == ["75.0", "50.0"]
    assert strict[5].startswith("60.0 [")
    assert strict[6] == "37.5"
    assert strict[7:] == ["1", "1", "0", "50.0"]
    assert official[6] == "62.5"  # the released code infers "yes" from a wrong reply on a no
    assert rows(text, "reasoning basic, audio")[0][3:7] == ["–"] * 4
    assert [row[1] for row in rows(text, "- hallucinated cue")] == ["2 / 2"] * 4
    group = rows(text, "full")
    assert [row[1] for row in group] == ["strict", "official", "official, lenient"]
    assert group[0][2].startswith("62.5 [")


def test_columns_line_up_in_a_terminal(tmp_path):
    lines = render(run_folders.write(tmp_path, run_folders.whole())).splitlines()
    for line, following in pairwise(lines):
        if line.startswith("|") and following.startswith("|"):
            assert [i for i, c in enumerate(line) if c == "|"] == [i for i, c in enumerate(following) if c == "|"]


def test_floors_become_columns_and_group_rows(tmp_path):
    run_folders.write(tmp_path, run_folders.whole())
    assert not rows(render(tmp_path), "blind")
    run_folders.write(tmp_path, run_folders.whole("emorealm_mini_blind"), date="20261121_130000")
    run_folders.write(tmp_path, run_folders.whole("emorealm_mini_likelihood"), date="20261121_140000")
    text = render(tmp_path)
    assert rows(text, "task")[0][-3:] == ["blind", "likelihood", "text floor"]
    assert rows(text, "modality agreement")[0][-3:] == ["62.5", "62.5", "50.0"]
    assert rows(text, "reasoning basic, audio")[0][-1] == "25.0"
    assert len(rows(text, "blind")) == 3
    assert "text alone" in text
    assert "another clip" not in text


def test_footer_names_intervals_seed_model_versions_and_limit(tmp_path):
    text = render(run_folders.write(tmp_path / "all", run_folders.whole(), missing=3))
    for part in ("Intervals: 95%, over clips", "seed 0", "avere (pretrained=nano)", "lmms-eval 0.7."):
        assert part in text
    assert "LIMITED" not in text
    assert rows(text, "modality agreement")[0][-2] == "3"
    limited = render(run_folders.write(tmp_path / "few", run_folders.whole(), limit=8.0))
    assert "LIMITED RUN**: --limit 8 " in limited
    assert "LIMITED" not in render(run_folders.write(tmp_path / "no limit", run_folders.whole(), limit=-1.0))


def test_the_command_prints_the_table_and_leaves_it_beside_the_run(tmp_path, capsys):
    run = run_folders.write(tmp_path, run_folders.whole())
    assert cli.main(["table", str(run), "--wide"]) == 0
    printed = capsys.readouterr().out
    assert printed == (run / "table.md").read_text() == render(run)


def test_several_runs_get_a_row_each(tmp_path, capsys):
    run_folders.write(tmp_path / "base", run_folders.whole())
    run_folders.write(
        tmp_path / "tuned",
        {t: [r | {"raw": r["gold"], "error": ""} for r in rs] for t, rs in run_folders.whole().items()},
    )
    assert cli.main(["table", str(tmp_path / "base"), str(tmp_path / "tuned"), "--markdown"]) == 0
    shown = capsys.readouterr().out.split("side by side")[1]
    base, tuned = rows(shown, "base")[0], rows(shown, "tuned")[0]
    assert base[1] == tuned[1] == "40"
    assert base[2].startswith("62.5 [")
    assert [cell.split()[0] for cell in tuned[2:8]] == ["100.0"] * 6
    assert (tmp_path / "tuned" / "table.md").exists()


def test_runs_of_one_name_keep_a_row_each_by_their_folders(tmp_path, capsys):
    runs = [tmp_path / seed / "run" for seed in ("seed0", "seed1")]
    for run in runs:
        run_folders.write(run, run_folders.whole())
    assert cli.main(["table", "--markdown", *map(str, runs)]) == 0
    shown = capsys.readouterr().out.split("side by side")[1]
    assert [len(rows(shown, str(run))) for run in runs] == [1, 1]


def test_the_terminal_shows_two_runs_in_80_columns_and_one_reading_where_both_agree(tmp_path, capsys):
    alike = {t: [r | {"raw": r["gold"], "error": ""} for r in rs] for t, rs in run_folders.whole().items()}
    mixed = run_folders.whole()
    mixed["emorealm_mini_modality_agreement"][2]["raw"] = "Yes"  # right, but for the released code, which wants an A
    run_folders.write(tmp_path / "mixed", mixed, pretrained="models/mine")
    run_folders.write(tmp_path / "alike", alike, pretrained="")
    for floor in ("blind", "shuffled", "likelihood"):
        run_folders.write(tmp_path / "alike", run_folders.whole(f"emorealm_mini_{floor}"), pretrained="")
    assert cli.main(["table", str(tmp_path / "mixed"), str(tmp_path / "alike")]) == 0
    shown = capsys.readouterr().out
    assert max(map(len, shown.splitlines())) <= 80
    assert len(shown.splitlines()) <= 40
    for name in ("strict", "official"):
        assert shown.count(f"mixed: emorealm_mini, avere models/mine, {name} reading") == 1
    assert shown.count("alike: emorealm_mini, avere (weights not recorded), both readings") == 1
    assert "hallucinated" not in shown
    tasks = [line.split() for line in shown.splitlines() if "reasoning basic, audio" in line]
    assert [task[3] for task in tasks] == ["8", "8", "8"]
    assert tasks[2][-3:] == ["62.5", "62.5", "62.5"]


FULL_BUILD = {"split": "test", "clips": 800, "seed": 0, "version": 1, "questions": "76f96c1ccf36"}
SMALL_BUILD = FULL_BUILD | {"clips": 8, "questions": "0123456789ab"}


def two_builds(folder):
    """The folder of two runs: the first of a build of 8 clips, the second of the benchmark as it comes."""
    changed = {t: [r | {"clip": f"other/{r['clip']}"} for r in rs] for t, rs in run_folders.whole().items()}
    run_folders.write(folder / "mini8", changed, benchmark=SMALL_BUILD, date="20261127_082745", zone="Asia/Singapore")
    run_folders.write(folder / "usual", run_folders.whole(), benchmark=FULL_BUILD)
    return folder


@pytest.mark.parametrize("options", [(), ("--markdown",)])
def test_a_run_of_another_build_is_marked_beside_the_others(tmp_path, capsys, options):
    assert cli.main(["table", *options, str(two_builds(tmp_path))]) == 0
    printed = " ".join(capsys.readouterr().out.split("side by side")[1].split())
    assert "mini8 *" in printed
    assert "usual *" not in printed
    assert "* mini8: another build of the benchmark (split test, clips 8, seed 0, version 1" in printed


def test_runs_of_one_build_bear_no_mark(tmp_path, capsys):
    for name in ("a", "b"):
        run_folders.write(tmp_path / name, run_folders.whole(), benchmark=SMALL_BUILD)
    assert cli.main(["table", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    assert "side by side" in printed
    assert "another build" not in printed
    assert "* Not the embedded benchmark as it comes, but split test, clips 8" in " ".join(printed.split())


def test_a_run_of_a_small_build_is_marked_beside_one_whose_build_is_not_known(tmp_path, capsys):
    folder = two_builds(tmp_path / "both")
    for path in (folder / "usual").rglob("*_results.json"):
        path.write_text(json.dumps({k: v for k, v in json.loads(path.read_text()).items() if k != "benchmark"}))
    assert cli.main(["table", str(folder)]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert "mini8 *" in printed
    assert "usual *" not in printed


def test_a_folder_of_runs_stands_for_all_of_them(tmp_path, capsys):
    two_builds(tmp_path)
    assert cli.main(["table", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    assert printed.index("mini8: emorealm_mini, ") < printed.index("usual: emorealm_mini, ")
    assert [path.parent.name for path in sorted(tmp_path.rglob("table.md"))] == ["mini8", "usual"]


def test_one_run_below_a_folder_has_the_name_of_its_own(tmp_path, capsys):
    run_folders.write(tmp_path / "runs" / "only", run_folders.whole())
    assert cli.main(["table", str(tmp_path / "runs")]) == 0
    assert capsys.readouterr().out.startswith("only: ")
    assert not (tmp_path / "runs/table.md").exists()


def test_the_head_says_when_the_run_began(tmp_path, capsys):
    run = two_builds(tmp_path) / "mini8"
    assert cli.main(["table", str(run)]) == 0
    assert "2026-11-27 00:27 UTC" in " ".join(capsys.readouterr().out.split("task")[0].split())
