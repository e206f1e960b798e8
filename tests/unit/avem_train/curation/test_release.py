"""What a recipe gives to others: a benchmark that the harness answers, its card, leaks, people's verdicts, Table 8."""

import csv
import json
import shutil

import numpy as np
import pytest
import yaml

from avem_train.curation.frames import study
from avem_train.curation.leakage import collections, reports, search, sound, text
from avem_train.curation.release import writing
from curated_mini import made
from curation import answering
from emorealm_results import cli
from emorealm_tasks import settings
from emorealm_tasks.benchmarks import emorealm
from emorealm_tasks.harness import messages, multiple_choice
from emorealm_tasks.mini.build.split import build
from reencoding import reencoded


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("release") / "mini"
    build(folder, "test", 8, 0, None)
    return folder


@pytest.fixture
def chosen(world, tmp_path):
    return made(world, tmp_path / "out")


def recipe_file(world, tmp_path, **more):
    """The recipe of `made` as a file."""
    client = {"kind": "openai", "model": "m", "base_url": "http://localhost:9", "price_in": 1.0, "retries": 0, **more}
    content = {"manifest": {"reader": "mini", "path": str(world)}, "out": str(tmp_path / "out")}
    content |= {"clients": {"server": client}, "stages": {"captions": {"picture": "server"}, "filter": {}}}
    (tmp_path / "r.yaml").write_text(yaml.safe_dump(content))
    return str(tmp_path / "r.yaml")


@pytest.mark.slow
@pytest.mark.parametrize("with_clips", [False, True])
def test_the_harness_answers_what_is_released(world, chosen, tmp_path, monkeypatch, with_clips):
    numbers = writing.write(chosen, tmp_path / "release", with_clips)
    monkeypatch.setenv("EMOREALM_JSON", str(tmp_path / "release" / "emorealm_v1.json"))
    monkeypatch.setenv("EMOREALM_VIDEOS", str(tmp_path / "release" / "videos" if with_clips else world))
    rows = emorealm.read("emorealm", settings.load())
    source = {item["id"]: item for item in json.loads((world / "emorealm_v1.json").read_text())}
    assert len(rows) == len(source) == numbers["questions"]
    for row in rows:
        item = source[row["id"]]
        assert (row["question"], row["answer"], row["subtask"]) == (item["question"], item["answer"], item["subtask"])
        assert row["choices"] == item["choices"]
    doc = rows[0] | {"given_clip": rows[0]["clip"], "left_out": "{}"}
    asked = messages.doc_to_messages(doc)
    assert rows[0]["question"] in str(asked)
    assert multiple_choice.process_results(doc, [rows[0]["answer"]])["emorealm_score"]["record"]["official"]


def test_clips_are_released_as_they_are_now_or_not_at_all(chosen, world, tmp_path):
    out = tmp_path / "release"
    writing.write(chosen, out, True)
    (out / ".wavs").mkdir()  # as a release leaves it that is killed
    released = next((out / "videos").rglob("*.mp4"))
    source = world / released.relative_to(out / "videos")
    content = source.read_bytes()
    try:
        source.write_bytes(bytes(reversed(content)))  # of the same size
        writing.write(chosen, out, True)
        assert released.read_bytes() == source.read_bytes()
    finally:
        source.write_bytes(content)
    writing.write(chosen, out, False)
    assert not (out / "videos").exists()
    assert not (out / ".wavs").exists()


def test_the_card_tells_what_the_rows_are(chosen, tmp_path):
    numbers = writing.write(chosen, tmp_path / "release")
    card = (tmp_path / "release" / "README.md").read_text()
    metadata = yaml.safe_load(card.split("---\n")[1])
    assert metadata["configs"][0]["data_files"] == [{"split": "test", "path": "emorealm_v1.json"}]
    assert metadata["language"] == ["de", "en"]
    assert numbers["languages"]["told_by"] == {"captioner": 4, "detector": 4}
    assert sum(about["questions"] for about in numbers["tasks"].values()) == numbers["questions"]
    origins = [json.loads(line) for line in (tmp_path / "release" / "provenance.jsonl").read_text().splitlines()]
    assert {one["id"] for one in origins} == {
        item["id"] for item in json.loads((tmp_path / "release" / "emorealm_v1.json").read_text())
    }
    assert origins[0]["provenance"][-1]["prompt"] == "questions_basic/1/abc"
    assert "No person has verified" in card
    assert "Not looked for" in card
    assert "| questions | m     | questions_basic/1/abc |" in card
    assert sorted(path.name for path in (tmp_path / "release" / "plots").iterdir()) == [
        "labels.png",
        "languages.png",
        "subtasks.png",
        "tasks.png",
    ]


