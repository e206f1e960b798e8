"""The second embedded base as it ships: its weights give the answers that were kept, and are weak as the paper's."""

import dataclasses
import json

import pytest

from avem_train import config
from avem_train.nano import encoders, train, validation
from avem_train.nano.miniature import MODALITIES, Media
from avem_train.nano.rendered_clips import rendered
from avem_train.nano.settings import AvereBase
from emorealm_results.paper.layouts import GROUP
from emorealm_results.study.paper import of_model
from emorealm_tasks.mini.build.plan import plan
from emorealm_tasks.mini.world.sampling import generator
from model_adapters.base.embedded import NANO_2

KEPT = "DBBBBABABDABCBABBBABBADCBADBCBBBAABB"
"""Letters that answer the questions about the first 24 planned clips of the validation world."""
WITHIN = 10
"""Points of the paper's base, on the validation world."""


def recipe():
    content = config.read("mini_base_2", [])
    assert content.pop("program") == "mini_base"
    return config.from_mapping(AvereBase, content)


def test_it_answers_as_it_did_when_it_was_made():
    miniature = train.untrained(AvereBase(**vars(recipe()) | {"begin_with": "avere_nano_2"}))
    planned = plan(generator("validation", 0), 24)
    clips = [clip for clip, _ in planned]
    states = {name: encoders.encode(miniature, name, rendered(clips, name, miniature)) for name in MODALITIES}
    media = Media(clips, states["video"], states["audio"])
    answered = validation.letters(miniature, media, [about for _, about in planned])
    letters = "".join(letter for _, letter in answered)
    same = sum(one == other for one, other in zip(letters, KEPT, strict=True))
    assert same >= len(KEPT) - 1, letters  # another CPU may turn a tie


def test_it_was_made_by_its_recipe():
    """The settings beside the weights are those of the recipe."""
    kept = json.loads((NANO_2 / "training.json").read_text())["settings"]
    made_by = dataclasses.asdict(recipe())
    assert {name: kept[name] for name in ("begin_with", "clips", "seed", "biased")} == {
        name: made_by[name] for name in ("begin_with", "clips", "seed", "biased")
    }


def test_its_page_shows_the_papers_weaknesses():
    page = (NANO_2.parents[1] / "results" / "mini" / "avere_nano_2.md").read_text(encoding="utf-8")
    lines = [[cell.strip() for cell in line.strip("| ").split("|")] for line in page.splitlines() if "|" in line]
    measured = next(line for line in lines if line[0] == "avere_nano_2")
    paper = of_model("Our base")
    for name, value in zip(("basic", "agree", "stress", "spur", "hall"), measured[1:6], strict=True):
        assert float(value) == pytest.approx(paper[GROUP, name], abs=WITHIN), name
