"""`emorealm analyse attention` on a model with planted attention, against values worked out by hand."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from emorealm_results.analyses import attention, scoring
from emorealm_results.analyses.kinds import KINDS
from emorealm_results.analyses.report import write
from emorealm_tasks.media import MediaError

ABOUT = {"analysis": "attention", "tasks": ["t"], "limit": 0, "seed": 1, "failed": 0}
# layers x heads x (picture, sound)
PLANTED = {
    "Hear 0?": [[[0.1, 0.3], [0.0, 0.2]], [[0.4, 0.0], [0.1, 0.1]]],
    "Hear 1?": [[[0.1, 0.1], [0.2, 0.0]], [[0.0, 0.4], [0.1, 0.1]]],
    "See 2?": [[[0.2, 0.0], [0.3, 0.1]], [[0.1, 0.1], [0.4, 0.4]]],
}


class Planted:
    """A model whose attention is known by the question."""

    def __init__(self):
        self.seen = []

    def attention_shares(self, question):
        text = question.text.split(" (A)")[0]
        self.seen.append(text)
        if text not in PLANTED:
            raise MediaError("gone.mp4: no such file")
        return torch.tensor(PLANTED[text])


def rows(*texts):
    fields = {"video": "/c.mp4", "audio": "/c.wav", "choices": ["(A) Yes", "(B) No"], "answer": "A"}
    return [
        {"id": text, "clip": f"{number}.mp4", "question": text, **fields,
         "task": "reasoning_basic_" + ("audio" if text.startswith("Hear") else "video")}
        for number, text in enumerate(texts)
    ]  # fmt: skip


def measured(tmp_path, model, *texts):
    adapter = scoring.Adapter("planted", model, "t", {"av_mode": "source"})
    path = tmp_path / "scores.jsonl"
    scoring.run(rows(*texts), attention.measuring(adapter), path, "toy")
    return list(scoring.read(path, attention.HOLDS))


def value_of(found, metric, group="all", condition=""):
    (one,) = (e for e in found if (e["metric"], e["group"], e["condition"]) == (metric, group, condition))
    return one["value"]


def test_shares_by_hand(tmp_path):
    found = attention.report(measured(tmp_path, Planted(), *PLANTED))
    # about the sound: picture 1.0, sound 1.2 over two questions; about the picture: picture 1.0, sound 0.6
    assert value_of(found, "asked_share", "sound") == pytest.approx(100 * 1.2 / 2.2)
    assert value_of(found, "asked_share", "picture") == pytest.approx(100 * 1.0 / 1.6)
    assert value_of(found, "asked_share") == pytest.approx(100 * (1.2 + 1.0) / 3.8)
    assert value_of(found, "sound_share") == pytest.approx(100 * (1.2 + 0.6) / 3.8)
    assert value_of(found, "media_share") == pytest.approx(100 * 3.8 / 12)  # 3 questions, 4 heads each
    assert value_of(found, "asked_share", "sound", "layer_00") == pytest.approx(100 * 0.6 / 1.0)
    assert value_of(found, "asked_share", "sound", "layer_01_head_00") == pytest.approx(100 * 0.4 / 0.8)
    assert value_of(found, "asked_share", "picture", "layer_00_head_00") == pytest.approx(100)
    (estimate,) = (e for e in found if (e["group"], e["condition"]) == ("sound", "layer_00"))
    assert (estimate["low"], estimate["high"]) == pytest.approx((25, 100 * 0.5 / 0.6))  # either clip alone


def test_two_models_are_compared_question_by_question(tmp_path):
    before = measured(tmp_path, Planted(), *PLANTED)
    after = [{**one, "attention": [[[0.1, 0.3]] * 2] * 2} for one in before[::-1]]  # 3 of 4 to the sound
    found = attention.change(before, after)
    assert value_of(found, attention.CHANGE, "sound") == pytest.approx(75 - 100 * 1.2 / 2.2)
    assert value_of(found, attention.CHANGE, "picture") == pytest.approx(25 - 100 * 1.0 / 1.6)


def test_a_killed_run_goes_on_and_a_failed_question_says_why(tmp_path):
    measured(tmp_path, Planted(), "Hear 0?")
    model = Planted()
    found = measured(tmp_path, model, "Hear 0?", "Hear 9?", "See 2?")
    assert model.seen == ["Hear 9?", "See 2?"]
    assert [(one["error"], len(one["attention"])) for one in found] == [("", 2), ("gone.mp4: no such file", 0), ("", 2)]


def test_the_report_holds_every_head_and_the_page_no_head(tmp_path):
    found = attention.report(measured(tmp_path, Planted(), *PLANTED))
    written = write(tmp_path, ABOUT, {"before": found, "after": found}, KINDS["attention"].draw, {}, {})
    assert all((tmp_path / name).stat().st_size for name in written)
    estimates = json.loads((tmp_path / "report.json").read_text())["estimates"]
    assert sum(one["level"] == "head" for one in estimates) == 2 * 2 * 4
    page = (tmp_path / "report.md").read_text()
    assert "layer_01" in page
    assert "head_01" not in page


def test_shares_are_held_as_numbers_alone_and_report_the_same(tmp_path):
    lines = measured(tmp_path, Planted(), *PLANTED)
    compact = [attention.compact(one) for one in lines]
    assert {one["attention"].nbytes for one in compact} == {2 * 2 * 2 * 8}  # layers, heads, picture and sound
    assert attention.report(compact) == attention.report(lines)
    (of_all, *_) = attention.figures(compact)
    share = next(one["value"] for one in attention.report(lines) if one["metric"] == "asked_share")
    weights = np.full((1, len(lines)), 1 / len(lines))
    assert of_all.combine(weights @ of_all.columns)[0, 0] == pytest.approx(share)


def test_a_model_whose_attention_cannot_be_read_is_refused(capsys):
    with pytest.raises(SystemExit):
        attention.measuring(scoring.Adapter("gemini_av", SimpleNamespace(), "t", {}))
    assert "gemini_av: its attention cannot be read" in capsys.readouterr().err
