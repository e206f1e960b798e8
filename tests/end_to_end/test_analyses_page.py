"""Analyses of the embedded benchmark by the real command line, and the page that shows them."""

import json

import pytest

from emorealm_results import cli
from emorealm_results.analyses.kinds import KINDS
from emorealm_tasks.mini.build.split import build


def test_from_two_models_to_the_page(tiny_avere, tmp_path, monkeypatch, capsys):
    build(tmp_path / "mini", clips=8)
    monkeypatch.setenv("EMOREALM_MINI", str(tmp_path / "mini"))
    monkeypatch.setenv("EMOREALM_CACHE", str(tmp_path / "cache"))
    again = tmp_path / "again"
    again.symlink_to(tiny_avere)
    models = [part for folder in (tiny_avere, again) for part in ("--model_args", f"pretrained={folder},device=cpu")]
    tasks = ("--tasks", "emorealm_mini_reasoning_stress_audio,emorealm_mini_reasoning_stress_video", "--limit", "2")
    folders = [str(tmp_path / kind) for kind in ("cues", "adversarial", "attention")]
    for folder in folders:
        kind = folder.rsplit("/", 1)[1]
        assert cli.main(["analyse", kind, "--model", "avere", *models, *tasks, "--out", folder]) == 0
    assert cli.main(["analyse", "page", *folders, "--out", str(tmp_path / "page")]) == 0
    text = (tmp_path / "page" / "README.md").read_text()
    assert text.index("(figure_5.png)") < text.index("(attention.png)") < text.index("(cues.png)")
    figures = [f"{name}.png" for name in ("figure_5", "attention", "adversarial", "cues")]
    assert all(f"({name})" in text and (tmp_path / "page" / name).stat().st_size > 10_000 for name in figures)
    assert text.count("does not change clearly (0.00 [0.00, 0.00] points)") == 3  # both models are one
    report = json.loads((tmp_path / "page" / "cues.json").read_text())
    assert {one["metric"] for one in report["estimates"]} >= {"effect", "changed_anyway"}
    with pytest.raises(SystemExit):
        cli.main(["analyse", "page", folders[0], folders[0], "--out", str(tmp_path / "page")])
    assert "a second report of cues" in capsys.readouterr().err
    build(tmp_path / "mini", clips=8, seed=1)  # other questions with the same ids
    with pytest.raises(SystemExit):
        cli.main(["analyse", "cues", "--model", "avere", *models, *tasks, "--out", folders[0]])
    assert "holds scores of another analysis" in capsys.readouterr().err


def test_sentences_follow_the_interval():
    def of(metric, low, high, condition=""):
        return {"model": "m", "level": "all", "group": "all", "condition": condition, "metric": metric, "value": 1.0,
                "low": low, "high": high}  # fmt: skip

    for low, high, verb in ((0.1, 2, "grows"), (-2, -0.1, "shrinks"), (-1, 1, "does not change clearly")):
        (line,) = KINDS["attention"].says({"estimates": [of("asked_share_change", low, high)]})
        assert f"the attention to media {verb} (1.00 [" in line
        (line,) = KINDS["swap"].says({"estimates": [of("shortcut_index_change", low, high)]})
        assert f"index {verb} (" in line
    rows = [of("shift_absolute_change", -2, -1, name) for name in ("sound_noise", "picture_black")]
    assert KINDS["adversarial"].says({"estimates": rows}) == [
        "m: the mean absolute shift shrinks for sound noise, picture black."
    ]
    used = {**of("used", 0.5, 2, "named"), "questions": 7}
    there = {**used, "condition": "named, there"}
    (line,) = KINDS["cues"].says({"estimates": [used, there]})
    assert line == "m: used 1.0 [0.5, 2.0] % of the 7 cues that its answers name."
    lost = {**of("lost", 0.5, 2, "sound"), "p": 0.0004}
    (line,) = KINDS["modalities"].says({"estimates": [lost, {**lost, "condition": "text", "p": 0.02}]})
    assert line == (
        "m: points of accuracy lost: with the sound alone 1.0 [0.5, 2.0] (p < 0.001), "
        "with the text alone 1.0 [0.5, 2.0] (p = 0.020)."
    )
    turned = [of(name, 0, 2) for name in ("consistency", "accuracy", "accuracy_corrected")]
    (line,) = KINDS["options"].says({"estimates": turned})
    assert line == (
        "m: gives the same option in all orders for 1.0 [0.0, 2.0] % of the questions; "
        "accuracy 1.0 [0.0, 2.0] as written, 1.0 [0.0, 2.0] by all orders together."
    )
