"""The scripted model: right without mistakes, wrong at its rates, its mistakes found by the grades."""

import json

import pytest

from avem_train import config
from avem_train.curation import graded, pipeline, recipe
from emorealm_tasks.mini.build.split import build


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    """A built split of a few clips."""
    folder = tmp_path_factory.mktemp("world") / "clips"
    build(folder, "train", 14, 3, 0.4)
    return folder


def curated(clips, out, **args):
    content = config.read("mini", [f"manifest.path={clips}", f"out={out}"], recipe.shipped())
    content["clients"]["captioner"]["args"] = {"captions": "truth", **args}
    content["clients"]["writer"]["args"] = content["clients"]["checker"]["args"] = args
    loaded = recipe.from_content(content)
    reports = pipeline.run(loaded)
    return reports, graded.of_run(loaded), loaded


@pytest.mark.slow
def test_without_mistakes_all_that_is_claimed_is_true(clips, tmp_path):
    reports, found, _ = curated(clips, tmp_path / "out")
    assert found["planted"] == {}
    for name, grade in found["grades"].items():
        if grade["n"] and "guessable" not in name and "emotion-relevant" not in name:
            assert grade["value"] == 100, name
    assert {one.stage for one in reports} >= {"captions", "filter", "preferences", "supervise"}
    assert found["grades"]["chosen response true"]["n"] > 20


def test_replies_that_a_killed_process_was_writing_are_not_read(clips, tmp_path):
    _, before, loaded = curated(clips, tmp_path / "out")
    folder = next(path for path in (tmp_path / "out" / "replies").iterdir() if path.name != "locks")
    (folder / f".{'0' * 64}.json.0123456789ab.new.json").write_text('{"model": "cut sh')
    assert graded.of_run(loaded) == before


def test_mistakes_are_caught_where_a_check_claims_to_catch_them(clips, tmp_path):
    rates = {"leak": 1.0, "broken": 0.5}
    _, found, _ = curated(clips, tmp_path / "leaks", mistakes=rates)
    leak, broken = found["planted"]["leak"], found["planted"]["broken"]
    assert leak["planted"] > 5
    assert leak["caught"] == {"questions": leak["planted"]}
    assert broken["caught"] == {"repair": broken["planted"]}
    _, found, _ = curated(clips, tmp_path / "missed", mistakes={"missed": 0.5, "misclaimed": 1.0})
    assert found["grades"]["cue recall, video"]["value"] < 80
    assert found["grades"]["cue precision, video"]["value"] == 100
    assert found["planted"]["misclaimed:explains"]["left"] == 0


@pytest.mark.slow
def test_cues_that_are_there_in_other_words_are_caught_unless_the_checker_overlooks_them(clips, tmp_path):
    mistakes = {"present": 0.7, "keyed": 0.7, "misclaimed": 1.0}
    _, found, _ = curated(clips, tmp_path / "sharp", mistakes=mistakes)
    names = ("present:in other words", "keyed:by its text alone", "misclaimed:is there in other words")
    assert {name: found["planted"][name]["left"] for name in names} == dict.fromkeys(names, 0)
    assert min(found["planted"][name]["planted"] for name in names) > 2
    _, found, _ = curated(clips, tmp_path / "blind", mistakes=mistakes | {"overlooked": 1.0})
    assert found["planted"][names[2]]["left"] > 2
    assert found["planted"]["overlooked"]["left"] > 2
    _, found, _ = curated(clips, tmp_path / "zealous", mistakes={"overzealous": 1.0})
    assert found["grades"]["emotion-relevant rejected as claimed"]["n"] < 20
    assert found["planted"]["overzealous"]["left"] == 0


def test_the_same_recipe_makes_the_same_mistakes(clips, tmp_path):
    first, second = (curated(clips, tmp_path / name, noise=0.3)[2] for name in ("one", "two"))
    rows = [pipeline.path(one, "preferences").read_text() for one in (first, second)]
    assert rows[0] == rows[1]
    assert len(rows[0].splitlines()) > 20


@pytest.mark.parametrize("args", [{"captions": "guess"}, {"noise": 2.0}, {"mistakes": {"leek": 0.1}}])
def test_args_that_cannot_be_used_are_named(clips, tmp_path, args, capsys):
    with pytest.raises(SystemExit):
        curated(clips, tmp_path / "out", **args)
    assert next(iter(args)) in capsys.readouterr().err


def test_clips_of_another_reader_cannot_be_graded(tmp_path, capsys):
    content = config.read("mini", ["manifest.reader=csv", f"out={tmp_path}"], recipe.shipped())
    with pytest.raises(SystemExit):
        graded.of_run(recipe.from_content(content))
    assert "manifest.reader=mini" in capsys.readouterr().err


def test_captions_by_another_model_are_read_by_the_worlds_phrases():
    from avem_train.curation.scripted import captions

    found = captions.named("Wide eyes, the lamp, a potted plant. The person reacts to the lamp.", "video")
    assert [(one.cue.name, one.relevant) for one in found] == [("wide_eyes", True), ("lamp", True), ("plant", False)]
    assert json.dumps(captions.named("The person reacts to none of it.", "audio")) == "[]"
