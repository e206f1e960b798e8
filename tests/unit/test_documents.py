"""What the documents show is what was measured."""

import json
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TABLE = ROOT / "results" / "mini" / "avere_nano.md"


@pytest.mark.parametrize("document", ["README.md", "model_adapters/avere_nano/README.md"])
def test_the_shown_table_is_the_kept_one(document):
    """The strict table of the kept run, row for row."""
    text = (ROOT / document).read_text(encoding="utf-8")
    shown = text.split("<!-- table -->")[1].split("<!-- end of table -->")[0]
    kept = TABLE.read_text(encoding="utf-8")
    rows = [line for line in shown.splitlines() if line.startswith("|")]
    assert len(rows) > 10
    assert all(row in kept for row in rows)


def test_the_card_and_the_kept_table_are_of_one_run():
    card = json.loads((ROOT / "model_adapters" / "avere_nano" / "card.json").read_text(encoding="utf-8"))
    accuracy = card["benchmarks"]["emorealm_mini"]["full"]["tasks"]["reasoning_basic_video"]["readings"]["strict"]
    score = accuracy["accuracy"]
    assert f"{score['value']:.1f} [{score['low']:.1f}, {score['high']:.1f}]" in TABLE.read_text(encoding="utf-8")


def test_the_weights_are_small_enough_to_ship():
    weights = ROOT / "model_adapters" / "avere_nano" / "model.safetensors"
    assert weights.stat().st_size <= 15_000_000
