"""Clips that the page plays: links, copies and their limit, and what leads out of the folder."""

from urllib.parse import unquote

import pytest

from emorealm_results.leaderboard import playable

ORDER = [("b", "part_1/one.mp4"), ("b", "part_1/two #2.mp4"), ("b", "part_1/gone.mp4")]


@pytest.fixture
def clips(tmp_path):
    """Two clips of 600 kB, the second with its sound in a file of 100 kB, and one that is not there."""
    source = tmp_path / "source" / "part_1"
    source.mkdir(parents=True)
    for name in ("one.mp4", "two #2.mp4"):
        (source / name).write_bytes(b"x" * 600_000)
    (source / "two.wav").write_bytes(b"x" * 100_000)
    one, two, gone = source / "one.mp4", source / "two #2.mp4", source / "gone.mp4"
    return dict(zip(ORDER, [(one, one), (two, source / "two.wav"), (gone, gone)], strict=True))


def test_clips_are_linked_where_they_lie_and_absent_ones_are_not(clips, tmp_path):
    page = tmp_path / "out" / "leaderboard.html"
    links = playable.linked(clips, page)
    assert set(links) == {"b/part_1/one.mp4", "b/part_1/two #2.mp4"}
    assert links["b/part_1/one.mp4"] == {"video": "../source/part_1/one.mp4"}
    second = links["b/part_1/two #2.mp4"]
    assert "#" not in second["video"]  # which would start a fragment
    for link in second.values():
        assert (page.parent / unquote(link)).resolve().is_file()


def test_copies_are_what_the_page_links_and_a_second_time_nothing_is_written(clips, tmp_path):
    folder = tmp_path / "out" / "clips"
    done = playable.copy(clips, ORDER, folder, 2)
    assert str(done) == "clips: 3 files of clips, 1.3 MB"
    links = playable.linked(playable.within(folder, clips), tmp_path / "out" / "leaderboard.html")
    assert links["b/part_1/two #2.mp4"] == {
        "video": "clips/b/part_1/two%20%232.mp4",
        "audio": "clips/b/part_1/two%20%232.wav",
    }
    times = {path: path.stat().st_mtime_ns for path in folder.rglob("*.*")}
    assert playable.copy(clips, ORDER, folder, 2) == done
    assert times == {path: path.stat().st_mtime_ns for path in folder.rglob("*.*")}


def test_the_limit_holds_and_what_it_leaves_out_is_said(clips, tmp_path):
    done = playable.copy(clips, ORDER, tmp_path / "clips", 1)
    assert (done.count, done.size, done.left_out) == (1, 600_000, 1)
    assert "1 clips left out by the limit, raise --copy-clips" in str(done)
    assert sum(path.stat().st_size for path in (tmp_path / "clips").rglob("*.mp4")) <= 1_000_000


def test_nothing_is_copied_out_of_the_folder_or_into_anothers(clips, tmp_path, capsys):
    bad = {("b", "../../evil.mp4"): clips[ORDER[0]], ("b", "/tmp/evil.mp4"): clips[ORDER[0]]}
    assert playable.copy(bad, list(bad), tmp_path / "clips", 5).count == 0
    assert [path.name for path in (tmp_path / "clips").rglob("*")] == [".emorealm.json"]
    assert not (tmp_path / "evil.mp4").exists()
    with pytest.raises(SystemExit) as error:
        playable.copy(clips, ORDER, tmp_path / "source", 5)
    assert error.value.code == 2
    assert "--clips" in capsys.readouterr().err
