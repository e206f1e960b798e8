"""Files of records in every form they may have, read piece by piece; and records that stay on disk."""

import gc
import gzip
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from avem_train.data import checks, record_files, repeats, tables
from avem_train.data.bad_records import BadRecords
from avem_train.data.checks import Needs
from avem_train.data.records import Preference
from avem_train.dpo.value_store import ValueStore

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


@pytest.fixture(scope="module")
def scratch(tmp_path_factory):
    return tmp_path_factory.mktemp("files")


@given(st.lists(values, max_size=5), st.sampled_from([None, 2]), st.integers(1, 40))
@settings(max_examples=60, deadline=None)
def test_lists_and_lines_say_the_same_however_they_are_cut_in_pieces(scratch, members, indent, piece):
    (scratch / "list.json").write_text("\ufeff\n " + json.dumps(members, indent=indent, ensure_ascii=False) + "\n")
    lines = "".join(json.dumps(one, ensure_ascii=False) + "\n\n" for one in members if not isinstance(one, list))
    (scratch / "lines.jsonl").write_text("\n" + lines)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(record_files, "_PIECE", piece)
        assert [item for _, item in record_files.items(scratch / "list.json")] == members
        assert [record_files.content(item) for _, item in record_files.items(scratch / "list.json")] == members
        found = [(where, record_files.content(item)) for where, item in record_files.items(scratch / "lines.jsonl")]
    plain = [one for one in members if not isinstance(one, list)]
    assert found == [(f"line {2 * number + 2}", one) for number, one in enumerate(plain)]


@pytest.mark.parametrize("text", ["[1, 2", "[", "[1 2]", "[1,]", "[{]", "[1] 2", "[" * 5000, '["' + "x" * 100])
def test_a_list_that_is_none_ends_in_one_line(tmp_path, text, capsys, monkeypatch):
    monkeypatch.setattr(record_files, "_LONGEST", 50)
    (tmp_path / "list.json").write_text(text)
    with pytest.raises(SystemExit):
        list(record_files.items(tmp_path / "list.json"))
    assert "not readable as JSON Lines or as a JSON list (" in capsys.readouterr().err


def item(number):
    responses = {"chosen": f"a {number}", "rejected_video_relevant": "b", "rejected_emotion_relevant": "c"}
    return {
        "id": str(number),
        "video": "v.mp4",
        "audio": None,
        "prompt": f"Why {number}?",
        "emotion": "joy",
    } | responses


def test_records_stay_on_disk_in_whatever_file_they_came(tmp_path, monkeypatch, make_clip):
    monkeypatch.setattr(tables, "_CHUNK", 100)
    monkeypatch.setenv("EMOREALM_CACHE", str(tmp_path / "cache"))
    make_clip(tmp_path / "v.mp4", seconds=0.3, size=32)
    items = [item(number) for number in range(450)]
    with gzip.open(tmp_path / "records.jsonl.gz", "wt") as file:
        file.writelines(json.dumps(one) + "\n" for one in items)
    (tmp_path / "list.json").write_text(json.dumps(items))
    records = checks.load(tmp_path / "records.jsonl.gz", None, BadRecords(tmp_path / "out"), Needs())
    assert sum(isinstance(one, Preference) for one in gc.get_objects()) < 10
    assert not list((tmp_path / "cache").glob("records-*"))  # the file has no name
    assert [one.id for one in records] == [one["id"] for one in items]
    assert records[449].prompt == records[-1].prompt == "Why 449?"
    assert [one.id for one in records[7:400:150]] == ["7", "157", "307"]
    assert records[7].audio is None
    assert list(checks.read(tmp_path / "list.json")) == list(records)
    with pytest.raises(IndexError):
        records[450]


def test_what_repeats_is_what_is_equal_not_what_has_one_mark(monkeypatch):
    monkeypatch.setattr(repeats, "hash", lambda content: 0, raising=False)
    assert [number for number, _, _ in repeats.repeated(["a", "b", "a", "c", "b"], str)] == [2, 4]


def test_a_store_of_values_leaves_out_what_is_no_key():
    store = ValueStore()
    store.add([("00ff" * 6, 1.5), ("no key", 2.0), ("00ff" * 6, 2.5), ("11", 10**400)])
    assert (store.get("00ff" * 6), store.get("11")) == (2.5, None)
