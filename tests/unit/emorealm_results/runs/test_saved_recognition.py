"""Saved replies of recognition: read again, scored as in the run, shown with their confusion."""

import json

import pytest

from emorealm_results.commands import rescore
from emorealm_results.rescore import report as rescore_run
from emorealm_results.runs import recognition as recognised
from recognition_runs import write


def test_scores_again(tmp_path):
    report = recognised.score(recognised.load(write(tmp_path)))["dfew"]
    assert (report["n"], report["unparsed"], report["missing"]) == (5, 1, 2)
    strict = report["readings"]["strict"]
    assert strict["war"]["value"] == 80
    assert strict["uar"]["value"] == pytest.approx((50 + 100 + 100 + 100) / 4)
    assert strict["war"]["low"] < 80 < strict["war"]["high"]
    assert report["confusion"]["strict"]["anger"] == {
        "happiness": 0, "sadness": 0, "neutral": 0, "anger": 1, "surprise": 0, "disgust": 0, "fear": 0, "": 1
    }  # fmt: skip
    assert report["readings"]["official"]["war"]["value"] == 20
    assert json.loads(json.dumps(report)) == report


def test_shows_both_readings_and_who_is_taken_for_whom(tmp_path):
    text = recognised.render(recognised.score(recognised.load(write(tmp_path, ("dfew", "dfew_classes"), limit=5.0))))
    lines = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("| ")
    ]
    assert [line[:3] for line in lines if line[0].startswith("dfew")] == [
        ["dfew", "strict", "5"], ["dfew", "official (approximate)", "5"],
        ["dfew_classes", "strict", "5"], ["dfew_classes", "official (approximate)", "5"],
    ]  # fmt: skip
    strict = next(line for line in lines if line[0] == "dfew")
    assert strict[4].startswith("80.0 [")
    assert strict[6:13] == ["–", "100.0", "100.0", "50.0", "–", "–", "100.0"]
    assert ["anger", *"00010001", "2"] in lines
    assert "LIMITED RUN**: --limit 5 " in text
    assert recognised.render({}) == ""


def test_a_run_of_recognition_alone_needs_no_questions(tmp_path):
    text = rescore_run.render(rescore_run.report(rescore_run.read(write(tmp_path))))
    assert text.startswith("# Emotion recognition: avere")


def test_another_lexicon_reads_other_emotions(tmp_path, capsys):
    folder = write(tmp_path / "run")
    words = tmp_path / "words.yaml"
    words.write_text('anger: {names: "angry hm", signs: ""}\n')

    def strict(*more):
        assert rescore.main([str(folder), "--json", "-", *more]) == 0
        return json.loads(capsys.readouterr().out)["recognition"]["dfew"]["readings"]["strict"]

    assert strict()["war"]["value"] == 80
    assert strict("--lexicon", str(words))["war"]["value"] == 100
    for wrong, said in (
        ("joy: {names: glad, signs: ''}", "joy"),
        ("[1]", "anger angry"),
        ("anger: {names: 1}", "signs"),
    ):
        words.write_text(wrong)
        with pytest.raises(SystemExit) as error:
            strict("--lexicon", str(words))
        assert error.value.code == 2
        assert said in capsys.readouterr().err
