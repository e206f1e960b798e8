"""Rejected clips that differ in one cue: what changes, what stays, and what is right about them."""

import json

import pytest

from avem_train.data.checks import Needs, problems, read
from avem_train.data.negatives import Negatives, draw
from emorealm_tasks.mini import cli
from emorealm_tasks.mini.build import split as build
from emorealm_tasks.mini.language import one_cue, preferences, questions, wording
from emorealm_tasks.mini.world import edits


@pytest.fixture(scope="module")
def pairs():
    """Records of every form with their clips and counterparts."""
    clips = [clip for clip, _ in preferences.planned(400, 3)]
    rows = preferences.records(clips, [f"videos/part_1/{n}.mp4" for n in range(len(clips))], 3)
    of = [(clips[n // preferences.RECORDS_PER_CLIP], row) for n, row in enumerate(rows)]
    return [(clip, row, one_cue.counterpart(clip, row)) for clip, row in of]


def of_form(pairs, *forms):
    found = [(clip, row, other) for clip, row, other in pairs if row["form"] in forms]
    assert len(found) > 20
    return found


def test_the_cue_of_a_claim_is_gone_and_all_else_stays(pairs):
    for clip, row, (other, right) in of_form(pairs, "claim"):
        modality = row["modality"]
        cue = wording.cue_in(row["chosen"], modality)
        assert edits.has(clip, cue)
        assert not edits.has(other, cue)
        assert right == ""
        beside = "audio" if modality == "video" else "video"
        assert (other.shown(beside), other.scene(beside)) == (clip.shown(beside), clip.scene(beside))
        assert other.emotion(modality) == clip.emotion(modality)
        assert set(other.shown(modality)) == set(clip.shown(modality)) - {cue}


def test_the_right_option_is_wrong_in_the_counterpart(pairs):
    for _clip, row, (other, right) in of_form(pairs, "letters_basic"):
        text = one_cue._option(row["prompt"], row["chosen"])
        assert not edits.has(other, wording.cue_in(text, row["modality"]))
        assert right == ""


def test_a_verdict_is_turned_round_and_the_answer_that_was_wrong_is_right(pairs):
    turned = {
        "no_hallucination": ("hallucination", "emotion_relevant"),
        "hallucination": ("no_hallucination", "emotion_relevant"),
        "spurious": ("no_hallucination", "video_relevant"),
    }
    seen = set()
    for clip, row, (other, right) in of_form(pairs, "verdict", "letters_stress"):
        cue = wording.cue_in(row["prompt"], row["modality"])
        before, after = (questions.subtask(one, row["modality"], cue) for one in (clip, other))
        assert (after, right) == turned[before]
        seen.add(before)
        if row["form"] == "verdict":
            says_yes = row[f"rejected_{right}"].startswith("Yes")
            assert says_yes == (after == "no_hallucination")
            assert wording.cue_in(row[f"rejected_{right}"], row["modality"]) == cue
    assert seen == set(turned)


def test_what_no_cue_decides_has_no_counterpart(pairs):
    assert all(other is None for _, _, other in of_form(pairs, "agreement", "description", "letters_agreement"))


def test_they_are_built_and_drawn(tmp_path, capsys):
    out = tmp_path / "prefs"
    command = ["build", "--split", "train", "--preferences", "--one-cue", "--clips", "4", "--out", str(out)]
    assert cli.main(command) == 0
    rows = [json.loads(line) for line in (out / preferences.FILE).read_text().splitlines()]
    bringing = [row for row in rows if "rejected_video" in row or "rejected_audio" in row]
    assert bringing
    assert len(json.loads((out / "cues.json").read_text())) == 4 + len(bringing)
    records = read(out / preferences.FILE)
    assert not problems(records, Needs(Negatives()))
    for record, media in zip(records, draw(records, Negatives(), 0), strict=True):
        own = record.rejected_video or record.rejected_audio
        if own:
            assert own.is_file()
            assert getattr(media, record.modality).path == own
    assert cli.main([*command, "--if-missing"]) == 0
    plain = [row | {"rejected_video": "", "rejected_audio": "", "right_under_rejected": ""} for row in rows]
    clips = [clip for clip, _ in preferences.planned(4, 0)]
    again = preferences.records(clips, [f"videos/{build.name(n)}" for n in range(4)], 0)
    assert [{name: row[name] for name in again[0]} for row in plain] == again  # nothing else is drawn differently


def test_they_are_for_preference_records_alone(tmp_path):
    with pytest.raises(ValueError, match="are for preference records"):
        build.build(tmp_path, "test", 8, one_cue=True)
