"""The paper's tables as data, and what recomputing them finds."""

import re

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from emorealm_results import cli
from emorealm_results.paper import audit, printed
from emorealm_results.paper.audit_rules import Tables, gain, harmonic


@pytest.fixture(scope="module")
def cells():
    return printed.load()


@pytest.fixture(scope="module")
def found(cells):
    return audit.disagreements(audit.check(cells))


def test_every_table_with_numbers_is_there_once(cells):
    assert sorted({cell.table for cell in cells}) == [1, 2, 3, 4, 5, 6, 7, 8, 13, 14, 15, 16, 17, 18]
    keys = [(cell.table, cell.model, cell.task, cell.metric) for cell in cells]
    assert len(keys) == len(set(keys)) == 914
    sizes = {table: sum(cell.table == table for cell in cells) for table in (2, 3, 13, 14, 15)}
    # rows x columns of the print, less its dashes
    assert sizes == {2: 15 * 9 - 6, 3: 12 * 5, 13: 19 * 15 + 6 * 5, 14: 11 * 4 + 6 * 2, 15: 17 * 9}


def test_the_models_of_the_tables_have_one_name_each(cells):
    known = {model.name for model in printed.models()}
    variants = ("rejected media", "rejected responses", "w/o", "contrastive decoding", "GPT-4o")
    for cell in cells:
        assert not cell.model or cell.model in known or any(word in cell.model for word in variants), cell.place


@pytest.mark.parametrize(
    ("table", "model", "metric", "recomputed"),
    [
        (13, "EmotionLLaMA* + Vista-DPO", "f1", 44.9),
        (13, "VideoLLaMA", "accuracy", 34.6),
        (15, "OneLLM", "uar", 36.56),
        (3, "EmotionLLaMA* + AVEm-DPO", "accuracy", 89.1),
        (5, "Our base + AVEm-DPO", "agree", 60.0),
        (2, "Qwen 2.5 Omni", "war", 54.33),
        (7, "", "majority_correct", 3965),
        (4, "(column)", "most_inconsistent", 100),
    ],
)
def test_the_known_disagreements_are_found(found, table, model, metric, recomputed):
    check = next(c for c in found if (c.cell.table, c.cell.model, c.cell.metric) == (table, model, metric))
    assert check.low - 0.05 <= recomputed <= check.high + 0.05


def test_each_disagreeing_cell_has_a_note_and_keeps_its_number(found, cells):
    for check in found:
        assert check.cell.note, check.cell.place
        twin = next(cell for cell in cells if cell.place == check.cell.place.replace("(column)", "VideoLLaMA2"))
        assert check.cell.model == "(column)" or twin.value == check.cell.value


def test_relative_gains_all_follow_from_their_rows(cells):
    gains = [check for check in audit.check(cells) if check.rule == "relative gain"]
    assert len(gains) == 30
    assert all(check.agrees for check in gains)


def test_a_wrong_digit_would_be_found(cells):
    """Each recomputed cell of Table 3 moved by half a point is reported."""
    for position, cell in enumerate(cells):
        if cell.table == 3 and cell.model == "OLA":
            wrong = cell.__class__(**{**vars(cell), "value": cell.value + 0.5, "low": cell.low + 0.5,
                                      "high": cell.high + 0.5})  # fmt: skip
            moved = [*cells[:position], wrong, *cells[position + 1 :]]
            assert any(check.cell == wrong for check in audit.disagreements(audit.check(moved)))


def test_the_readme_shows_what_the_command_prints(capsys):
    assert cli.main(["audit"]) == 0
    text = (printed.FOLDER / "README.md").read_text(encoding="utf-8")
    shown = re.search(r"<!-- audit -->\n(.*)<!-- end of audit -->", text, re.DOTALL)[1]
    assert shown == capsys.readouterr().out


def _cell(value, decimals=1):
    half = 0.5 * 10**-decimals
    return printed.Cell("m", "", "t", "s", value, 1, "", f"{value:.{decimals}f}", value - half, value + half)


@given(st.floats(1, 100), st.floats(1, 100))
def test_intervals_hold_the_number_behind_the_print(first, second):
    cells = _cell(round(first, 1)), _cell(round(second, 1))
    low, high = harmonic(*cells)
    assert low - 1e-6 <= 2 * first * second / (first + second) <= high + 1e-6
    low, high = gain(*cells)
    assert low - 1e-6 <= 100 * (first / second - 1) <= high + 1e-6


def test_absent_cells_are_no_findings(cells):
    assert audit.check([cell for cell in cells if cell.table == 14]) == []
    assert Tables(cells).get(13, "VideoLLaMA 3", "emorealm", "accuracy") is None


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"value": "60,1"}, "no number"),
        ({"extra": 1}, "needs model"),
        ({"value": None}, "no number"),
    ],
)
def test_a_malformed_cell_is_named(tmp_path, capsys, change, words):
    row = {"model": "m", "modality": "", "task": "t", "metric": "s", "value": 1.0, "table": 1, "note": ""} | change
    (tmp_path / "table_01.yaml").write_text(yaml.safe_dump({"decimals": 1, "rows": [row]}))
    with pytest.raises(SystemExit) as error:
        cli.main(["audit", "--published", str(tmp_path)])
    assert error.value.code == 2
    said = capsys.readouterr().err
    assert "table_01.yaml" in said
    assert "row 1" in said
    assert words in said
