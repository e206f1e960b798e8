"""`emorealm analyse cues` on models with planted behaviour, and what is drawn again."""

import numpy as np
import pytest

from emorealm_results.analyses import cues, scoring
from emorealm_tasks.mini.build import split
from emorealm_tasks.mini.language import wording
from emorealm_tasks.mini.render.encode import frames
from emorealm_tasks.mini.render.picture import draw_frame
from emorealm_tasks.mini.render.sound import synthesise
from emorealm_tasks.mini.world import edits
from emorealm_tasks.mini.world.cues import CUES

CONTENT = split.planned("test", 40, 3)
CLIPS = {split.name(number): clip for number, (clip, _) in enumerate(CONTENT)}
ROWS = [
    {**row, "clip": row["video"], "audio": ""} for row in split.items(CONTENT) if row["task"] != "modality_agreement"
]


@pytest.fixture
def drawn(monkeypatch):
    """A clip's plan stands for its file, so that a toy model sees what is in it."""
    files = dict(CLIPS)

    def render(clip, source):
        files[repr(clip)] = clip
        return repr(clip)

    monkeypatch.setattr(cues, "render", render)
    return files


def perceiving(files):
    """Names what is there: the option whose cue is in the clip, or yes."""

    def true(row, choice):
        modality, clip = row["task"].rsplit("_", 1)[1], files[row["video"]]
        if asked := wording.cue_in(row["question"], modality):
            return edits.has(clip, asked) == choice.endswith("Yes")
        return edits.has(clip, wording.cue_in(choice, modality))

    def score(rows):
        return [[-1.0 + 2 * true(row, choice) for choice in row["choices"]] for row in rows]

    return score


def deaf_and_blind(rows):
    """Always yes, and always the second option."""

    def value(row, place, choice):
        return float(choice.endswith("Yes") or (len(row["choices"]) == 4 and place == 1))

    return [[value(row, place, choice) for place, choice in enumerate(row["choices"])] for row in rows]


def value_of(found, metric, condition, group="all"):
    (one,) = (e for e in found if (e["metric"], e["condition"], e["group"]) == (metric, condition, group))
    return one["value"]


def measured(tmp_path, score):
    path = tmp_path / "scores.jsonl"
    scoring.run(ROWS, cues.measuring(CLIPS, score), path, "toy")
    return list(scoring.read(path, cues.HOLDS))


def test_a_model_that_perceives_uses_the_cue_of_every_stress_question(tmp_path, drawn):
    lines = [one for one in measured(tmp_path, perceiving(drawn)) if "stress" in one["task"]]
    found = cues.report(lines)
    assert value_of(found, "used", "named, there") == value_of(found, "used", cues.NAMED) == 100
    assert value_of(found, "followed", "denied, not there") == 100
    assert value_of(found, "effect", "named, there") == pytest.approx(4)  # from 2 nats for yes to 2 for no
    assert value_of(found, "changed_anyway", "named, there") == 0
    assert not any(e["condition"] in ("named, not there", "denied, there") for e in found)


def test_a_model_that_neither_sees_nor_hears_uses_none(tmp_path, drawn):
    found = cues.report(measured(tmp_path, deaf_and_blind))
    for name in ("named, there", "named, not there"):
        assert value_of(found, "effect", name) == 0
    assert value_of(found, "used", "named, there") == value_of(found, "used", cues.NAMED) == 0
    assert value_of(found, "effect", "named, not there", "hallucination") == 0
    assert not any(e["metric"] == "followed" for e in found)  # it denies nothing


def test_every_option_and_question_names_its_cue():
    rng = np.random.default_rng(0)
    for cue in CUES:
        for _ in range(6):
            assert wording.cue_in(wording.claim(rng, cue.name, "fear"), cue.modality) == cue.name
            assert wording.cue_in(wording.stress_stem(rng, cue.modality, cue.name, "anger"), cue.modality) == cue.name
    assert wording.cue_in("Yes", "video") == ""


def test_one_cue_is_taken_out_or_added_and_the_rest_stays():
    for clip in list(CLIPS.values())[:6]:
        for cue in CUES:
            if edits.has(clip, cue.name):
                less = edits.without(clip, cue.name)
                assert not edits.has(less, cue.name)
                assert cue.name not in (less.looks_at, less.reacts_to)
                others = [other for other in CUES if other != cue]
                differ = [other for other in others if edits.has(less, other.name) != edits.has(clip, other.name)]
                assert [other.kind for other in differ] == ["clothes"] * (cue.kind == "clothes")  # what is worn instead
                assert draw_frame(less, 0.5).any()
            else:
                more = edits.added(clip, cue.name)
                assert edits.has(more, cue.name)
                assert cue.emotion or more.matters(cue.modality) == cue.name
                lost = [o for o in CUES if edits.has(clip, o.name) and not edits.has(more, o.name)]
                assert all((o.slot, o.modality) == (cue.slot, cue.modality) for o in lost)
                assert len(lost) <= 1
                assert draw_frame(more, 0.5).any()


def test_clips_are_drawn_once_and_without_the_cue(clips, tmp_path, monkeypatch):
    monkeypatch.setenv("EMOREALM_CACHE", str(tmp_path))
    clip = next(clip for clip in CLIPS.values() if "tears" in clip.seen)
    path = cues.render(clip, clips[0])
    state = path.stat().st_mtime_ns
    assert cues.render(clip, clips[0]) == path
    assert path.stat().st_mtime_ns == state
    assert cues.render(edits.without(clip, "tears"), clips[0]) != path
    own, less = (frames(one, 3) for one in (clip, edits.without(clip, "tears")))
    assert 0 < (own != less).any(-1).mean() < 0.03  # the tears alone
    assert np.array_equal(synthesise(clip), synthesise(edits.without(clip, "tears")))


def test_another_benchmark_and_another_version_are_refused(tmp_path, monkeypatch, capsys):
    (tmp_path / "build.json").write_text('{"version": 0, "split": "test", "clips": 8, "seed": 0}')
    with pytest.raises(SystemExit):
        cues.planned(tmp_path)
    assert "build it again" in capsys.readouterr().err
    monkeypatch.setattr(cues, "planned", lambda folder: CLIPS)
    with pytest.raises(SystemExit):
        cues.prepare([{**ROWS[0], "id": "reasoning_basic_audio_1"}], 0)
    assert "emorealm_mini" in capsys.readouterr().err
