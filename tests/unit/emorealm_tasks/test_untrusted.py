"""What comes from outside is read or refused in a few words, whatever it is."""

import json
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emorealm_tasks import untrusted
from emorealm_tasks.untrusted import Unreadable

DEEP = "[" * 100_000 + "]" * 100_000
LAUGHS = "a: &a [x, x]\n" + "".join(
    f"{new}: &{new} [*{old}, *{old}, *{old}, *{old}, *{old}, *{old}, *{old}, *{old}, *{old}]\n"
    for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)


@given(st.text(st.characters(exclude_categories=[])))
def test_clean_text_can_be_written_and_keeps_all_else(text):
    found = untrusted.clean(text)
    found.encode()
    if not any("\ud800" <= character <= "\udfff" for character in text):
        assert found == text


def test_halves_of_one_character_are_joined_and_others_are_marked():
    assert untrusted.clean("a\ud83d\ude00b") == "a\U0001f600b"
    assert untrusted.clean("a\ud83db\ude00") == "a\ufffdb\ufffd"


def test_lines_end_at_line_feeds_alone():
    texts = ["a\u2028b", "c\u0085d", "e\x0bf\x1cg", "h\u2029"]
    written = "\n".join(json.dumps(text, ensure_ascii=False) for text in texts) + "\n\n"
    assert [json.loads(line) for _, line in untrusted.lines(written)] == texts


def refused_in_a_few_words(parse, text):
    with pytest.raises(Unreadable) as refused:
        parse(text)
    assert 5 < len(str(refused.value)) < 300
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "text",
    [DEEP, '{"a":' * 100_000 + "1" + "}" * 100_000, "[" * 150 + "]" * 150, "9" * 5000, "", "{", b"\xff\xfe", "\0"],
    ids=["deep", "deep objects", "rather deep", "digits", "empty", "cut", "no UTF-8", "NUL"],
)
def test_json_that_cannot_be_used_is_refused_in_a_few_words(text):
    refused_in_a_few_words(untrusted.parse_json, text)


@pytest.mark.parametrize(
    "text",
    [
        *("[" * 100_000, "- " * 200, LAUGHS, "a: &a [*a]", "a: [", "a: b: c", "!!python/object:os.system x"),
        *("!!int ''", "!!timestamp x", "!!float x", "9" * 5000, "\t- a", "a: !!binary ' '\nb: \x00", "*x", "{[1]: 2}"),
    ],
)
def test_yaml_that_cannot_be_used_is_refused_in_a_few_words(text):
    refused_in_a_few_words(untrusted.parse_yaml, text)


def test_yaml_with_a_few_anchors_is_read():
    assert untrusted.parse_yaml("a: &a {x: 1}\nb: *a\nc: {<<: *a, y: 2}")["c"] == {"x": 1, "y": 2}


def test_no_plain_file_is_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path, tmp_path / "none", tmp_path / ("x" * 5000), tmp_path / "a\0b"):
        with pytest.raises(Unreadable):
            untrusted.read_bytes(path)
    (tmp_path / "large").write_bytes(b"x" * 2000)
    with pytest.raises(Unreadable, match="larger"):
        untrusted.read_bytes(tmp_path / "large", largest=1000)


def test_a_wrong_type_ends_in_one_line_that_names_it(tmp_path, capsys):
    path = tmp_path / "config.json"
    path.write_text("[1]")
    with pytest.raises(SystemExit) as stopped:
        untrusted.read_json(path, dict, "download it again")
    assert stopped.value.code == 2
    assert capsys.readouterr().err == f"emorealm: {path}: expected an object, found a list (list); download it again\n"


def test_a_password_in_an_address_is_not_shown():
    said = "base_url=https://me:p@ss@host:8000/v1,model=m a@b http://host/x@y"
    assert untrusted.without_secrets("x=https://me:secret@host/v1,y=2") == "x=https://***@host/v1,y=2"
    assert "me:p" not in untrusted.without_secrets(said)
    assert "http://host/x@y" in untrusted.without_secrets(said)
