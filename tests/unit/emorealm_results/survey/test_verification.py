"""Human verification: pages with pre-test and attention checks, Tables 6 and 7, alpha, and the same by Label Studio."""

import csv
import importlib.util
import json
from xml.etree import ElementTree

import pytest

from emorealm_results import cli
from emorealm_results.survey import annotator_agreement
from emorealm_results.survey import answers as of_participants

TASK = "reasoning_basic_audio"
WHO = ("p1", "p2", "p3")
FLAGS = {"several": "no", "problem": "none", "comment": ""}


def question(name, task=TASK, answer="A"):
    yes_no = ["(A) Yes", "(B) No"]
    choices = yes_no if task != TASK else ["(A) a", "(B) b", "(C) c", "(D) d"]
    row = {"id": name, "task": task, "video": "clip.mp4", "question": f"About {name}?", "choices": choices}
    return row | {"answer": answer, "subtitle": f"spoken in {name}"}


@pytest.fixture
def folder(tmp_path, make_clip):
    make_clip(tmp_path / "videos" / "clip.mp4", seconds=0.5)
    basic, stress = (
        [question(f"b{n}") for n in range(4)],
        [question(f"m{n}", "modality_agreement", "B") for n in range(2)],
    )
    (tmp_path / "questions.json").write_text(json.dumps(basic + stress))
    (tmp_path / "known.json").write_text(json.dumps([question("known1"), question("known2", answer="D")]))
    (tmp_path / "able.json").write_text(json.dumps([question("able1", answer="C"), question("able2", answer="B")]))
    return tmp_path


@pytest.fixture
def exported(folder):
    more = ["--check-questions", str(folder / "known.json"), "--pretest", str(folder / "able.json"), "--checks", "1"]
    more += ["--per-page", "4", "--label-studio", "/data/local-files/?d=videos/"]
    out = folder / "study"
    assert cli.main(["survey", "export", "--questions", str(folder / "questions.json"), "--out", str(out), *more]) == 0
    return out, json.loads((out / "key.json").read_text())


def given(key, differ=lambda who, item: {}, who=WHO):
    """Every participant's answers to every item, right and without flags but for what `differ` says."""
    for version, items in key["versions"].items():
        for number, item in items.items():
            for one in who:
                for name, choice in ({"answer": item["answer"]} | FLAGS | differ(one, item)).items():
                    if choice:
                        yield dict(
                            zip(
                                of_participants.COLUMNS, (key["study"], one, version, number, name, choice), strict=True
                            )
                        )


def saved(path, rows):
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, of_participants.COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    return path


def tallied(tmp_path, out, path, *more):
    report = tmp_path / "report.json"
    named = ["--key", str(out / "key.json"), "--json", str(report), *more]
    assert cli.main(["survey", "tally", str(path), *named]) == 0
    return json.loads(report.read_text())


def opinions(who, item):
    """b0 is right by majority, b1 by one, b2 by none; b3 is right but flagged by two, m0 flagged by one."""
    wrong = {"b0": ["p3"], "b1": ["p1", "p2"], "b2": WHO, "m0": []}.get(item["id"], [])
    found = {"answer": next(letter for letter in item["options"] if letter != item["answer"])} if who in wrong else {}
    if item["id"] == "b3" and who != "p2":
        found |= {"several": "yes"} if who == "p1" else {"problem": "subtitle", "comment": "it says world, not word"}
    return found | ({"problem": "other"} if item["id"] == "m0" and who == "p1" else {})


EXPECTED = {
    "all": {"verified": 6, "one_or_more_correct": 5, "majority_correct": 4, "discrepancies": 1, "questions": 3},
    TASK: {"verified": 4, "one_or_more_correct": 3, "majority_correct": 2, "discrepancies": 1, "questions": 1},
    "modality_agreement": {
        "verified": 2,
        "one_or_more_correct": 2,
        "majority_correct": 2,
        "discrepancies": 0,
        "questions": 2,
    },
}


def test_a_page_mixes_checks_in_and_starts_with_the_pretest(exported):
    out, key = exported
    roles = [[item["role"] for item in items.values()] for items in key["versions"].values()]
    assert [page[:2] for page in roles] == [["pretest", "pretest"]] * 2
    assert sorted(map(len, roles)) == [5, 7]
    assert all(page.count("check") == 1 and page.index("check") > 2 for page in roles)
    items = [item["id"] for page in key["versions"].values() for item in page.values() if item["role"] == "question"]
    assert sorted(items) == ["b0", "b1", "b2", "b3", "m0", "m1"]
    page = (out / "survey_1.html").read_text()
    assert "pretest" not in page.split('id="data">')[1].split("</script>")[0]
    assert "spoken in able1" in page
    assert '"title":"Are these questions about short clips right?"' in page
    assert '"page":"page 1 of 2"' in page


