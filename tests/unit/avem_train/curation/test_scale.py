"""What a large run takes, from a small one: by hand, from a run's own files, and as the page shows it."""

import json
from pathlib import Path

import pytest

from avem_train.curation import pipeline, recipe, scale
from curation import content
from emorealm_results import cli

ROOT = Path(__file__).resolve().parents[4]
PAGE, KEPT = ROOT / "docs" / "curation_scale.md", ROOT / "results" / "curation" / "pilot.json"


def test_the_pages_tables_are_the_arithmetic_of_the_kept_run():
    pilot = scale.from_content(json.loads(KEPT.read_text()))
    shown = PAGE.read_text().split("<!-- plan -->")[1].split("<!-- end of plan -->")[0]
    assert shown.strip() == scale.markdown(scale.planned(pilot, 1_000_000), 8, 3.99, 1.0).strip()


def test_the_pages_assumptions_are_those_of_the_code():
    text = PAGE.read_text()
    for speed in scale.TOKENS_A_SECOND.values():
        assert f"{speed:,.0f} tokens/s on a GPU" in text
    taken = scale.from_content(json.loads(KEPT.read_text())).stages["filter"]
    assert f"the cache\nanswered {taken.cached} of {taken.cached + taken.asked:,}." in text


def test_hours_days_dollars_and_storage_by_hand():
    speed = scale.TOKENS_A_SECOND["72B"]
    taken = scale.StageTaken(10, 20, 30, 0, speed * 3600, 0, 1.5, 5e8, 2e8)
    plan = scale.planned(scale.Pilot(10, {"captions": taken}), 480)
    assert scale.gpu_hours(plan.stages.values(), speed) == pytest.approx(48)
    text = scale.markdown(plan, 2, 10.0, 100.0).splitlines()
    cells = {line.split("|")[1].strip(): [cell.strip() for cell in line.split("|")[2:-1]] for line in text if line}
    assert cells["captions"] == ["480", "1,440", f"{48 * speed * 3600 / 1e6:,.1f} M", "0", "960", "24.0", "72"]
    assert cells["72B"][1:4] == ["48", "1.0", "480"]  # hours, days on 2 GPUs, dollars
    assert cells["clips"] == ["480", "48"]
    assert cells["in memory at once"][1] == "10"


def test_a_run_is_measured_by_its_own_files(folder, server, capsys):
    stages = {"captions": {"picture": "server", "sound": "server", "frames": 1}, "emotions": {"client": "server"}}
    file, out = folder / "recipe.yaml", str(folder / "out")
    file.write_text(json.dumps(content(folder, server.url, stages, out=out)))
    chosen = recipe.load(str(file), [])
    pipeline.run(chosen, ["captions"])
    with pytest.raises(SystemExit):
        cli.main(["curate", "plan", str(file)])
    assert "emotions.jsonl: is not there; run the recipe over a few hundred clips first" in capsys.readouterr().err
    del stages["emotions"]
    file.write_text(json.dumps(content(folder, server.url, stages, out=out)))
    assert cli.main(["curate", "plan", str(file), "--json"]) == 0
    (taken,) = json.loads(capsys.readouterr().out)["stages"].values()
    size = sum((folder / "out" / name).stat().st_size for name in ("captions.jsonl", "captions.rejects.jsonl"))
    assert taken == {
        **{
            "rows_in": 3,
            "rows": 3,
            "asked": 6,
            "cached": 0,
            "tokens_in": 3000,
            "tokens_out": 360,
            "bytes": size,
            "held": 0.0,
        },
        "dollars": pytest.approx(6 * (500 * 1.0 + 60 * 2.0) / 1e6),
    }
    (folder / "out" / "captions.json").write_text("{}")
    with pytest.raises(SystemExit):
        cli.main(["curate", "plan", str(file)])
    assert "captions.json: cannot be read" in capsys.readouterr().err


def test_tokens_that_are_not_counted_come_from_the_stages_rule(folder, server):
    stages = {"captions": {"picture": "server", "sound": "server", "frames": 1}}
    chosen = recipe.from_content(content(folder, server.url, stages))
    tokens_in, tokens_out, dollars = scale._by_thumb(chosen, "captions")
    assert (tokens_in, tokens_out) == ((560 + 420) / 2, 350)
    assert dollars == pytest.approx((490 * 1.0 + 350 * 2.0) / 1e6)
