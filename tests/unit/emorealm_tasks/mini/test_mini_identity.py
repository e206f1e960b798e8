"""Which build of the mini world a folder holds: its name, what --if-missing keeps, and what a run says of it."""

import json

import pytest

from emorealm_tasks import settings
from emorealm_tasks.benchmarks import emorealm, identity
from emorealm_tasks.mini import cli
from emorealm_tasks.mini.build import split
from emorealm_tasks.mini.world.sampling import TEST_CLIPS


@pytest.fixture
def cache(monkeypatch, tmp_path):
    monkeypatch.delenv("EMOREALM_MINI", raising=False)
    monkeypatch.setenv("EMOREALM_CACHE", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(split, "_render", lambda clips, videos: None)
    monkeypatch.setattr(split.published_layouts, "write_all", lambda out, shown: None)
    monkeypatch.setattr(split.published_layouts, "complete", lambda out: True)
    monkeypatch.setattr(split, "FLOOR_CLIPS", 40)
    return tmp_path / "emorealm-mini"


def test_the_tasks_look_where_the_embedded_benchmark_is_built():
    assert split.folder_name("test", TEST_CLIPS, 0) == settings.MINI


@pytest.mark.parametrize("clips", [8, 9, 10, 11, 37])
def test_so_many_clips_are_made(clips):
    for seed in range(3):
        content = split.planned("test", clips, seed)
        assert len(content) == clips
        assert len({question.task for _, asked in content for question in asked}) == 5


def test_a_toy_has_a_place_of_its_own_and_the_benchmark_is_never_taken_for_it(cache, capsys):
    assert cli.main(["build", "--clips", "8"]) == 0
    toy = cache / f"test-8-clips-seed-0-v{split.VERSION}"
    assert f"EMOREALM_MINI={toy}" in capsys.readouterr().out
    assert not settings.load().mini.exists()
    assert len(json.loads((toy / "cues.json").read_text())) == 8
    assert cli.main(["build", "--clips", "8", "--if-missing"]) == 0
    assert "is there already" in capsys.readouterr().out
    with pytest.raises(SystemExit) as stopped:
        cli.main(["build", "--if-missing", "--out", str(toy)])
    assert stopped.value.code == 2
    assert "clips 8, seed 0) than version 1, split test, clips 800" in capsys.readouterr().err


def test_questions_that_are_not_those_of_the_build_are_told(cache, monkeypatch, capsys):
    assert cli.main(["build", "--clips", "8"]) == 0
    toy = cache / f"test-8-clips-seed-0-v{split.VERSION}"
    monkeypatch.setenv("EMOREALM_MINI", str(toy))
    assert json.loads((toy / "build.json").read_text())["questions"] == identity.of_folder(toy)["questions"]
    assert len(emorealm.read("emorealm_mini", settings.load())) > 5
    (toy / "emorealm_v1.json").write_text((toy / "emorealm_v1.json").read_text().replace("(A)", "(a)"))
    for use in (
        lambda: cli.main(["build", "--clips", "8", "--if-missing"]),
        lambda: emorealm.read("emorealm_mini", settings.load()),
    ):
        with pytest.raises(SystemExit) as stopped:
            use()
        assert stopped.value.code == 2
        assert f"{toy}: its questions are others than its build made" in capsys.readouterr().err
    assert cli.main(["build", "--clips", "8"]) == 0
    assert cli.main(["build", "--clips", "8", "--if-missing"]) == 0


def test_a_run_says_which_build_it_answered(cache, monkeypatch):
    tasks = ["emorealm_mini_modality_agreement", "dfew_mini", "emorealm_modality_agreement"]
    assert identity.by_task(tasks) == {}  # nothing is built
    cli.main(["build", "--clips", "8", "--seed", "3"])
    toy = cache / f"test-8-clips-seed-3-v{split.VERSION}"
    monkeypatch.setenv("EMOREALM_MINI", str(toy))
    found = identity.by_task(tasks)
    assert set(found) == set(tasks[:2])
    about = found["dfew_mini"]
    assert (about["split"], about["clips"], about["seed"], about["version"]) == ("test", 8, 3, split.VERSION)
    (toy / "emorealm_v1.json").write_text((toy / "emorealm_v1.json").read_text().replace("(A)", "(a)"))
    assert identity.by_task(tasks)["dfew_mini"]["questions"] != about["questions"]
