"""What the documents show is what was measured."""

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
KEPT = ROOT / "results" / "mini"
SHOWN = {
    ("README.md", "study"): "study.md",
    ("model_adapters/avere_nano/README.md", "table"): "avere_nano.md",
    ("model_adapters/avere_nano_dpo/README.md", "table"): "avere_nano_dpo.md",
    ("model_adapters/avere_nano_2_dpo/README.md", "table"): "make_run.md",
    ("model_adapters/avere_nano_2_plus/README.md", "table"): "make_run.md",
}
"""Document and the marks around a table -> the kept table."""
MAPPED = ("emorealm_tasks", "model_adapters", "avem_train", "avem_train/curation", "results/emorealm_results")
"""Folders whose rooms stand on the map."""


@pytest.mark.parametrize(("document", "mark"), SHOWN)
def test_the_shown_table_is_the_kept_one(document, mark):
    """Row for row."""
    text = (ROOT / document).read_text(encoding="utf-8")
    shown = text.split(f"<!-- {mark} -->")[1].split(f"<!-- end of {mark} -->")[0]
    kept = (KEPT / SHOWN[document, mark]).read_text(encoding="utf-8")
    rows = [line for line in shown.splitlines() if line.startswith("|")]
    assert len(rows) > 3
    assert all(row in kept for row in rows)


def test_the_end_of_make_run_has_the_scores_of_the_kept_tables():
    """Each number of what the README shows as the end of `make run`."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    shown = text.split("<!-- make run -->")[1].split("<!-- end of make run -->")[0]
    *kept, side_by_side = re.split(r"^# ", (KEPT / "make_run.md").read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    of_run = {page.splitlines()[0].split()[-1]: page for page in kept}
    assert len(of_run) == 3
    name, numbers = "", 0
    for line in shown.splitlines():
        name = line.split(":")[0] if ": emorealm_mini," in line else name
        in_table = of_run[name] if line.startswith(("modality", "reasoning", "stress")) else side_by_side
        for number in re.findall(r"\b\d+\.\d\b", line):
            assert number in in_table, line
            numbers += 1
    assert numbers > 90


CARDS = {"avere_nano": "avere_nano", "avere_nano_dpo": "avere_nano_dpo"}
CARDS |= dict.fromkeys(("avere_nano_2_dpo", "avere_nano_2_plus"), "make_run")


@pytest.mark.parametrize(("model", "page"), CARDS.items())
def test_the_card_and_the_kept_table_are_of_one_run(model, page):
    card = json.loads((ROOT / "model_adapters" / model / "card.json").read_text(encoding="utf-8"))
    accuracy = card["benchmarks"]["emorealm_mini"]["full"]["tasks"]["reasoning_basic_video"]["readings"]["strict"]
    score = accuracy["accuracy"]
    kept = (KEPT / f"{page}.md").read_text(encoding="utf-8")
    assert f"{score['value']:.1f} [{score['low']:.1f}, {score['high']:.1f}]" in kept


MOST_BYTES = {"avere_nano": 10_000_000, "avere_nano_2": 10_000_000, "avere_nano_dpo": 5_000_000}
MOST_BYTES |= {"emotion_llama_nano": 10_000_000, "avere_nano_2_dpo": 1_000_000, "avere_nano_2_plus": 1_000_000}


@pytest.mark.parametrize(("names", "most"), MOST_BYTES.items())
def test_the_weights_are_small_enough_to_ship(names, most):
    weights = (ROOT / "model_adapters").glob(f"{names}/*.safetensors")
    assert 0 < sum(file.stat().st_size for file in weights) <= most


@pytest.mark.parametrize("folder", MAPPED)
def test_the_map_shows_every_room(folder):
    """Folders, and of a package its modules too; what the map shows is there."""
    drawn = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8").split("## The folders")[1].split("```")[1]
    package = folder.removesuffix("/curation")
    words = set(next(part for part in re.split(r"\n(?=\S)", drawn) if part.startswith(f"{package}/")).split()[1:])
    entries = [path for path in (ROOT / folder).iterdir() if not path.name.startswith(("_", "."))]
    modules = {path.name for path in entries if path.suffix == ".py"} if folder == package else set()
    assert {f"{path.name}/" for path in entries if path.is_dir()} | modules <= words
    assert all(list((ROOT / package).rglob(word)) for word in words if word.endswith(("/", ".py")))


@pytest.mark.parametrize("page", ["README.md", *(str(path.relative_to(ROOT)) for path in (ROOT / "docs").glob("*.md"))])
def test_what_examples_in_python_import_is_there(page):
    for block in re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(encoding="utf-8"), re.DOTALL):
        for line in re.findall(r"^(?:from|import) .*", block, re.MULTILINE):
            exec(line, {})
