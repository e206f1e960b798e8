"""The page of all speeds says what the measurements beside it say."""

import runpy
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


def test_the_page_is_made_of_the_measurements_beside_it():
    summary = runpy.run_path(str(ROOT / "tests/benchmarks/summary.py"))
    written = (summary["FOLDER"] / "README.md").read_text(encoding="utf-8")
    assert written == summary["page"](summary["FOLDER"])
