"""`emorealm analyse adversarial` on scorers with planted effects, against values worked out by hand."""

import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from emorealm_results.analyses import adversarial, scoring
from emorealm_results.analyses.kinds import KINDS
from emorealm_results.analyses.report import write
from emorealm_results.commands import analyse
from emorealm_tasks import media

ABOUT = {"analysis": "adversarial", "tasks": ["t"], "limit": 0, "seed": 1, "failed": 0}


def one(clip, own, altered, task="reasoning_basic_video", condition="sound_noise", chosen=0):
    """A question whose right answer (the first) has these log-likelihoods."""
    conditions = {"own": own, condition: altered}
    scores = {name: {"gold": 0, "scores": [value, -9.0]} for name, value in conditions.items()}
    scores[condition]["scores"][1] += 18.0 * chosen
    fields = {"subtask": "", "emotion": "", "error": ""}
    return {"id": f"{clip}{own}{altered}", "clip": clip, "task": task, "conditions": scores, **fields}


def values(found, group="all", condition="sound_noise"):
    return {e["metric"]: e["value"] for e in found if (e["group"], e["condition"]) == (group, condition)}


def test_shifts_and_distances_by_hand():
    scored = [one("a", -1.0, -2.0), one("a", -2.0, -1.0), one("b", -3.0, -3.0), one("c", -4.0, -6.0, chosen=1)]
    found = adversarial.report(scored)
    # own {-4 -3 -2 -1}, altered {-6 -3 -2 -1}: the order statistics differ by 2 once; shares below -5 differ by 1/4
    assert values(found) == pytest.approx(
        {"loglikelihood": -3, "shift": -0.5, "shift_absolute": 1, "changed": 25, "ks": 0.25, "wasserstein": 0.5}
    )
    assert values(found, condition="own") == {"loglikelihood": -2.5}
    (estimate,) = (e for e in found if (e["group"], e["metric"]) == ("all", "shift_absolute"))
    assert (estimate["low"], estimate["high"]) == (0, 2)  # a resample may hold b, or c, alone
    assert (estimate["questions"], estimate["clips"]) == (4, 3)


def test_two_models_are_compared_question_by_question():
    before = [one("a", -1.0, -2.0), one("b", -3.0, -3.0), one("c", -4.0, -6.0)]
    after = [one("c", -4.0, -4.5), one("a", -1.0, 0.0), one("b", -3.0, -3.1), one("d", -1.0, -9.0)]
    for number, name in enumerate("cab"):
        after[number]["id"] = next(other["id"] for other in before if other["clip"] == name)
    found = [e for e in adversarial.change(before, after) if e["group"] == "all"]
    assert [(e["metric"], e["condition"], e["questions"]) for e in found] == [(adversarial.CHANGE, "sound_noise", 3)]
    assert found[0]["value"] == pytest.approx((0 + 0.1 - 1.5) / 3)
    assert (found[0]["low"], found[0]["high"]) == pytest.approx((-1.5, 0.1))


def test_densities_are_scotts_and_sum_to_one():
    scored = [one("a", -1.0, -2.0), one("b", -2.0, -2.0), one("c", -4.0, -2.0)]
    (curve,) = adversarial.curves(scored)  # altered values are all alike: no density
    assert (curve["altered"], curve["condition"]) == ("sound", "own")
    x, density = np.array(curve["x"]), np.array(curve["density"])
    bandwidth = 3 ** (-1 / 5) * np.std([1, 2, 4], ddof=1)
    kernels = [np.exp(-(((x + at) / bandwidth) ** 2) / 2) / bandwidth / np.sqrt(2 * np.pi) for at in (1, 2, 4)]
    assert density == pytest.approx(np.mean(kernels, axis=0))
    assert np.trapezoid(density, x) == pytest.approx(1, abs=2e-3)


