"""Exports: each layout is read by the trainer's own reader, as far as that is installed here."""

import json
from pathlib import Path

import pytest
import yaml
from helpers.tiny_models import qwen2_5_vl

from avem_train.cli import main as train
from avem_train.curation.data.rows import Instruction, PreferenceRow
from avem_train.curation.export import provenance
from avem_train.data import checks
from avem_train.data.bad_records import BadRecords
from curation import content
from emorealm_results.cli import main
from preference_rows import CLIP, written

LETTERS = {"chosen": "A", "rejected_video_relevant": "B", "rejected_emotion_relevant": "B"}


def rows():
    """Three preferences: about one clip in sentences, about another by letter, and about a sound file alone."""
    row = CLIP | {"id": "1", "clip": "clip0", "prompt": "How is it?", "modality": "video", "form": "description"}
    row |= {"chosen": "A smile.", "rejected_video_relevant": "A hat.", "rejected_emotion_relevant": "Tears."}
    letters = row | LETTERS | {"id": "2", "video": "1.mp4", "emotion": "sadness", "form": "modality_agreement_letters"}
    sound = row | {"id": "3", "video": None, "audio": "3.wav", "modality": "audio", "emotion": "sadness"}
    return [PreferenceRow.model_validate(one).model_dump() for one in (row, letters, sound)]


@pytest.fixture
def curated(folder, make_clip):
    """A folder with clips and the files of two stages; and the recipe's file."""
    make_clip(folder / "mute.mp4", sound=False)
    (folder / "3.wav").write_bytes(make_clip(folder / "tone.mp4", tone=300.0).read_bytes())
    preferences = rows()
    written(folder / "out" / "preferences.jsonl", preferences)
    shared = ("id", "video", "audio", "emotion", "clip", "prompt", "modality", "form")
    taught = [{name: row[name] for name in shared} | {"response": row["chosen"]} for row in preferences]
    taught.append(taught[0] | {"id": "4", "video": "mute.mp4"})
    written(folder / "out" / "supervise.jsonl", [Instruction.model_validate(row).model_dump() for row in taught])
    recipe = content(folder, "http://127.0.0.1:9/v1", {"preferences": {"client": "server"}, "supervise": {}})
    (folder / "recipe.yaml").write_text(yaml.safe_dump(recipe | {"out": str(folder / "out")}))
    return folder


def export(folder, out, *more):
    assert main(["curate", "export", str(folder / "recipe.yaml"), "--out", str(out), *more]) == 0
    return [json.loads(line) for line in out.read_text().splitlines()] if out.suffix == ".jsonl" else []


@pytest.mark.parametrize("path", ["/dev/stdout", "/proc/self/fd/1"])
def test_nothing_is_put_beside_a_device(path):
    assert provenance.beside(Path(path)) == Path("/dev/null")


def test_preference_training_reads_the_export_as_it_is(curated, tmp_path_factory, capsys):
    beside = export(curated, curated / "train.jsonl")
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "train.jsonl"
    export(curated, elsewhere)
    capsys.readouterr()
    first = checks.load(curated / "train.jsonl", None, BadRecords(curated))
    second = checks.load(elsewhere, curated, BadRecords(curated))
    assert capsys.readouterr().err == ""
    assert list(first) == list(second)
    assert [record.video for record in first] == [curated / "0.mp4", curated / "1.mp4", None]
    assert [record.rejected_emotion_relevant for record in first] == ["Tears.", "B", "Tears."]
    assert beside[0]["video"] == "0.mp4"
    assert beside[2]["audio"] == "3.wav"


def test_two_steps_of_training_on_the_export(curated, tiny_avere, capsys):
    export(curated, curated / "train.jsonl")
    settings = {"model": tiny_avere, "data": curated / "train.jsonl", "out": curated / "trained", "optimiser.steps": 2}
    settings |= {"running.device": "cpu", "running.reference": curated / "kept", "optimiser.batch": 1}
    assert train(["run", "avem_dpo", *(f"{key}={value}" for key, value in settings.items())]) == 0
    assert (curated / "trained" / "adapter_model.safetensors").exists()


def test_trl_prepares_the_pairs(curated):
    from datasets import load_dataset
    from trl.data_utils import apply_chat_template, is_conversational

    pairs = export(curated, curated / "pairs.jsonl", "--format", "trl")
    assert [pair["id"] for pair in pairs] == [
        "1_video_relevant",
        "1_emotion_relevant",
        "2_video_relevant",
        "3_video_relevant",
        "3_emotion_relevant",
    ]
    cache = str(curated / "cache")
    loaded = load_dataset("json", data_files=str(curated / "pairs.jsonl"), split="train", cache_dir=cache)
    assert {"prompt", "chosen", "rejected", "videos", "audios"} <= set(loaded.column_names)
    assert is_conversational(loaded[0])
    applied = apply_chat_template(loaded[0], Templates())
    assert applied["prompt"] == "user:<video><audio>How is it?\nassistant:"
    assert (applied["chosen"], applied["rejected"]) == ("A smile.\n", "A hat.\n")
    assert loaded[0]["videos"] == [str(curated / "0.mp4")] == loaded[0]["audios"]
    export(curated, curated / "pairs.parquet", "--format", "trl", "--parquet")
    again = load_dataset("parquet", data_files=str(curated / "pairs.parquet"), split="train", cache_dir=cache)
    assert [apply_chat_template(pair, Templates()) for pair in again] == [
        apply_chat_template(pair, Templates()) for pair in loaded
    ]