def test_the_majority_rule_gives_the_columns_of_table_7(exported, tmp_path, capsys):
    out, key = exported
    report = tallied(tmp_path, out, saved(tmp_path / "a.csv", given(key, opinions)))
    counts = {task: {name: of[name] for name in annotator_agreement.COUNTS} for task, of in report["tasks"].items()}
    assert counts == EXPECTED
    verdicts = {one["id"]: one["verdict"] for one in report["questions"]}
    assert verdicts == {"b0": "keep", "b1": "drop", "b2": "drop", "b3": "mend", "m0": "keep", "m1": "keep"}
    mended = next(one for one in report["questions"] if one["id"] == "b3")
    assert mended["problems"] == {"subtitle": 1}
    assert mended["comments"] == ["it says world, not word"]
    assert "| all                   | 6        | 5                    | 4" in capsys.readouterr().out


def test_label_studio_tallies_to_the_same_numbers(exported, tmp_path):
    out, key = exported
    rows = list(given(key, opinions))
    of_pages = tallied(tmp_path, out, saved(tmp_path / "a.csv", rows))
    tasks = json.loads((out / "label_studio_tasks.json").read_text())
    assert sum(key["versions"][t["data"]["version"]][t["data"]["item"]]["role"] == "pretest" for t in tasks) == 2
    labels = {choice.get("alias"): choice.get("value") for choice in configuration(out).iter("Choice")}
    for task in tasks:
        data = task["data"]
        mine = [row for row in rows if (row["version"], row["item"]) == (data["version"], data["item"])]
        task["annotations"] = [annotation(data, mine, who, labels) for who in WHO]
        task["annotations"].append(annotation(data, [], "p4", labels) | {"was_cancelled": True})
    (tmp_path / "project.json").write_text(json.dumps(tasks))
    assert tallied(tmp_path, out, tmp_path / "project.json", "--pretest-right", "2") == of_pages


def configuration(out):
    return ElementTree.fromstring((out / "label_studio_config.xml").read_text())


def annotation(data, rows, who, labels):
    """As Label Studio writes it; an annotator is a number or an address, a fixed choice its alias or its label."""
    result = []
    for row in (row for row in rows if row["participant"] == who):
        options = {option["value"][1]: option["value"] for option in data["options"]}
        value = {"text": [row["choice"]]} if row["question"] == "comment" else {"choices": [row["choice"]]}
        if row["question"] == "answer":
            value = {"choices": [options[row["choice"]]]}
        elif row["question"] == "problem" and who == "p3":
            value = {"choices": [labels[row["choice"]]]}
        result.append({"from_name": row["question"], "to_name": "clip", "type": "choices", "value": value})
    return {"completed_by": {"id": 1, "email": who} if who == "p1" else who, "result": result}


def test_the_configuration_shows_what_the_tasks_hold(exported):
    out, key = exported
    view = configuration(out)
    fields = set(json.loads((out / "label_studio_tasks.json").read_text())[0]["data"])
    used = {value[1:] for part in view.iter() for value in part.attrib.values() if value.startswith("$")}
    assert used == {"clip", "subtitle", "question", "options"}
    assert used < fields
    assert {part.get("name") for part in view if part.tag in ("Choices", "TextArea")} == set(key["questions"])


@pytest.mark.parametrize(
    "content",
    [
        '{"a": 1}',
        '[{"id": 1}]',
        '[{"data": {}, "annotations": [{}]}]',
        '[{"data": {}, "annotations": [{"result": [5]}]}]',
        '[{"data": {"study": "other"}, "annotations": [{"completed_by": 1, "result": '
        '[{"from_name": "answer", "value": {"choices": ["x"]}}]}]}]',
    ],
)
def test_what_is_no_export_of_the_study_ends_in_one_line(exported, tmp_path, capsys, content):
    out, _ = exported
    capsys.readouterr()
    (tmp_path / "project.json").write_text(content)
    with pytest.raises(SystemExit) as left:
        cli.main(["survey", "tally", str(tmp_path / "project.json"), "--key", str(out / "key.json")])
    assert left.value.code == 2
    line = capsys.readouterr().err
    assert line.count("\n") == 1
    assert "project.json" in line


def test_who_fails_checks_or_pretest_is_left_out_with_the_reason(exported, tmp_path):
    out, key = exported

    def differ(who, item):
        fails = {"p4": "check", "p5": "pretest"}.get(who)
        return {"answer": next(a for a in item["options"] if a != item["answer"])} if item["role"] == fails else {}

    path = saved(tmp_path / "a.csv", given(key, differ, (*WHO, "p4", "p5")))
    report = tallied(tmp_path, out, path, "--pretest-right", "1")
    assert report["excluded"] == {
        "p4": "failed attention checks: 2",
        "p5": "right answers in the pre-test: 0, needed: 1",
    }
    assert report["participants"] == 3
    assert set(tallied(tmp_path, out, path, "--max-failed", "2")["excluded"]) == set()


def test_a_question_of_two_annotators_is_not_verified_yet(exported, tmp_path, capsys):
    out, key = exported
    path = saved(tmp_path / "a.csv", given(key, who=("p1", "p2")))
    assert tallied(tmp_path, out, path)["tasks"]["all"]["verified"] == 0
    printed = capsys.readouterr().out.split("cannot be read\n")[-1]
    assert printed.startswith("Not yet verified, and not in the table: 6 questions with fewer than 3 annotators")
    assert "| all" not in printed  # no table of zeros
    assert tallied(tmp_path, out, path, "--annotators", "2")["tasks"]["all"]["verified"] == 6