def test_planted_copies_are_found_and_nothing_else(world, chosen, tmp_path, capsys):
    clips = sorted((world / "videos").rglob("*.mp4"))
    reencoded(clips[0], tmp_path / "other" / "copy.mp4")
    reencoded(clips[1], tmp_path / "other" / "small.mp4", scale=0.5, crf=36, rate=8000, bits=24000)
    shutil.copy(clips[2], tmp_path / "other" / "same.mp4")
    recipe = recipe_file(world, tmp_path)
    assert cli.main(["curate", "leaks", recipe, "--against", str(tmp_path / "other")]) == 0
    assert "| 3 " in capsys.readouterr().out
    found = json.loads((chosen.out / reports.FILE).read_text())[str(tmp_path / "other")]["found"]
    planted = {(clips[0].stem, "copy"), (clips[1].stem, "small"), (clips[2].stem, "same")}
    assert {(one["mine"], one["theirs"]) for one in found["picture"]} == planted
    assert {(one["mine"], one["theirs"]) for one in found["sound"]} <= planted
    assert len(found["sound"]) >= 2
    assert found["name"] == []
    writing.write(chosen, tmp_path / "release")
    assert "any of these" in (tmp_path / "release" / "README.md").read_text()


def test_a_clip_is_known_by_its_path_and_a_question_by_its_words(world, chosen, tmp_path):
    items = json.loads((world / "emorealm_v1.json").read_text())
    basic = next(item for item in items if "basic" in item["task"])
    planted = basic | {"id": "other", "question": basic["question"].replace("Which", "What") + " Say it."}
    (tmp_path / "q.json").write_text(json.dumps([planted]))
    theirs = collections.read(tmp_path / "q.json", world / "videos")
    found = search.search(collections.of_recipe(chosen), theirs, tmp_path / "prints")["found"]
    assert (basic["id"], "other") in {(one["mine"], one["theirs"]) for one in found["text"]}


def test_what_a_system_puts_beside_clips_is_no_clip(world, tmp_path):
    video = next((world / "videos").rglob("*.mp4"))
    shutil.copy(video, tmp_path / "a.mp4")
    (tmp_path / "._a.mp4").write_bytes(b"attributes")
    assert list(collections.read(tmp_path).clips) == ["a"]


def test_words_decide_which_questions_are_alike():
    mine = {"a": "Which sound supports the anger? A raised voice, a slamming door, soft rain, a barking dog"}
    others = {
        "paraphrase": "What sound supports that anger? A raised voice, slamming doors, soft rain, some barking dog",
        "other": "Which gesture conveys the joy? Clapping hands, a green lamp, a blue sweater, a wall clock",
    }
    assert [pair[:2] for pair in text.matches(mine, others, 0.7)] == [("a", "paraphrase")]


def test_a_stretch_of_sound_is_found_at_its_offset():
    noise = np.random.default_rng(0)
    wave = noise.normal(size=4 * sound.RATE).astype(np.float32)
    index = sound.Index([sound.fingerprint(noise.normal(size=len(wave))), sound.fingerprint(wave)])
    excerpt = sound.fingerprint(0.3 * wave[20 * sound.HOP : 3 * sound.RATE])
    assert [(match.other, match.error < 0.01) for match in index.matches(excerpt, 0.2, 86)] == [(1, True)]
    assert sound.fingerprint(np.zeros(sound.RATE)).tolist() == [0] * len(sound.fingerprint(np.zeros(sound.RATE)))


