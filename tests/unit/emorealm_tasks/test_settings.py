"""Settings: environment over file over default; mistakes end in one line."""

from pathlib import Path

import pytest

from emorealm_tasks import settings
from emorealm_tasks.judge.client import Client


@pytest.fixture(autouse=True)
def _clean(monkeypatch, tmp_path):
    for name in ("SETTINGS", "JSON", "VIDEOS", "AUDIOS", "MINI", "CACHE", "AVERE", "ALLOW_MISSING", "AV_MODE"):
        monkeypatch.delenv(f"EMOREALM_{name}", raising=False)
    monkeypatch.chdir(tmp_path)


def test_defaults():
    found = settings.load()
    assert found.json is None
    assert found.videos is None
    assert found.allow_missing is False
    assert found.cache == Path("~/.cache/emorealm").expanduser().resolve()
    assert found.mini == found.cache / "emorealm-mini" / settings.MINI


def test_file_in_working_folder_and_environment_over_it(monkeypatch, tmp_path):
    Path("emorealm.yaml").write_text("videos: clips\naudios: /b\nallow_missing: true\n")
    monkeypatch.setenv("EMOREALM_AUDIOS", "/c")
    found = settings.load()
    assert found.videos == tmp_path.resolve() / "clips"
    assert found.audios == Path("/c")
    assert found.allow_missing is True


def test_named_file_takes_relative_paths_from_its_own_folder(monkeypatch, tmp_path):
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "own.yaml").write_text("json: data/q.json\n")
    monkeypatch.setenv("EMOREALM_SETTINGS", str(tmp_path / "etc" / "own.yaml"))
    assert settings.load().json == (tmp_path / "etc" / "data" / "q.json").resolve()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("video: /a\n", ["unknown key 'video'", "'videos'"]),
        ("- a\n", ["expected lines"]),
        ("videos: [\n", ["not readable as YAML"]),
        ("allow_missing: perhaps\n", ["allow_missing", "perhaps"]),
        ("av_mode: both\n", ["av_mode", "separate"]),
    ],
)
def test_mistakes_in_the_file_end_in_one_line(text, words, capsys):
    Path("emorealm.yaml").write_text(text)
    with pytest.raises(SystemExit) as stopped:
        settings.load()
    assert stopped.value.code == 2
    printed = capsys.readouterr().err
    assert printed.count("\n") == 1
    for word in ["emorealm.yaml", *words]:
        assert word in printed


def test_named_file_that_is_missing(monkeypatch, capsys):
    monkeypatch.setenv("EMOREALM_SETTINGS", "/nowhere/x.yaml")
    with pytest.raises(SystemExit):
        settings.load()
    assert "/nowhere/x.yaml" in capsys.readouterr().err


def test_bad_switch_in_the_environment(monkeypatch, capsys):
    monkeypatch.setenv("EMOREALM_ALLOW_MISSING", "maybe")
    with pytest.raises(SystemExit):
        settings.load()
    assert "EMOREALM_ALLOW_MISSING is 'maybe'" in capsys.readouterr().err


def test_whole_numbers_texts_and_choices_of_the_judge(monkeypatch):
    Path("emorealm.yaml").write_text("judge: batch\njudge_model: org/model\njudge_repeats: 3\njudge_price: 2.5,10\n")
    monkeypatch.setenv("EMOREALM_JUDGE_RETRIES", "0")
    found = settings.load()
    assert (found.judge, found.judge_model, found.judge_repeats) == ("batch", "org/model", 3)
    assert (found.judge_retries, found.judge_price, found.judge_concurrency) == (0, "2.5,10", 8)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [("REPEATS", "0", "from 1 on"), ("REPEATS", "many", "from 1 on"), ("CONCURRENCY", "2.5", "from 1 on")],
)
def test_numbers_out_of_range_end_in_one_line(monkeypatch, capsys, name, value, words):
    monkeypatch.setenv(f"EMOREALM_JUDGE_{name}", value)
    with pytest.raises(SystemExit):
        settings.load()
    assert capsys.readouterr().err.rstrip().endswith(words)


KEYS = {"OPENAI_API_KEY": "general", "EMOREALM_JUDGE_API_KEY": "judge", "MY_JUDGE_KEY": "mine"}


@pytest.fixture
def keys(monkeypatch):
    for name, key in KEYS.items():
        monkeypatch.setenv(name, key)
    for name in ("EMOREALM_JUDGE_BASE_URL", "EMOREALM_JUDGE_KEY"):
        monkeypatch.delenv(name, raising=False)


def key_sent():
    return Client(settings.load())._key


def test_a_server_named_in_the_current_folder_gets_only_the_key_named_beside_it(keys, monkeypatch):
    assert key_sent() == "judge"
    Path("emorealm.yaml").write_text("judge_base_url: http://elsewhere/v1\n")
    assert key_sent() == ""
    Path("emorealm.yaml").write_text("judge_base_url: http://elsewhere/v1\njudge_key: MY_JUDGE_KEY\n")
    assert key_sent() == "mine"
    monkeypatch.setenv("EMOREALM_JUDGE_BASE_URL", "http://mine/v1")
    Path("emorealm.yaml").write_text("judge_base_url: http://elsewhere/v1\n")
    assert key_sent() == "judge"


def test_a_file_that_the_user_names_is_the_users(keys, monkeypatch):
    Path("emorealm.yaml").write_text("judge_base_url: http://mine/v1\njudge_key: OPENAI_API_KEY\n")
    monkeypatch.setenv("EMOREALM_SETTINGS", "emorealm.yaml")
    assert key_sent() == "general"


@pytest.mark.parametrize("name", ["OPENAI_API_KEY", "AWS_SECRET_ACCESS_KEY", "stranger"])
def test_a_file_of_the_current_folder_names_no_other_secret(keys, capsys, name):
    Path("emorealm.yaml").write_text(f"judge_base_url: http://elsewhere/v1\njudge_key: {name}\n")
    with pytest.raises(SystemExit) as stopped:
        settings.load()
    assert stopped.value.code == 2
    assert "its name must hold JUDGE" in capsys.readouterr().err


@pytest.mark.parametrize(
    "content",
    [
        *("stranger: false\n", "[1]", "a: [" * 500, "x: &x [*x]", "videos: ~nosuchuser/x\n", "\x00"),
        *("videos: " + '"a\\0b"', "judge_timeout: " + "9" * 5000 + "\n"),
    ],
)
def test_any_settings_file_ends_in_one_line(content, capsys):
    Path("emorealm.yaml").write_text(content)
    with pytest.raises(SystemExit) as stopped:
        settings.load()
    assert stopped.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1


ODD = [
    "~nosuchuser/x",
    "/tmp/\udcff\udcfe",
    "x" * 5000,
    "/a" * 4000,
    "9" * 5000,
    "nan",
    "inf",
    "-5",
    "",
    " ",
    "\x1b[31m",
]
VARIABLES = ["SETTINGS", *(field.name.upper() for field in settings._settable())]


@pytest.mark.parametrize("name", VARIABLES)
def test_any_value_in_the_environment_works_or_ends_in_one_short_line(name, monkeypatch, capsys):
    for value in ODD:
        monkeypatch.setenv(f"EMOREALM_{name}", value)
        status = 0
        try:
            settings.load()
        except SystemExit as stopped:
            status = stopped.code
        said = capsys.readouterr().err
        if status:
            assert (status, said.count("\n")) == (2, 1)
            assert f"EMOREALM_{name}" in said
            assert len(said) < 1000
            assert "\x1b" not in said
