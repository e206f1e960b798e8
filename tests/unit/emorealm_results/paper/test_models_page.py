"""The README's table of models is made from the code."""

import pytest

from emorealm_results.paper import models_page, printed
from model_adapters.catalogue import MODELS


def test_the_readme_shows_the_table_of_the_code():
    page = models_page.PAGE.read_text(encoding="utf-8")
    assert models_page.rewritten(page) == page, "run python -m emorealm_results.paper.models_page"


def test_every_row_of_table_13_is_there_or_said_to_be_missing():
    text = models_page.render()
    rows = {cell.model for cell in printed.load() if cell.table == 13}
    assert len(rows) > 20
    assert all(name in text for name in rows)
    assert {model.published for model in MODELS} - {""} <= rows


def test_rows_that_are_trained_name_their_recipe():
    """Of both bases of the paper; what they are trained on is a row of its own."""
    lines = models_page.render().splitlines()
    for base in ("Our base", "EmotionLLaMA*"):
        for method, recipe in (("Naive-DPO", "naive_dpo"), ("Vista-DPO", "vista_dpo")):
            assert any(f"| {base} + {method}: " in line and f"`avem-train run {recipe}`" in line for line in lines)
    assert any("EmotionLLaMA* + AVEm-DPO: " in line and "`avem-train run avem_dpo`" in line for line in lines)
    assert not any("Our base + AVEm-DPO" in line and "avem-train" in line for line in lines)  # `avere` itself
    assert any("`gemini_av`" in line and "Gemini 2.5 Pro: " in line for line in lines)


def test_a_row_says_what_is_fed_and_what_the_paper_measured():
    line = next(line for line in models_page.render().splitlines() if "`qwen2_audio_av`" in line)
    cells = [cell.strip() for cell in line.strip("|").split("|")]
    assert cells[2] == "sound"
    assert cells[6] == "Qwen 2 Audio: basic A 56.6, stress A 55.1"


def test_names_are_given_once():
    names = [model.name for model in MODELS]
    assert len(set(names)) == len(names)


def test_a_page_without_its_marks_is_refused():
    with pytest.raises(ValueError, match="needs the lines"):
        models_page.rewritten("no marks")