def test_alpha_is_that_of_krippendorffs_example():
    """Krippendorff 2011, "Computing Krippendorff's alpha-reliability", C: 4 observers, 12 units, nominal: 0.743."""
    table = ["1 2 3 3 2 1 4 1 2 . . .", "1 2 3 3 2 2 4 1 2 5 . 3", ". 3 3 3 2 3 4 2 2 5 1 .", "1 2 3 3 2 4 4 1 2 5 1 ."]
    units = zip(*(line.split() for line in table), strict=True)
    assert annotator_agreement.alpha([[value for value in unit if value != "."] for unit in units]) == pytest.approx(
        0.743, abs=5e-4
    )
    assert annotator_agreement.alpha([["A", "A"], ["A"]]) is None


def test_yes_and_no_agree_behind_whatever_letter(folder, tmp_path):
    """Two questions whose yes stands behind other letters, answered yes and no alike by all: full agreement."""
    rows = [question("one", "modality_agreement", "A"), question("two", "modality_agreement", "B")]
    rows[1]["choices"] = ["(A) No", "(B) Yes"]
    (folder / "questions.json").write_text(json.dumps(rows))
    out = folder / "study"
    assert cli.main(["survey", "export", "--questions", str(folder / "questions.json"), "--out", str(out)]) == 0
    key = json.loads((out / "key.json").read_text())
    flip = saved(tmp_path / "a.csv", given(key, lambda who, item: {"answer": "A"}))
    assert tallied(tmp_path, out, flip)["tasks"]["all"]["alpha"]["answer"] == 1
    alike = saved(tmp_path / "b.csv", given(key))
    assert tallied(tmp_path, out, alike)["tasks"]["all"]["alpha"]["answer"] is None  # all say yes: undefined


def test_without_its_library_alpha_is_told_to_be_missing(monkeypatch, capsys):
    monkeypatch.setattr(annotator_agreement, "find_spec", lambda name: None)
    monkeypatch.setattr("emorealm_tasks.errors._warned", set())
    assert annotator_agreement.alpha([["A", "B"]]) is None
    assert "pip install 'emorealm[survey]'" in capsys.readouterr().err
    assert importlib.util.find_spec("krippendorff")


def test_two_records_of_one_id_are_refused(folder, capsys):
    record = {
        "id": "r1",
        "video": "clip.mp4",
        "prompt": "What?",
        "chosen": "a",
        "modality": "video",
        "emotion": "anger",
    }
    record |= {"rejected_video_relevant": "b", "rejected_emotion_relevant": "c"}
    (folder / "prefs.jsonl").write_text(json.dumps(record) + "\n" + json.dumps(record))
    named = [
        "--preferences",
        str(folder / "prefs.jsonl"),
        "--clips",
        str(folder / "videos"),
        "--out",
        str(folder / "o"),
    ]
    with pytest.raises(SystemExit):
        cli.main(["survey", "export", *named])
    assert "two records have the same id" in capsys.readouterr().err


def test_preference_data_tally_to_table_6(folder, tmp_path, capsys):
    record = {"id": "r1", "video": "clip.mp4", "prompt": "What shows it?", "modality": "video", "emotion": "anger"}
    record |= {"chosen": "A frown.", "rejected_video_relevant": "A lamp.", "rejected_emotion_relevant": "A fist."}
    (folder / "prefs.jsonl").write_text(json.dumps(record) + "\n" + json.dumps(record | {"id": "r2"}))
    out = folder / "study"
    arguments = ["--preferences", str(folder / "prefs.jsonl"), "--clips", str(folder / "videos"), "--out", str(out)]
    assert cli.main(["survey", "export", *arguments, "--sample", "5"]) == 0
    key = json.loads((out / "key.json").read_text())
    items = key["versions"]["1"].values()
    assert len(items) == 5
    assert {item["task"]: item["answer"] for item in items} == {
        "chosen_response": "A", "rejected_video_relevant": "B", "rejected_emotion_relevant": "C"}  # fmt: skip
    assert "A fist." in (out / "survey_1.html").read_text()
    report = tallied(tmp_path, out, saved(tmp_path / "a.csv", given(key)))
    assert report["tasks"]["all"]["majority_correct"] == 5


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--versions", "2"], "--versions has no meaning with --questions"),
        (["--checks", "1"], "--checks 1 needs as many verified questions"),
        (["--clips", "nowhere"], "does not exist"),
        (["--pretest", "nothing.json"], "nothing.json: there is no such file; it needs a list of questions"),
    ],
)
def test_options_that_do_not_fit_end_in_one_line(folder, capsys, more, words):
    arguments = ["--questions", str(folder / "questions.json"), "--out", str(folder / "study"), *more]
    with pytest.raises(SystemExit) as left:
        cli.main(["survey", "export", *arguments])
    assert left.value.code == 2
    line = capsys.readouterr().err
    assert line.count("\n") == 1
    assert words in line
    assert not (folder / "study").exists()