@pytest.mark.parametrize(("what", "trainer"), [("preferences", "DPO"), ("supervise", "SFT")])
def test_trl_hands_the_clips_to_a_collator_of_its_user(curated, tmp_path_factory, what, trainer):
    import trl
    from datasets import load_dataset
    from transformers import AutoModelForImageTextToText, AutoProcessor

    pairs = curated / "pairs.jsonl"
    export(curated, pairs, "--format", "trl", "--what", what)
    loaded = load_dataset("json", data_files=str(pairs), split="train", cache_dir=str(curated / "cache"))
    model = qwen2_5_vl(tmp_path_factory.mktemp("model"))
    settings = {"remove_unused_columns": False, "use_cpu": True, "bf16": False, "report_to": "none"}
    made = getattr(trl, f"{trainer}Trainer")(
        model=AutoModelForImageTextToText.from_pretrained(model),
        args=getattr(trl, f"{trainer}Config")(output_dir=str(curated / "trl"), **settings),
        train_dataset=loaded,
        processing_class=AutoProcessor.from_pretrained(model),
        data_collator=list,
    )
    rows = next(iter(made.get_train_dataloader()))
    assert sorted(row["id"] for row in rows) == sorted(loaded["id"])
    assert all(row["videos"] or row["audios"] for row in rows)


class Templates:
    """A processor as far as a chat template goes."""

    def apply_chat_template(self, messages, tokenize=False, add_generation_prompt=False, **options):
        turns = [f"{one['role']}:{''.join(map(shown, one['content']))}\n" for one in messages]
        return "".join(turns) + ("assistant:" if add_generation_prompt else "")


def shown(block):
    return block["text"] if block["type"] == "text" else f"<{block['type']}>"


def test_ms_swift_gets_messages_with_a_tag_for_each_medium(curated):
    pairs = export(curated, curated / "swift.jsonl", "--format", "ms-swift", "--rejected", "emotion_relevant")
    assert pairs[0] == {
        "id": "1_emotion_relevant",
        "messages": [
            {"role": "user", "content": "<video><audio>How is it?"},
            {"role": "assistant", "content": "A smile."},
        ],
        "rejected_response": "Tears.",
        "videos": [str(curated / "0.mp4")],
        "audios": [str(curated / "0.mp4")],
    }
    assert (pairs[2]["messages"][0]["content"], pairs[2]["videos"]) == ("<audio>How is it?", [])
    taught = export(curated, curated / "taught.jsonl", "--format", "ms-swift", "--what", "supervise")
    assert taught[3]["messages"][0]["content"] == "<video>How is it?"
    assert "rejected_response" not in taught[0]


def test_llama_factory_finds_its_columns_registered(curated):
    (curated / "dataset_info.json").write_text('{"theirs": {"file_name": "a.json"}}')
    pairs = export(curated, curated / "pairs.jsonl", "--format", "llama-factory")
    export(curated, curated / "taught.jsonl", "--format", "llama-factory", "--what", "supervise")
    info = json.loads((curated / "dataset_info.json").read_text())
    assert list(info) == ["theirs", "pairs", "taught"]
    assert (info["pairs"]["ranking"], "ranking" in info["taught"]) == (True, False)
    assert set(info["pairs"]["columns"].values()) <= set(pairs[0])
    assert pairs[0]["conversations"] == [{"from": "human", "value": "<video><audio>How is it?"}]
    assert pairs[0]["rejected"] == {"from": "gpt", "value": "A hat."}


def test_instructions_are_conversations(curated):
    taught = export(curated, curated / "taught.jsonl", "--what", "supervise")
    human, gpt = taught[0]["conversations"]
    assert (human["value"], gpt) == ("<video><audio>How is it?", {"from": "gpt", "value": "A smile."})
    assert [row.get("video") for row in taught] == ["0.mp4", "1.mp4", None, "mute.mp4"]
    assert "audio" not in taught[0]


def test_an_export_that_cannot_be_leaves_what_is_there(curated, capsys):
    out = curated / "train.jsonl"
    export(curated, out)
    before = out.read_bytes()
    written(curated / "out" / "preferences.jsonl", [rows()[0] | {"video": "../away.mp4"}])
    for more, told in (
        ((), "leaves the data folder"),
        (("--parquet",), "avem reads JSON Lines"),
        (("--format", "ms-swift", "--parquet"), "ms-swift reads JSON Lines"),
        (("--rejected", "irrelevant"), "leave it out here"),
        (("--rejected", "irrelevant", "--format", "trl"), "leaves the data folder"),
    ):
        with pytest.raises(SystemExit):
            export(curated, out, *more)
        assert told in capsys.readouterr().err
    written(curated / "out" / "preferences.jsonl", [])
    with pytest.raises(SystemExit):
        export(curated, out)
    assert "nothing to export" in capsys.readouterr().err
    Path(curated / "out" / "preferences.jsonl").unlink()
    with pytest.raises(SystemExit):
        export(curated, out)
    assert "run the stage 'preferences' first" in capsys.readouterr().err
    assert out.read_bytes() == before
