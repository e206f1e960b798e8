"""The embedded world in the published layouts: our own readers find every clip, and its true emotion."""

import dataclasses
import os
from collections import Counter

import pytest

from emorealm_tasks import settings
from emorealm_tasks.benchmarks import suite
from emorealm_tasks.emotions import EMOTIONS
from emorealm_tasks.mini.build import clip_pool, published_layouts, record
from emorealm_tasks.mini.build.split import complete
from emorealm_tasks.mini.world import sampling


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A folder with all layouts, their clips being empty files; and the pool."""
    out = tmp_path_factory.mktemp("mini")
    rng = sampling.generator("test", 3)
    clips = [(sampling.sample_clip(rng), out / "videos" / f"{n}.mp4") for n in range(600)]
    (out / "videos").mkdir()
    for n, (_, file) in enumerate(clips):
        file.write_bytes(f"{n}".encode())
    pool = clip_pool.pool(clips)
    published_layouts.write_all(out, pool)
    (out / record.QUESTIONS).write_text("[]")
    return out, pool


def rows(out, benchmark):
    return suite.read(benchmark, dataclasses.replace(settings.Settings(), mini=out))


def test_the_pool_holds_the_clips_whose_modalities_agree(built):
    pool = built[1]
    assert 200 < len(pool) < 400
    assert all(one.clip.emotion_video == one.clip.emotion_audio == one.emotion for one in pool)


@pytest.mark.parametrize("benchmark", ["dfew_mini", "ravdess_mini", "mer2023_mini"])
def test_every_reader_finds_the_true_emotion_of_every_clip(built, benchmark):
    out, pool = built
    truth = {one.file.read_bytes(): one.emotion for one in pool}
    found = rows(out, benchmark)
    for row in found:
        with open(row["video"], "rb") as file:
            assert truth[file.read()] == row["answer"]
    counted = Counter(row["answer"] for row in found)
    assert set(counted) == set(EMOTIONS[:5] if "mer" in benchmark else EMOTIONS)
    assert max(counted.values()) == clip_pool.PER_CLASS


@pytest.mark.parametrize("benchmark", ["dfew_mini", "ravdess_mini", "mer2023_mini", "emer_mini"])
def test_a_world_that_is_being_built_is_absent(built, benchmark, tmp_path, capsys):
    """Its layouts may be of two worlds, or in part: a build removes the questions first and writes them last."""
    published_layouts.write_all(tmp_path, built[1])
    with pytest.raises(SystemExit):
        rows(tmp_path, benchmark)
    assert "emorealm-mini build" in capsys.readouterr().err


def test_files_are_shared_and_left_out_ones_are_there_to_be_left_out(built):
    out, _ = built
    named = rows(out, "dfew_mini")[0]
    assert os.stat(named["video"]).st_nlink > 1
    assert len({row["video"].split("/")[-2] for row in rows(out, "dfew_mini")}) == published_layouts.DFEW_PARTS
    assert (out / "ravdess/Actor_01/01-01-02-01-01-01-01.mp4").is_file()  # calm
    assert (out / "ravdess/Actor_01/01-02-05-01-01-01-01.mp4").is_file()  # sung
    assert "worried" in (out / "mer2023/test_labels/test3-label.csv").read_text()


def test_a_disk_without_links_gets_copies(built, tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError("no links here")

    monkeypatch.setattr(os, "link", refuse)
    clip_pool.place(built[1][0], tmp_path / "a/b.mp4")
    assert (tmp_path / "a/b.mp4").read_bytes() == built[1][0].file.read_bytes()


def test_writing_again_replaces_and_completeness_is_seen(built, tmp_path):
    (tmp_path / "emorealm_v1.json").write_text("[]")
    (tmp_path / "build.json").write_text('{"split": "test"}')
    assert not complete(tmp_path)
    published_layouts.write_all(tmp_path, built[1])
    assert complete(tmp_path)
    first = sorted(str(path) for path in tmp_path.rglob("*.mp4"))
    published_layouts.write_all(tmp_path, built[1])
    assert sorted(str(path) for path in tmp_path.rglob("*.mp4")) == first