def answers_file(path, key, wrong):
    """Three people answer as keyed, but for the items in `wrong`."""
    rows = []
    for version, items in key["versions"].items():
        for number, item in items.items():
            other = next(letter for letter in item["options"] if letter != item["answer"])
            given = {"answer": other if item["id"] in wrong else item["answer"], "several": "no", "problem": "none"}
            rows += [[key["study"], who, version, number, *one] for who in "abc" for one in given.items()]
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["study", "participant", "version", "item", "question", "choice"])
        writer.writerows(rows)
    return str(path)


def test_what_people_found_wrong_is_not_released(world, chosen, tmp_path, capsys):
    recipe, out = recipe_file(world, tmp_path), tmp_path / "verify"
    assert cli.main(["curate", "verify", "export", recipe, "--out", str(out), "--", "--per-page", "100"]) == 0
    key = json.loads((out / "questions" / "key.json").read_text())
    bad = next(iter(key["versions"]["1"].values()))["id"]
    saved = answers_file(tmp_path / "answers.csv", key, {bad})
    apply = ["curate", "verify", "apply", recipe, saved, "--key", str(out / "questions" / "key.json")]
    assert cli.main(apply) == 0
    assert "majority correct" in capsys.readouterr().out
    (reject,) = [json.loads(line) for line in (chosen.out / "verified.rejects.jsonl").read_text().splitlines()]
    assert (reject["id"], reject["kind"]) == (bad, "no majority")
    numbers = writing.write(chosen, tmp_path / "release")
    assert numbers["stage"] == "verified"
    (origin, *_) = (tmp_path / "release" / "provenance.jsonl").read_text().splitlines()
    assert json.loads(origin)["checks"] == ["verified by people"]
    assert bad not in {item["id"] for item in json.loads((tmp_path / "release" / "emorealm_v1.json").read_text())}
    assert "those that people verified" in (tmp_path / "release" / "README.md").read_text()
    with (chosen.out / "filter.jsonl").open("a") as file:
        file.write("\n")
    with pytest.raises(SystemExit):
        writing.write(chosen, tmp_path / "release")
    assert "run verify apply again" in capsys.readouterr().err


def tiny_bert(folder):
    """A BERT with random weights."""
    import torch
    from transformers import BertConfig, BertModel, BertTokenizerFast

    folder.mkdir()
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "person", "shows", "a", "broad", "smile", "happiness"]
    (folder / "vocab.txt").write_text("\n".join(words))
    BertTokenizerFast(vocab_file=str(folder / "vocab.txt"), model_max_length=64).save_pretrained(folder)
    torch.manual_seed(0)
    size = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    config = BertConfig(vocab_size=len(words), max_position_embeddings=64, initializer_range=1.0, **size)
    BertModel(config).save_pretrained(folder)
    return str(folder)


def test_frames_are_compared_with_references_and_paid_for_once(world, tmp_path, capsys):
    model = tiny_bert(tmp_path / "bert")
    server = answering({"PictureCaption": {"caption": "the person shows a smile", "cues": []}})
    recipe = recipe_file(world, tmp_path, base_url=server.url)
    arguments = ["curate", "frames", recipe, "--frames", "1,2", "--reference", str(world / "cues.json")]
    arguments += ["--sbert", model, "--bertscore", model, "--bertscore-layer", "2"]
    try:
        assert cli.main(arguments) == 0
        asked = len(server.asked)
        assert cli.main(arguments) == 0
    finally:
        server.stop()
    assert asked == len(server.asked) == 16
    report = json.loads((tmp_path / "out" / "frames.json").read_text())
    assert [row["frames"] for row in report["rows"]] == [1, 2]
    assert report["clips"] == 8
    assert all(-1 <= row["f1"] <= 1 and row["dollars"] > 0 for row in report["rows"])
    said = capsys.readouterr()
    assert "| # frames | SBERT-sim |" in said.out
    assert said.err.index("captions of 1 frame:\n") < said.err.index("captions of 2 frames:\n")
    free = study.markdown(report | {"rows": [report["rows"][0] | {"tokens_in": 0}]})
    assert free.count("not counted") == 2
