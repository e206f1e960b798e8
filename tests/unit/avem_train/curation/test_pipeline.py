"""The pipeline's promises: rows as they should be, rerun for nothing, budget, failures, repair, resumption."""

import json

import pytest

from avem_train.curation import pipeline, recipe
from curation import CUE, REPLIES, answering, content, form
from faulty_server import chat

STAGES = {"captions": {"picture": "server", "sound": "server", "frames": 2}}


def loaded(folder, url, **more):
    return recipe.from_content(content(folder, url, STAGES, **more))


def rows(folder, name="captions"):
    return [json.loads(line) for line in (folder / "out" / f"{name}.jsonl").read_text().splitlines()]


def test_a_clip_gets_captions_of_both_modalities(folder, server):
    (report,) = pipeline.run(loaded(folder, server.url))
    first = rows(folder)[0]
    assert (report.rows_in, report.rows, report.rejects) == (3, 3, {})
    assert first["caption_video"] == "A person smiles broadly."
    assert first["transcript"] == "so it is"
    assert [cue["modality"] for cue in first["cues"]] == ["video", "audio"]
    assert [asked["prompt"].split("/")[0] for asked in first["provenance"]] == ["captions_video", "captions_audio"]
    kinds = [[part["type"] for part in body["messages"][0]["content"]] for body in server.asked]
    assert set(map(tuple, kinds)) == {("image_url", "image_url", "text"), ("input_audio", "text")}


def test_a_rerun_asks_nothing_and_writes_the_same(folder, server):
    pipeline.run(loaded(folder, server.url))
    before, asked = (folder / "out" / "captions.jsonl").read_bytes(), len(server.asked)
    pipeline.run(loaded(folder, server.url))
    (folder / "out" / "captions.json").unlink()  # as if killed before its end
    (report,) = pipeline.run(loaded(folder, server.url))
    assert len(server.asked) == asked == 6
    assert report.counts["cached"] == 6
    assert report.counts["dollars"] == 0
    assert (folder / "out" / "captions.jsonl").read_bytes() == before


def test_another_model_or_prompt_setting_asks_anew(folder, server):
    pipeline.run(loaded(folder, server.url))
    changed = content(folder, server.url, {"captions": STAGES["captions"] | {"frames": 3}})
    pipeline.run(recipe.from_content(changed))
    assert len(server.asked) == 9  # the pictures again, not the sounds


def test_the_budget_stops_the_run_and_a_larger_one_goes_on(folder, server, capsys):
    cost = (500 * 1.0 + 60 * 2.0) / 1e6
    with pytest.raises(SystemExit):
        pipeline.run(loaded(folder, server.url, budget=2.5 * cost, clients=one_at_a_time(folder, server)))
    assert len(server.asked) == 3
    assert "budget" in capsys.readouterr().err
    assert not (folder / "out" / "captions.jsonl").exists()
    pipeline.run(loaded(folder, server.url, budget=1.0))
    assert len(server.asked) == 6


def one_at_a_time(folder, server):
    client = content(folder, server.url, {})["clients"]["server"]
    return {"server": client | {"concurrency": 1}}


def test_a_reply_that_does_not_fit_is_sent_back_once_then_its_row_is_rejected(folder):
    def script(body, number):
        last = body["messages"][-1]
        again = len(body["messages"]) == 3
        spoilt = form(body) == "PictureCaption" and not (again and number % 2)
        if again:
            assert "cannot be used" in last["content"]
        return 200, {}, chat('{"caption": 3}' if spoilt else json.dumps(REPLIES[form(body)]))

    server = answering()
    server.script = script
    try:
        (report,) = pipeline.run(loaded(folder, server.url))
    finally:
        server.stop()
    assert report.rows + report.rejects.get("no valid reply", 0) == 3
    assert report.counts["repaired"] == 3


def test_failed_rows_are_asked_again_by_the_same_command(folder, capsys):
    down = {"yes": True}

    def script(body, number):
        if down["yes"] and form(body) == "SoundCaption":
            return 500, {}, {"error": {"message": "out of order"}}
        return 200, {}, chat(json.dumps(REPLIES[form(body)]))

    server = answering()
    server.script = script
    try:
        with pytest.raises(SystemExit):
            pipeline.run(loaded(folder, server.url))
        assert "3 rows could not be asked about" in capsys.readouterr().err
        down["yes"] = False
        (report,) = pipeline.run(loaded(folder, server.url))
    finally:
        server.stop()
    assert report.rows == 3
    assert report.counts["cached"] == 3


def test_parquet_holds_the_same_rows(folder, server):
    pipeline.run(loaded(folder, server.url))
    lines = rows(folder)
    whole = recipe.from_content(content(folder, server.url, STAGES, format="parquet", out=folder / "parquet"))
    pipeline.run(whole)
    from pyarrow import parquet

    assert parquet.read_table(folder / "parquet" / "captions.parquet").to_pylist() == lines
    assert lines[0]["cues"][0] == CUE | {"modality": "video"}


def test_damaged_parquet_ends_in_one_line(folder, server, capsys):
    stages = STAGES | {"emotions": {"client": "server"}}
    whole = recipe.from_content(content(folder, server.url, stages, format="parquet"))
    pipeline.run(whole, ["captions"])
    (folder / "out" / "captions.parquet").write_bytes(b"PAR1 and nothing else")
    with pytest.raises(SystemExit) as caught:
        pipeline.run(whole, ["emotions"])
    assert caught.value.code == 2
    assert "captions.parquet: cannot be read as Parquet" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"stages": {"caption": {}}}, "did you mean 'captions'"),
        ({"stages": {"captions": {"picture": "servr"}}}, "none of the recipe's clients"),
        ({"failed": "ignore"}, "failed is 'ignore'"),
        ({"clients": {"server": {"kind": "openai"}}}, "clients.server.model must be given"),
        ({"manifest": []}, "manifest must hold keys"),
    ],
)
def test_a_wrong_recipe_says_what_is_wrong(folder, server, change, said):
    with pytest.raises(recipe.RecipeError, match=said):
        recipe.from_content(content(folder, server.url, STAGES) | change)
