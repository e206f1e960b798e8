"""The analyses on scorers with planted effects, against values worked out by hand."""

import math
from collections import Counter
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emorealm_results.analyses import estimates, modalities, options, plots, scoring, swap
from emorealm_results.commands.analyse import sample
from emorealm_tasks.benchmarks import swaps
from emorealm_tasks.media import MediaError, examine, film_alone, joined, read_audio
from emorealm_tasks.mini.language import wording


def make_row(number, task, answer="A"):
    words = ["tears", "laughter", "rain"][number // 2]
    return {
        "id": f"q{task}{number}", "clip": f"{number}.mp4", "task": f"reasoning_stress_{task}",
        "video": f"/{number}.mp4", "audio": "", "question": f"Do {words} show sorrow?",
        "choices": ["(A) Yes", "(B) No"],
        "answer": answer, "subtask": "", "emotion": "sadness",
    }  # fmt: skip


ROWS = [make_row(number, task, "AB"[number % 2]) for task in ("audio", "video") for number in range(6)]


def hearing(rows):
    """Goes by the sound alone: yes with log-odds 2 where the clip's number is even, no where it is odd."""
    sounds = [int(Path(row["audio"] or row["video"]).stem) for row in rows]
    return [[-1.0, -3.0] if sound % 2 == 0 else [-3.0, -1.0] for sound in sounds]


def measuring(conditions, scorer):
    return partial(scoring.scored, conditions=conditions, score=scorer)


def scored(tmp_path, conditions, scorer, rows=ROWS):
    tmp_path.mkdir(exist_ok=True)
    path = tmp_path / "scores.jsonl"
    scoring.run(rows, measuring(conditions, scorer), path, "toy")
    return list(scoring.read(path))


def value_of(found, metric, group="all", condition=""):
    (one,) = (e for e in found if (e["metric"], e["group"], e["condition"]) == (metric, group, condition))
    return one["value"]


def test_a_model_that_only_hears_has_index_0_for_sound_and_1_for_the_picture(tmp_path):
    found = swap.report(scored(tmp_path, swap.conditions(ROWS, 1), hearing))
    assert value_of(found, "shortcut_index", "reasoning_stress_audio") == 0
    assert value_of(found, "shortcut_index", "reasoning_stress_video") == 1
    assert value_of(found, "shortcut_index") == 0.5
    assert value_of(found, "effect_sound") == pytest.approx(4)  # +2 with its own sound, -2 with the partner's
    assert value_of(found, "effect_picture") == value_of(found, "interaction") == 0
    assert [value_of(found, "accuracy", "all", cell) for cell in swap.CELLS] == [100, 0, 100, 0]


def test_effects_by_hand():
    odds = {"oo": 3.0, "ox": 1.0, "xo": 2.0, "xx": -4.0}
    one = {"conditions": {cell: {"gold": 0, "scores": [m, 0.0]} for cell, m in odds.items()}}
    assert swap.effects(one) == pytest.approx((4.0, 3.0, -2.0))  # (2 + 6) / 2, (1 + 5) / 2, (3 - 1 - 2 - 4) / 2


def test_the_index_of_two_models_is_compared_question_by_question():
    def one(clip, odds):
        cells = {cell: {"gold": 0, "scores": [m, 0.0]} for cell, m in zip(swap.CELLS, odds, strict=True)}
        fields = {"subtask": "", "emotion": "", "error": "", "task": "reasoning_basic_audio"}
        return {"id": clip, "clip": clip, "conditions": cells, **fields}

    # sound 4 and picture 0, sound 2 and picture 2: index 2 / 8; afterwards sound 0 and picture 2 in both: 4 / 4
    before = [one("a", (2, -2, 2, -2)), one("b", (2, 0, 0, -2))]
    after = [one("b", (1, 1, -1, -1)), one("a", (1, 1, -1, -1)), one("c", (0, 9, 0, 9))]
    found = [e for e in swap.change(before, after) if e["group"] == "all"]
    assert [(e["metric"], e["questions"]) for e in found] == [(swap.CHANGE, 2)]
    assert found[0]["value"] == pytest.approx(0.75)
    assert (found[0]["low"], found[0]["high"]) == pytest.approx((0.5, 1.0))  # b alone, a alone


@given(st.lists(st.floats(-20, 0), min_size=2, max_size=4), st.floats(-5, 5))
def test_log_odds_know_no_common_offset(scores, offset):
    plain = estimates.log_odds({"gold": 0, "scores": scores})
    moved = estimates.log_odds({"gold": 0, "scores": [score + offset for score in scores]})
    assert moved == pytest.approx(plain, abs=1e-9)
    others = sum(math.exp(score) for score in scores[1:])
    assert plain == pytest.approx(scores[0] - math.log(others), abs=1e-9)


def test_partners_contradict_and_do_not_depend_on_the_order():
    found = swaps.partners(ROWS, 7)
    assert {name: one["id"] for name, one in swaps.partners(ROWS[::-1], 7).items()} == {
        name: one["id"] for name, one in found.items()
    }
    for row in ROWS:
        partner = found[row["id"]]
        assert partner["clip"] != row["clip"]
        assert partner["answer"] != row["answer"]
        assert (partner["task"], partner["question"]) == (row["task"], row["question"])
    with pytest.raises(ValueError, match="no partner"):
        swaps.partners(ROWS[:1])


WORDS = ["tears", "rain", "laughter", "anger", "a", "voice"]


@given(
    st.lists(
        st.tuples(st.lists(st.sampled_from(WORDS), max_size=4), st.integers(0, 3), st.sampled_from("AB")),
        min_size=1, max_size=12,
    )
)  # fmt: skip
def test_partners_are_those_of_a_comparison_with_every_other_row(drawn):
    rows = [
        {"id": f"q{number}", "clip": f"{clip}.mp4", "task": "t", "question": " ".join(words), "answer": answer,
         "choices": ["(A) yes", "(B) no"]}
        for number, (words, clip, answer) in enumerate(drawn)
    ]  # fmt: skip
    words_of = [set(f"{row['question']} yes no a b".split()) for row in rows]
    often = Counter(word for words in words_of for word in words)
    weight = {word: math.log(len(rows) / count) for word, count in often.items()}
    for row, words in zip(rows, words_of, strict=True):
        others = [
            (sum(weight[word] for word in sorted(words & theirs)), other)
            for other, theirs in zip(rows, words_of, strict=True)
            if other["clip"] != row["clip"] and other["answer"] != row["answer"]
        ]
        if not others:
            with pytest.raises(ValueError, match="no partner"):
                swaps.partners(rows, 1)
            return
        most = max(common for common, _ in others)
        alike = [other for common, other in others if common == most]
        best = min(alike, key=lambda other: swaps.draw(1, row["id"], other["id"]))
        try:
            assert swaps.partners(rows, 1)[row["id"]] == best
        except ValueError:
            return  # another row has no partner


def test_a_swapped_cell_names_the_partner(tmp_path):
    one = scored(tmp_path, swap.conditions(ROWS, 1), hearing)[0]
    partner = swaps.partners(ROWS, 1)[one["id"]]["clip"]
    assert {cell: of.get("given") for cell, of in one["conditions"].items()} == {
        "oo": None, "ox": partner, "xo": partner, "xx": partner
    }  # fmt: skip


def test_swapped_rows_say_what_is_seen_and_heard():
    row, partner = ROWS[0], swaps.partners(ROWS)[ROWS[0]["id"]]
    by_sound, by_picture = swaps.swap_audio(ROWS)[0], swaps.swap_video(ROWS)[0]
    assert (by_sound["video"], by_sound["audio"]) == (row["video"], partner["video"])
    assert (by_picture["video"], by_picture["audio"]) == (partner["video"], row["video"])
    assert by_sound["swapped"]
    assert by_sound["given_clip"] == by_picture["given_clip"] == partner["clip"]


def test_a_swapped_clip_has_the_picture_of_one_and_the_sound_of_the_other(clips, tmp_path):
    both = joined(clips[1], clips[0], tmp_path)
    assert joined(clips[1], clips[0], tmp_path) == both
    found = examine(both)
    assert found.video
    assert found.audio
    ours, theirs = read_audio(both), read_audio(clips[0])
    assert abs(len(ours) - len(theirs)) < 2100  # AAC's blocks; the other clip is twice as long
    alone = examine(film_alone(clips[1], tmp_path))
    assert alone.video
    assert not alone.audio


def test_a_rotation_moves_texts_and_answer():
    row = {**ROWS[0], "choices": ["(A) x", "(B) y", "(C) z"], "answer": "C"}
    turned = options.rotated(row, 1)
    assert turned["choices"] == ["(A) z", "(B) x", "(C) y"]
    assert turned["answer"] == "A"
    assert options.rotated(turned, 2) == row


def test_a_model_that_always_takes_the_first_option(tmp_path):
    found = options.report(scored(tmp_path, options.conditions(ROWS, 0), lambda rows: [[-1.0, -3.0]] * len(rows)))
    assert value_of(found, "accuracy_mean") == value_of(found, "position_bias") == 50
    assert (value_of(found, "position_1"), value_of(found, "consistency")) == (100, 0)


def test_position_bias_is_corrected(tmp_path):
    def leaning(rows):  # 2 nats for the first place, 1 for the right option
        return [[(place == 0) * 2.0 + choice.startswith(f"({row['answer']})") - 9 for place, choice in
                 enumerate(row["choices"])] for row in rows]  # fmt: skip

    found = options.report(scored(tmp_path, options.conditions(ROWS, 0), leaning))
    assert (value_of(found, "accuracy_mean"), value_of(found, "accuracy_corrected")) == (50, 100)


def test_two_sided_p_is_mcnemars():
    clips = [str(number) for number in range(6)]
    assert modalities.two_sided([1] * 6, clips) == pytest.approx(2 / 64)
    assert modalities.two_sided([1, -1, 0, 0, 0, 0], clips) == 1


def test_what_a_missing_modality_costs(tmp_path):
    def given(row):
        return {
            name: {**row, "video": row["video"] if name in ("both", "sound") else "/9.mp4"} for name in modalities.GIVEN
        }

    found = modalities.report(scored(tmp_path, given, hearing))
    assert value_of(found, "accuracy", condition="both") == value_of(found, "accuracy", condition="sound") == 100
    assert value_of(found, "lost", condition="text") == 50  # 9 is odd: always no
    assert value_of(found, "lost", condition="sound") == 0


def test_a_model_that_only_hears_loses_with_the_picture_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(modalities.media, "as_wav", lambda path, cache: path)
    monkeypatch.setattr(modalities.media, "film_alone", lambda path, cache: path)

    def hears(rows):  # without a sound it says yes
        return [hearing([{**row, "video": ""}])[0] if row["audio"] else
                [-1.0, -3.0] if row.get("silent", not row["video"]) or not row["video"] else hearing([row])[0]
                for row in rows]  # fmt: skip

    found = modalities.report(scored(tmp_path, modalities.conditions(ROWS, 0), hears))
    accuracy = {given: value_of(found, "accuracy", condition=given) for given in modalities.GIVEN}
    assert accuracy == {"both": 100, "sound": 100, "picture": 50, "text": 50}
    lost = next(one for one in found if (one["group"], one["metric"], one["condition"]) == ("all", "lost", "picture"))
    assert (lost["value"], lost["clips"], lost["questions"]) == (50, 6, 12)
    # three clips of six lose the right answer to both their questions: 2 / 2**3
    assert modalities.two_sided([1, 1] * 3 + [0, 0] * 3, [str(clip) for clip in range(6) for _ in "av"]) == 0.25


def test_a_killed_run_goes_on_and_a_failed_question_says_why(tmp_path):
    conditions, path = swap.conditions(ROWS, 1), tmp_path / "scores.jsonl"
    scoring.run(ROWS[:4], measuring(conditions, hearing), path, "toy")
    path.write_bytes(path.read_bytes()[:-20])  # the last line lacks its end
    asked = []

    def counting(rows):
        asked.extend(rows)
        return hearing(rows)

    scoring.run(ROWS, measuring(conditions, counting), path, "toy")
    assert [one["id"] for one in scoring.read(path)] == [row["id"] for row in ROWS]
    assert len(asked) == 4 * (len(ROWS) - 3)

    def unreadable(row):
        raise MediaError("gone")

    assert {one["error"] for one in scored(tmp_path / "other", unreadable, hearing, ROWS[:1])} == {"gone"}


def test_the_sample_is_drawn_by_seed_and_task():
    drawn = sample(ROWS, 2, 3)
    assert [row["task"] for row in drawn].count("reasoning_stress_audio") == 2
    assert len(drawn) == 4
    assert sample(ROWS[::-1], 2, 3) == drawn[::-1]
    assert sample(ROWS, 0, 3) == ROWS


def test_a_series_has_one_colour_in_all_panels_and_the_legend():
    def row(condition, metric):
        return {"model": "m", "level": "all", "group": "all", "condition": condition, "metric": metric, "value": 1.0,
                "low": 0.0, "high": 2.0}  # fmt: skip

    rows = [row(name, "accuracy") for name in modalities.GIVEN] + [row(name, "lost") for name in modalities.GIVEN[1:]]
    figure = plots.dots("accuracy", "lost")(rows, [])
    dots = [[line for line in axis.lines if line.get_marker() == "o"] for axis in figure.axes]
    colours = [{line.get_label(): line.get_color() for line in of_axis} for of_axis in dots]
    assert set(colours[0]) == {f"m {name}" for name in modalities.GIVEN}
    assert colours[1] == {name: colour for name, colour in colours[0].items() if name != "m both"}
    (legend,) = figure.legends
    marks = zip(legend.texts, legend.legend_handles, strict=True)
    assert {text.get_text(): mark.get_color() for text, mark in marks} == colours[0]


def test_other_wordings_keep_cue_and_feeling():
    question = "Are furrowed brows a sign of the rage of the person?"
    found = wording.paraphrases(question)
    assert "Do furrowed brows contribute to the rage experienced by the person in the video?" in found
    assert len(found) == 3
    assert all("furrowed brows" in one and "rage" in one for one in found)
    assert len(wording.paraphrases(wording.BASIC["audio"][0])) == 3
    assert wording.paraphrases("Who is there?") == []
