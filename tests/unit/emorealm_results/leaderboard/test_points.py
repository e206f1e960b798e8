"""The yes-against-no plots: labels that collide with nothing, spans of numbers, curves of equal F1."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

import run_folders
from emorealm_results.leaderboard import inputs, points
from emorealm_results.leaderboard.score_rows import ScoreRow
from model_adapters.catalogue import parameters


def rows_of(task, drawn):
    return [
        ScoreRow(source, model, "A,V", "emorealm", True, task, part, metric, "strict", value)
        for (source, model, part), at in drawn.items()
        for metric, value in zip(("precision", "recall"), at, strict=True)
    ]


def overlap(a, b):
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


@given(st.lists(st.tuples(st.floats(0, 100), st.floats(0, 100)), min_size=1, max_size=8))
def test_labels_cover_neither_each_other_nor_a_point(places):
    drawn = {("measured", f"m{number}", "full"): at for number, at in enumerate(places)}
    (panel, *_) = points.panels(rows_of(points.YES_NO[0], drawn))
    boxes = [
        points._box((label["x"], label["y"]), len(label["text"]) * points._CHARACTER, points._LINE - 0.1)
        for label in panel["labels"]
    ]
    marks = [points._box(at, 4, 4) for at in places]
    for number, box in enumerate(boxes):
        assert not any(overlap(box, other) for other in boxes[:number] + marks)


def test_a_panel_holds_what_is_drawn_and_an_empty_one_says_why():
    drawn = {
        ("measured", "mine", "full"): (90.0, 40.0),
        ("measured", "mine", "blind"): (60.0, 30.0),
        ("published", "theirs", "full"): (80.0, 20.0),
    }
    first, *others = points.panels(rows_of(points.YES_NO[0], drawn))
    assert [(one["model"], one["part"], one["number"]) for one in first["points"]] == [
        ("mine", "full", 1),
        ("mine", "blind", 1),
        ("theirs", "full", None),
    ]
    assert [label["text"] for label in first["labels"]] == ["1"]
    assert first["why"] == ""
    assert all(panel["why"].startswith("No run") and not panel["points"] for panel in others)


@pytest.mark.parametrize(
    ("numbers", "text"), [([1], "1"), ([1, 2], "1, 2"), ([1, 3, 4, 5, 9], "1, 3-5, 9"), ([2, 3, 4], "2-4")]
)
def test_three_and_more_in_a_row_are_a_span(numbers, text):
    assert points.spans(numbers) == text


@pytest.mark.parametrize("level", points.LEVELS)
def test_a_curve_has_one_f1_from_edge_to_edge(level):
    curve = points.curve(level)
    assert (curve[0][1], curve[-1][0]) == (100.0, 100.0)
    for x, y in curve:
        assert 2 * x * y / (x + y) == pytest.approx(level, abs=0.1)


@pytest.mark.parametrize(
    ("checkpoint", "size"),
    [
        ("Qwen/Qwen2.5-Omni-7B", "7B"),
        ("Qwen/Qwen3-Omni-30B-A3B-Instruct", "30B-A3B"),
        ("OpenGVLab/InternVL3_5-8B-HF", "8B"),
        ("openllmplayground/pandagpt_7b_max_len_1024", "7B"),
        ("data/avere_nano", ""),
        ("gemini-2.5-flash, on Google's server", ""),
    ],
)
def test_parameters_are_read_from_a_checkpoints_name(checkpoint, size):
    assert parameters(checkpoint) == size


@pytest.mark.parametrize("name", ["avere_nano", "avere_nano_2", "avere_nano_dpo", "emotion_llama_nano"])
def test_embedded_weights_have_a_size(name, tmp_path):
    folder = run_folders.write(tmp_path / "run", run_folders.whole(), pretrained=name)
    (run,) = inputs.read([str(folder)], [])
    assert run.about["parameters"] == "4M"
