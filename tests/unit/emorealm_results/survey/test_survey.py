"""The user study: anonymous pages, their key, and the table made of the answers."""

import csv
import json
import re

import numpy as np
import pytest

from emorealm_results import cli
from emorealm_results.survey import answers as of_participants
from emorealm_results.survey import preference
from emorealm_tasks.metrics import intervals

MODELS = ("OLA", "Qwen 2.5 Omni", "avere")


@pytest.fixture
def captions(tmp_path, make_clip):
    clip = make_clip(tmp_path / "clip.mp4", seconds=0.5)
    rows = [
        {
            "id": f"secret_{n}",
            "clip": clip.name,
            "captions": {model: f"caption {place}{n}" for place, model in enumerate(MODELS)},
        }
        for n in range(4)
    ]
    path = tmp_path / "captions.json"
    path.write_text(json.dumps(rows))
    return path


@pytest.fixture
def exported(tmp_path, captions):
    out = tmp_path / "study"
    arguments = ["--captions", str(captions), "--out", str(out), "--versions", "2", "--checks", "1"]
    assert cli.main(["survey", "export", *arguments]) == 0
    return out, json.loads((out / "key.json").read_text())


def answers(path, key, choose, participants=("p1", "p2", "p3"), version="1"):
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(of_participants.COLUMNS)
        for participant in participants:
            for number, item in key["versions"][version].items():
                for question in key["questions"]:
                    choice = choose(participant, item, question)
                    writer.writerow([key["study"], participant, version, number, question, choice])
    return path


def model_letter(item, model):
    return next(letter for letter, name in item["shown"].items() if name == model)


def attentive(participant, item, question):
    if item["answer"]:
        return item["answer"]
    return model_letter(item, "OLA" if question == "most_inconsistent" else "avere")


def test_pages_are_anonymous_and_hold_everything(exported):
    out, key = exported
    text = (out / "survey_1.html").read_text()
    said = re.sub(r"base64,[^\"]*", "", text)
    assert not any(secret in said for secret in (*MODELS, "secret", "clip.mp4"))
    assert text.count("data:video/mp4;base64,") == 1  # one clip, however many items show it
    assert not re.search(r"(src|href)\s*=\s*[\"']?https?:", text)
    shown = json.loads(re.search(r'id="data">(.*?)</script>', text, re.DOTALL)[1])
    assert len(shown["items"]) == 5
    for item in shown["items"]:
        entry = key["versions"]["1"][str(item["item"])]
        for letter, model in entry["shown"].items():
            text = item["options"][letter]
            assert text == preference.CHECK_CAPTION if not model else text.startswith(f"caption {MODELS.index(model)}")


def test_versions_differ_and_a_seed_repeats(exported, captions, tmp_path):
    _, key = exported
    assert key["versions"]["1"] != key["versions"]["2"]
    again = preference.shuffle(preference.read_items(captions), 1, 1, 0)
    assert [item.hidden["shown"] for item in again] == [item["shown"] for item in key["versions"]["1"].values()]


def test_tally_gives_the_models_their_shares(exported, tmp_path, capsys):
    out, key = exported
    path = answers(tmp_path / "a.csv", key, attentive)
    assert cli.main(["survey", "tally", str(path), "--key", str(out / "key.json")]) == 0
    said = capsys.readouterr().out
    bounds = [round(bound, 1) for bound in intervals.share([True] * 3, ["p1", "p2", "p3"])]  # exact, of 3 of 3
    assert bounds == [29.2, 100.0]
    assert f"| avere         | 100.0% {bounds}" in said
    assert "3 participants, 4 clips, 36 answers" in said


def test_shares_sum_to_100_and_intervals_draw_participants(exported, tmp_path):
    _, key = exported
    random = np.random.default_rng(1)
    taste = {f"p{n}": random.dirichlet(np.ones(3)) for n in range(30)}

    def choose(participant, item, question):
        letter = random.choice(list(item["shown"]), p=taste[participant])
        return item["answer"] or letter

    path = answers(tmp_path / "a.csv", key, choose, participants=tuple(taste))
    report = preference.tally(key, of_participants.read([path], key, path))
    for shares in report["questions"].values():
        assert sum(share["value"] for share in shares.values()) == pytest.approx(100)
        assert all(share["low"] < share["value"] < share["high"] for share in shares.values())


def test_who_fails_the_check_is_left_out_and_named(exported, tmp_path, capsys):
    out, key = exported

    def choose(participant, item, question):
        if participant == "p2" and item["answer"]:
            return next(letter for letter in item["shown"] if letter != item["answer"])
        return attentive(participant, item, question)

    path = answers(tmp_path / "a.csv", key, choose)
    assert cli.main(["survey", "tally", str(path), "--key", str(out / "key.json")]) == 0
    said = capsys.readouterr().out
    assert "2 participants, 4 clips, 24 answers" in said
    assert "Left out: p2 (failed attention checks: 1)." in said
    assert cli.main(["survey", "tally", str(path), "--key", str(out / "key.json"), "--max-failed", "1"]) == 0
    assert "3 participants" in capsys.readouterr().out


