"""What is said of a run beside its scores: its weights, when it began, and which version ran it."""

import json

import pytest

import run_folders
from emorealm_results import cli
from emorealm_results.leaderboard import inputs
from emorealm_results.runs import headers, samples
from emorealm_results.share import card, tables


@pytest.fixture
def embedded(tmp_path):
    """A run whose arguments name no weights, as lmms-eval from a package index leaves it."""
    folder = run_folders.write(
        tmp_path / "run", run_folders.whole(), pretrained="", weights="avere_nano",
        date="20261127_073645", zone="Asia/Singapore",
    )  # fmt: skip
    path = folder / "20261127_073645_results.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"lmms_eval_version": "unknown@unknown"}))
    return folder


def test_default_weights_are_named_everywhere(embedded, capsys):
    runs = tables.read([embedded])
    assert {row["checkpoint"] for row in tables.samples(runs) + tables.scores(runs)} == {"avere_nano"}
    assert "avere avere_nano" in card.render("org/name", runs, tables.scores(runs))
    (measured,) = inputs.read([str(embedded)], [])
    assert measured.about["weights"] == "avere_nano"
    assert cli.main(["leaderboard", str(embedded), "--out", str(embedded.parent / "board")]) == 0
    assert "| avere avere_nano " in (embedded.parent / "board/leaderboard.md").read_text()
    assert cli.main(["table", str(embedded)]) == 0
    assert "avere avere_nano" in capsys.readouterr().out


def test_an_unknown_version_is_left_out(embedded):
    runs = tables.read([embedded])
    assert "unknown@" not in card.render("org/name", runs, tables.scores(runs))
    (measured,) = inputs.read([str(embedded)], [])
    assert "lmms_eval_version" not in measured.about["versions"]


def test_dates_are_shown_in_utc(embedded, capsys):
    shown = "2026-11-26 23:36:45 UTC"
    runs = tables.read([embedded])
    assert {row["date"] for row in tables.samples(runs)} == {shown}
    assert shown in card.render("org/name", runs, tables.scores(runs))
    (measured,) = inputs.read([str(embedded)], [])
    assert measured.about["dates"] == [shown]
    assert cli.main(["table", str(embedded), "--markdown"]) == 0
    assert shown in capsys.readouterr().out


@pytest.mark.parametrize(
    ("date", "zone", "shown"),
    [
        ("20261127_073645", "America/New_York", "2026-11-27 12:36:45 UTC"),
        ("20261127_073645", "", "20261127_073645"),
        ("20261127_073645", "Mars/Olympus", "20261127_073645"),
        ("20261127_073645", "../../etc/passwd", "20261127_073645"),
        ("00010101_000000", "Asia/Singapore", "00010101_000000"),
        ("copy", "UTC", "copy"),
    ],
)
def test_a_date_without_a_zone_stays_as_its_file_is_named(date, zone, shown):
    assert headers.when({"date": date, "zone": zone}) == shown


def test_the_newest_run_is_told_across_time_zones(tmp_path):
    """23:36 UTC is the next day's 07:36 in Singapore, which sorts behind 00:10 UTC by its name."""
    for date, zone in (("20261127_073645", "Asia/Singapore"), ("20261127_001000", "UTC"), ("20261127_080000", "")):
        run_folders.write(tmp_path / "run", run_folders.whole(), date=date, zone=zone)
    run = samples.load(tmp_path / "run")
    assert {task.date for task in run.tasks} == {"20261127_001000"}
    (named,) = tables.read([tmp_path / "run"])
    assert next(tables.headers(named.run))["date"] == "20261127_001000"
