"""Clips and manifests at an address: the files of the same clips on disk, and every fault in a line."""

import csv

import fsspec
import pytest

from avem_train.curation import estimate, manifests, pipeline, recipe
from avem_train.curation.data import row_files, store
from avem_train.curation.data.rows import Clip, Reject
from avem_train.curation.manifests.settings import Manifest
from curation import content
from emorealm_tasks.chat_client import RequestFailed, ServerRefuses
from emorealm_tasks.media import MediaError
from emorealm_tasks.untrusted import Unreadable

STAGES = {"captions": {"picture": "server", "sound": "server", "frames": 1}}


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path):
    monkeypatch.setenv("EMOREALM_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def memory():
    """The bucket memory://clips; afterwards it is empty."""
    system = fsspec.filesystem("memory")
    system.mkdirs("/clips", exist_ok=True)
    yield system
    system.store.clear()
    system.pseudo_dirs[:] = [""]


@pytest.fixture
def stores(monkeypatch, tmp_path):
    """The temporary folders that rows fetch to lie here; attempts follow at once."""
    place = tmp_path / "temporary"
    place.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(place))
    monkeypatch.setattr(store, "PAUSES", (0.0, 0.0))
    return place


def at(folder, server, place, **more):
    whole = content(folder, server.url, STAGES)
    whole["manifest"] |= place
    return recipe.from_content(whole | more)


def files(folder):
    return [(folder / name).read_bytes() for name in ("captions.jsonl", "captions.rejects.jsonl")]