def rows(clips):
    fields = {"audio": "", "question": "Are tears a sign?", "choices": ["(A) Yes", "(B) No"], "answer": "A"}
    return [
        {"id": f"mini_{task}_{number}", "clip": Path(clip).name, "task": f"reasoning_basic_{task}", "video": clip,
         "emotion": ("sad", "happy", "happy")[number], **fields}
        for task in ("audio", "video") for number, clip in enumerate(clips)
    ]  # fmt: skip


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("EMOREALM_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_only_the_modality_that_is_not_asked_about_is_altered(clips, cache):
    asked = rows(clips)
    conditions = adversarial.conditions(asked, 3)
    for row in asked:
        given = conditions(row)
        modality = "picture" if row["task"].endswith("audio") else "sound"
        assert list(given) == ["own", *(f"{modality}_{how}" for how in adversarial.WAYS[modality])]
        changed, same = ("video", "audio") if modality == "picture" else ("audio", "video")
        assert {one[same] for one in given.values()} == {given["own"][same]}
        files = [given[f"{modality}_{how}"][changed] for how in adversarial.WAYS[modality][1:]]
        assert len({*files, given["own"][changed]}) == len(files) + 1
    donated = conditions(asked[0])["picture_conflicting"]["video"]
    assert donated in clips[1:]  # the sad clip's opposite
    again = adversarial.conditions(asked[::-1], 3)
    assert [again(row) for row in asked] == [conditions(row) for row in asked]
    with pytest.raises(ValueError, match="one emotion"):
        adversarial.conditions(rows(clips[1:2]), 3)


@pytest.mark.slow
def test_a_model_that_only_sees_shifts_where_the_picture_is_altered_alone(clips, cache, tmp_path):
    def seeing(asked):  # by the mean brightness of the picture
        return [[-float(media.read_frames(row["video"], 2)[0].mean()) / 64, -1.0] for row in asked]

    asked, path = rows(clips), tmp_path / "scores.jsonl"
    scoring.run(asked, partial(scoring.scored, conditions=adversarial.conditions(asked, 3), score=seeing), path, "toy")
    scored = list(scoring.read(path))
    assert not any(one["error"] for one in scored)
    found = adversarial.report(scored)
    for how in adversarial.WAYS["sound"]:
        sizes = values(found, condition=f"sound_{how}")
        assert (sizes["shift_absolute"], sizes["ks"], sizes["wasserstein"], sizes["changed"]) == (0, 0, 0, 0)
    black = values(found, condition="picture_black")
    brightness = [float(media.read_frames(clip, 2)[0].mean()) / 64 for clip in clips]
    assert black["shift"] == pytest.approx(np.mean(brightness), abs=0.02)  # black has 0
    kind = KINDS["adversarial"]
    curves = {"m": kind.curves(scored), "n": []}
    written = write(tmp_path, ABOUT, {"m": found, "n": found}, kind.draw, curves, {"m": scored})
    assert all((tmp_path / name).stat().st_size for name in written)
    report = json.loads((tmp_path / "report.json").read_text())
    assert {curve["altered"] for curve in report["densities"]} == {"sound", "picture"}


def test_sounds_are_corrupted_as_named(clips, tmp_path):
    own = media.read_audio(clips[1])
    heard = {how: media.read_audio(media.corrupted_sound(clips[1], how, 5, tmp_path)) for how in media.SOUNDS}
    assert {len(wave) for wave in heard.values()} == {len(own)}
    level = {how: float(np.sqrt(np.mean(wave**2))) for how, wave in heard.items()}
    assert level["silence"] == 0
    assert level["quieter"] == pytest.approx(np.sqrt(np.mean(own**2)) / 10, rel=0.01)
    assert level["noise"] == pytest.approx(np.sqrt(np.mean(own**2)), rel=0.05)
    assert level["louder"] > 2 * level["noise"]
    assert abs(np.corrcoef(heard["noise"], own)[0, 1]) < 0.05
    assert np.corrcoef(heard["codec"], own)[0, 1] > 0.8  # at the same time
    again = media.corrupted_sound(clips[1], "noise", 6, tmp_path)
    assert not np.array_equal(media.read_audio(again), heard["noise"])
    assert media.corrupted_sound(clips[1], "noise", 6, tmp_path) == again


def test_pictures_are_corrupted_as_named(clips, tmp_path):
    own, times = media.read_frames(clips[1], 6)
    for how in media.PICTURES:
        path = media.corrupted_picture(clips[1], how, 5, tmp_path)
        frames, when = media.read_frames(path, 6)
        assert media.probe(path).frames == media.probe(clips[1]).frames
        assert not media.probe(path).has_audio
        assert when == pytest.approx(times)
        away = np.abs(frames.astype(int) - own).mean()
        assert (how == "codec") == (0.5 < away < 25), (how, away)
        assert how != "black" or frames.max() <= 2
    with pytest.raises(media.MediaError, match="no video"):
        media.corrupted_picture(media.as_wav(clips[1], tmp_path), "black", 1, tmp_path)


def test_questions_about_both_modalities_are_left_out(clips, capsys):
    about_both = [{**row, "task": "modality_agreement"} for row in rows(clips)]
    arguments = analyse._parser().parse_args(["adversarial", "--model", "avere", "--out", "x"])
    assert analyse._suitable(arguments, about_both + rows(clips)) == rows(clips)
    with pytest.raises(SystemExit):
        analyse._suitable(arguments, about_both)