def test_an_answer_given_twice_counts_once(exported, tmp_path):
    _, key = exported
    path = answers(tmp_path / "a.csv", key, attentive, participants=("p1",))
    once = of_participants.read([path], key, path)
    assert of_participants.read([path, path], key, path) == once


def test_one_participant_is_no_certainty(exported, tmp_path):
    """However many answers one gives: their share says nearly nothing of others'."""
    _, key = exported

    def torn(participant, item, question):
        return item["answer"] or model_letter(item, "avere" if item["id"] != "secret_0" else "OLA")

    for choose, expected in ((attentive, (2.5, 100.0)), (torn, (0.0, 100.0))):
        path = answers(tmp_path / "a.csv", key, choose, participants=("p1",))
        report = preference.tally(key, of_participants.read([path], key, path))
        share = report["questions"]["best_emotion"]["avere"]
        assert (share["low"], share["high"]) == pytest.approx(expected)
        assert (report["participants"], report["clips"], report["votes"]) == (1, 4, 12)


def test_few_clips_widen_the_interval_as_few_participants_do(exported, tmp_path):
    """30 participants who all prefer one model in one clip and another in the next: clips are what varies."""
    _, key = exported

    def choose(participant, item, question):
        return item["answer"] or model_letter(item, MODELS[int(item["id"][-1]) % 2])

    path = answers(tmp_path / "a.csv", key, choose, participants=[f"p{n}" for n in range(30)])
    share = preference.tally(key, of_participants.read([path], key, path))["questions"]["best_emotion"]["OLA"]
    assert share["value"] == 50
    assert share["low"] < 10
    assert share["high"] > 90


def test_answers_of_another_study_are_refused_with_file_and_ids(exported, captions, tmp_path, capsys):
    """The same items, letters drawn anew: tallied with the other key, every vote would go to another model."""
    out, key = exported
    other = ["survey", "export", "--captions", str(captions), "--out", str(tmp_path / "other"), "--seed", "1"]
    assert cli.main(other) == 0
    theirs = json.loads((tmp_path / "other" / "key.json").read_text())
    assert theirs["study"] != key["study"]
    path = answers(tmp_path / "a.csv", key, attentive)
    with pytest.raises(SystemExit) as left:
        cli.main(["survey", "tally", str(path), "--key", str(tmp_path / "other" / "key.json")])
    assert left.value.code == 2
    line = capsys.readouterr().err
    assert all(part in line for part in (f"{path}, line 2", key["study"], theirs["study"]))
    assert f'"study":"{key["study"]}"' in (out / "survey_1.html").read_text()


@pytest.mark.parametrize("changed", ["caption", "clip", "title", "subtitle"])
def test_the_id_is_of_all_that_is_shown(exported, captions, tmp_path, make_clip, changed):
    _, key = exported
    more = ["--versions", "2", "--checks", "1"]
    rows = json.loads(captions.read_text())
    if changed == "caption":
        rows[0]["captions"]["OLA"] += "."
    elif changed == "clip":
        make_clip(tmp_path / "clip2.mp4", seconds=0.5, tone=880)
        rows[0]["clip"] = "clip2.mp4"
    elif changed == "subtitle":
        rows[0]["subtitle"] = "I tried."
    else:
        more += ["--title", "Other"]
    captions.write_text(json.dumps(rows))
    arguments = ["--captions", str(captions), "--out", str(tmp_path / "changed"), *more]
    assert cli.main(["survey", "export", *arguments]) == 0
    theirs = json.loads((tmp_path / "changed" / "key.json").read_text())
    assert theirs["study"] != key["study"]


def test_the_same_export_again_changes_nothing(exported, captions, capsys):
    out, _ = exported
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    again = ["survey", "export", "--captions", str(captions), "--out", str(out), "--versions", "2", "--checks", "1"]
    assert cli.main(again) == 0
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before


