"""The study: what is trained, what is taken because it is finished, and that nothing else is made."""

import pytest

from avem_train.curation import study


def run(folder, *words):
    content = [f"folder={folder}", f"out={folder / 'out'}", "clips=5", "answered=8", "captions=[truth]"]
    return study.run(study.settings_from([*content, "noise=[0.0,0.3]", *words]))


@pytest.mark.slow
def test_finished_runs_count_and_only_the_rates_that_are_named_are_trained(tmp_path, monkeypatch, capsys):
    trained = []

    def made(job):
        if not job.result.exists():
            trained.append(str(job.settings.data.name) if job.settings else "base")
            job.folder.mkdir(parents=True)
            job.result.write_text("{}")
        return {"scores": {}}

    monkeypatch.setattr(study, "_made", made)
    first = run(tmp_path, "trained=[]")
    assert (list(first["curated"]), first["runs"], trained) == (["truth-0", "truth-30"], {}, [])
    assert [path.name for path in (tmp_path / "worlds").iterdir()] == ["train-5-0-0.4"]
    second = run(tmp_path, "trained=[0.3]")
    assert trained == ["base", "preferences.jsonl", "5-truth-30.jsonl"]
    assert list(second["runs"]) == [study.BASE, study.WORLD, "truth-30"]
    assert "truth-30, seed 0: trains and answers" in capsys.readouterr().err
    third = run(tmp_path, "trained=[]")
    assert (third["runs"], len(trained)) == (second["runs"], 3)