def listed(folder, rows):
    with (folder / "clips.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("id", "video", "audio", "emotion"), *rows])


@pytest.mark.parametrize("where", ["memory", "web", "file"])
def test_clips_at_an_address_give_the_files_of_clips_on_disk(folder, server, memory, site, stores, where):
    (folder / "1 of#2?.mp4").write_bytes((folder / "1.mp4").read_bytes())
    (folder / "broken.mp4").write_bytes(b"no clip")
    listed(
        folder, [("a", "0.mp4", "", "happy"), ("b", "1 of#2?.mp4", "2.mp4", "happy"), ("c", "broken.mp4", "", "happy")]
    )
    pipeline.run(at(folder, server, {}, out=folder / "disk"))
    for file in folder.glob("*.*4"):
        memory.pipe_file(f"/clips/{file.name}", file.read_bytes())
    memory.pipe_file("/clips/clips.csv", (folder / "clips.csv").read_bytes())
    root = {"memory": "memory://clips", "web": site, "file": folder.as_uri()}[where]
    (report,) = pipeline.run(at(folder, server, {"path": f"{root}/clips.csv"}))
    assert (report.rows, report.rejects) == (2, {"unreadable clip": 1})
    rows, rejects = files(folder / "out")
    disk_rows, disk_rejects = files(folder / "disk")
    assert rows == disk_rows
    assert rejects == disk_rejects.replace(str(folder).encode(), root.encode()) or where == "file"
    assert list(stores.iterdir()) == []  # what was fetched is gone
    asked = len(server.asked)
    (folder / "out" / "captions.json").unlink()
    pipeline.run(at(folder, server, {"path": f"{root}/clips.csv"}))
    assert len(server.asked) == asked  # the replies' keys are the content's, not the copies'


def test_addresses_in_a_manifest_become_paths_below_its_root(folder, memory):
    listed(folder, [("a", "memory://clips/x/a.mp4", "memory://clips/a.wav", "happy")])
    (clip,) = manifests.read(Manifest("csv", str(folder / "clips.csv"), root="memory://clips"), ["happiness"])
    assert (clip.video, clip.audio) == ("x/a.mp4", "a.wav")


@pytest.mark.parametrize(
    ("named", "root", "message"),
    [
        ("s3://me:secret@other/a.mp4", "memory://clips", "s3://***@other/a.mp4 is no plain address below memory://"),
        ("memory://clips/a.mp4?Signature=secret", "memory://clips", "a: memory://clips/a.mp4 is no plain address"),
        ("memory://clips/a.mp4", "", "a: memory://clips/a.mp4 lies elsewhere than"),
    ],
)
def test_an_address_elsewhere_ends_in_a_line_without_its_secrets(folder, memory, capsys, named, root, message):
    listed(folder, [("a", named, "", "happy")])
    with pytest.raises(SystemExit):
        list(manifests.read(Manifest("csv", str(folder / "clips.csv"), root=root), ["happiness"]))
    said = capsys.readouterr().err
    assert message in said
    assert "manifest.root=" in said
    assert "secret" not in said


@pytest.mark.parametrize(
    ("root", "message"),
    [
        ("https://me:secret@host/clips", "https://***@host/clips: an address is a protocol and a place"),
        ("s4://bucket", "s4://bucket: s4:// is no file system of fsspec's"),
        ("dbfs://", "dbfs://: names no place below dbfs://"),
        ("simplecache::memory://clips", "an address is a protocol and a place"),
    ],
)
def test_a_root_that_is_no_address(capsys, root, message):
    with pytest.raises(SystemExit):
        store.Store(root)
    said = capsys.readouterr().err
    assert message in said
    assert "secret" not in said


def test_a_missing_package_is_named(capsys, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "s3fs", None)
    with pytest.raises(SystemExit):
        store.Store("s3://bucket")
    assert capsys.readouterr().err == "emorealm: s3://bucket: s3:// needs a package: pip install s3fs\n"


@pytest.mark.parametrize("name", ["../secret.mp4", "/etc/passwd", "a/../../b.mp4", "a\0.mp4"])
def test_a_name_leads_nowhere_else(tmp_path, memory, name):
    with pytest.raises(Unreadable):
        store.Store("memory://clips").fetch(name, "video", tmp_path)


def test_a_web_servers_names_are_taken_literally(folder, site, tmp_path):
    (folder / "clips").mkdir()
    with pytest.raises(MediaError, match="is not there"):
        store.Store(f"{site}/clips").fetch("%2e%2e/0.mp4", "video", tmp_path / "copies")


@pytest.mark.parametrize("where", ["memory", "web"])
def test_a_file_beyond_the_limit_is_no_clip(folder, memory, site, tmp_path, monkeypatch, where):
    monkeypatch.setattr(store, "LARGEST", 100)
    memory.pipe_file("/clips/0.mp4", b"0" * 101)
    root = site if where == "web" else "memory://clips"
    with pytest.raises(MediaError, match=r"0\.mp4: is larger than"):
        store.Store(root).fetch("0.mp4", "video", tmp_path / "copies")


def test_a_missing_clip_is_a_reject_and_a_missing_bucket_ends_the_stage(folder, server, memory, stores, capsys):
    memory.pipe_file("/clips/0.mp4", (folder / "0.mp4").read_bytes())
    (report,) = pipeline.run(at(folder, server, {"root": "memory://clips"}))
    assert (report.rows, report.rejects) == (1, {"unreadable clip": 2})
    rejects = list(row_files.read(folder / "out" / "captions.rejects.jsonl", Reject))
    assert rejects[0]["reason"] == "memory://clips/1.mp4: is not there"
    with pytest.raises(SystemExit):
        pipeline.run(at(folder, server, {"root": "memory://clops"}, out=folder / "other"))
    assert "captions: memory://clops: is not there; name the address with manifest.root=" in capsys.readouterr().err


def test_a_store_that_does_not_answer_costs_no_row(folder, server, stores, capsys):
    with pytest.raises(SystemExit):
        pipeline.run(at(folder, server, {"root": "http://127.0.0.1:9"}))
    assert "3 rows could not be asked about; the last: clip2: http://127.0.0.1:9/2.mp4: " in capsys.readouterr().err
    assert not (folder / "out" / "captions.jsonl").exists()


def test_a_passing_fault_is_tried_again_and_a_refusal_is_not(tmp_path, monkeypatch, stores):
    faults = [TimeoutError("slow"), None]

    def copy(root, name, target):
        if fault := faults.pop(0):
            raise fault
        target.write_bytes(b"clip")

    monkeypatch.setattr(store, "_copy", copy)
    place = store.Store("memory://clips")
    assert place.fetch("a.mp4", "video", tmp_path / "one").read_bytes() == b"clip"
    faults[:] = [PermissionError("https://me:secret@host: no")] * 2
    with pytest.raises(ServerRefuses, match=r"may not be read \(https://\*\*\*@host: no\)"):
        place.fetch("a.mp4", "video", tmp_path / "two")
    faults[:] = [TimeoutError()] * 2
    with pytest.raises(RequestFailed, match=r"memory://clips/a\.mp4: TimeoutError"):
        place.fetch("a.mp4", "video", tmp_path / "three")
    faults[:] = [OSError(28, "No space left on device")]
    with pytest.raises(OSError, match="No space left"):
        place.fetch("a.mp4", "video", tmp_path / "four")


def test_what_reads_clips_on_disk_and_an_output_at_an_address_end_in_a_line(folder, server, memory, capsys):
    chosen = at(folder, server, {"root": "memory://clips"})
    assert estimate.estimate(chosen)[0].rows == 3
    with pytest.raises(SystemExit):
        _ = chosen.root
    assert capsys.readouterr().err.startswith("emorealm: memory://clips: this reads clips on disk; copy them")
    with pytest.raises(recipe.RecipeError, match="out is s3:/bucket/out: name a folder"):
        at(folder, server, {}, out="s3://bucket/out")


@pytest.mark.parametrize(
    ("reader", "path", "message"),
    [
        ("mafw", "memory://clips", "looks through a folder on disk"),
        ("csv", "memory://clips/none.csv", "memory://clips/none.csv: is not there; manifest.path names a CSV file"),
    ],
)
def test_a_manifest_that_cannot_be_fetched(memory, capsys, reader, path, message):
    with pytest.raises(SystemExit):
        list(manifests.read(Manifest(reader, path, root="memory://clips"), ["happiness"]))
    assert message in capsys.readouterr().err


def test_rows_name_clips_below_the_root(folder, server, memory, stores):
    memory.pipe_file("/clips/0.mp4", (folder / "0.mp4").read_bytes())
    listed(folder, [("a", "memory://clips/0.mp4", "", "happy")])
    pipeline.run(at(folder, server, {"root": "memory://clips"}))
    (row,) = row_files.read(folder / "out" / "manifest.jsonl", Clip)
    assert row["video"] == "0.mp4"