def test_subtitles_of_a_file_must_fit_some_item(captions, tmp_path, capsys):
    spoken = tmp_path / "spoken.json"
    arguments = [
        "survey",
        "export",
        "--captions",
        str(captions),
        "--subtitles",
        str(spoken),
        "--out",
        str(tmp_path / "o"),
    ]
    for content, words in (
        ('{"x.mp4": "a"}', "none of its 1 names"),
        ('{"secret_0": 5}', "is no text"),
        ("[]", "object"),
    ):
        spoken.write_text(content)
        with pytest.raises(SystemExit):
            cli.main(arguments)
        assert words in capsys.readouterr().err
    spoken.write_text('{"clip.mp4": "of the clip", "secret_1": "own"}')
    items = preference.read_items(captions, subtitles=spoken)
    assert [item["subtitle"] for item in items] == ["of the clip", "own", "of the clip", "of the clip"]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("p1,9,1,best_emotion,A", "version '9'"),
        ("p1,1,99,best_emotion,A", "item '99'"),
        ("p1,1,1,favourite,A", "unknown question 'favourite'"),
        ("p1,1,1,best_emotion,Z", "choice 'Z'"),
        (",1,1,best_emotion,A", "no participant"),
    ],
)
def test_answers_that_do_not_fit_stop_with_their_line(exported, tmp_path, capsys, line, words):
    out, key = exported
    path = tmp_path / "bad.csv"
    path.write_text(",".join(of_participants.COLUMNS) + f"\n{key['study']},{line}\n")
    with pytest.raises(SystemExit) as error:
        cli.main(["survey", "tally", str(path), "--key", str(out / "key.json")])
    assert error.value.code == 2
    said = capsys.readouterr().err
    assert "line 2" in said
    assert words in said


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda rows: rows[1]["captions"].pop("OLA"), "lack captions"),
        (lambda rows: rows[0].update(clip="gone.mp4"), "gone.mp4"),
        (lambda rows: rows[0].update(id="secret_1"), "same id"),
        (lambda rows: rows.clear(), "needs a list"),
        (lambda rows: rows[2].pop("clip"), "item 2"),
    ],
)
def test_malformed_captions_stop_with_the_item(captions, tmp_path, capsys, change, words):
    rows = json.loads(captions.read_text())
    change(rows)
    captions.write_text(json.dumps(rows))
    with pytest.raises(SystemExit) as error:
        cli.main(["survey", "export", "--captions", str(captions), "--out", str(tmp_path / "out")])
    assert error.value.code == 2
    assert words in capsys.readouterr().err


def test_the_key_of_another_study_is_not_written_over(exported, captions, capsys):
    out, key = exported
    again = ["survey", "export", "--captions", str(captions), "--out", str(out), "--versions", "2", "--checks", "1"]
    assert cli.main(again) == 0
    with pytest.raises(SystemExit) as left:
        cli.main([*again, "--seed", "1"])
    assert left.value.code == 2
    assert f"holds the key of study {key['study']}, and this is study " in capsys.readouterr().err
    assert json.loads((out / "key.json").read_text()) == key


def test_a_folder_of_something_else_is_refused(captions, tmp_path, capsys):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.tex").write_text("mine")
    with pytest.raises(SystemExit):
        cli.main(["survey", "export", "--captions", str(captions), "--out", str(tmp_path / "out")])
    assert "holds 'thesis.tex'" in capsys.readouterr().err


@pytest.mark.parametrize(
    "clip", ["/etc/passwd", "../secret.mp4", "link.mp4", "captions.json", "a\0b.mp4", 5, "", "x" * 5000]
)
def test_no_page_shows_what_is_not_a_clip_of_the_study(captions, tmp_path, capsys, clip):
    (tmp_path / "secret.mp4").write_text("secret")
    study = tmp_path / "study_files"
    study.mkdir()
    (study / "link.mp4").symlink_to("/etc/passwd")
    rows = json.loads(captions.read_text())
    (study / "captions.json").write_text(json.dumps([row | {"clip": clip} for row in rows]))
    with pytest.raises(SystemExit) as left:
        cli.main(["survey", "export", "--captions", str(study / "captions.json"), "--out", str(tmp_path / "out")])
    assert left.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_clips_may_lie_in_a_folder_that_is_named(captions, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    moved = captions.rename(tmp_path / "elsewhere" / "captions.json")
    arguments = ["--captions", str(moved), "--clips", str(tmp_path), "--out", str(tmp_path / "out")]
    assert cli.main(["survey", "export", *arguments]) == 0


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "[" * 100_000,
        "{}",
        '{"seed": 0, "questions": {}, "models": [], "versions": {}}',
        '{"study": "a", "kind": "preference", "questions": {}, "models": 5, "versions": {}}',
        '{"study": "a", "kind": "poll", "questions": {}, "versions": {}}',
        '{"study": "a", "kind": "preference", "questions": {}, "models": [], "versions": {"1": {"1": {"id": "x", '
        '"role": "question", "answer": "", "options": {"A": "x"}, "shown": {"B": "x"}}}}}',
    ],
)
def test_any_key_ends_in_one_line(tmp_path, capsys, content):
    (tmp_path / "key.json").write_text(content)
    with pytest.raises(SystemExit) as left:
        of_participants.load_key(tmp_path / "key.json")
    assert left.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1
