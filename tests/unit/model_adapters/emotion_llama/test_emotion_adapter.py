"""Emotion-LLaMA as a model of lmms-eval: what it is asked with, which frames it sees, options, its own arguments.

Media, batches, failures and contrastive decoding are tested with the other families, in `test_in_process.py`.
"""

import copy

import numpy as np
import pytest
import torch

import tiny_models
from avere_requests import option_requests
from chat_requests import ask, requests_for
from model_adapters.base.media_refs import ClipFiles
from model_adapters.emotion_llama import clips as frames
from model_adapters.emotion_llama.adapter import EmotionLlama, EmotionLlamaV2
from model_adapters.emotion_llama.configuration import EmotionLlamaConfig
from model_adapters.external_worker.adapter import ExternalWorker

OPTIONS = [" A", " B", " C", " Because of tears."]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return str(tiny_models.emotion_llama(tmp_path_factory.mktemp("emotion_llama")))


@pytest.fixture(scope="module")
def model(folder):
    return EmotionLlama(pretrained=folder, device="cpu")


def test_a_run_records_version_placement_features_and_prompt(model, folder):
    asked = model.ways()
    own = {name: asked[name] for name in ("version", "placement", "features", "instruction", "frames", "modalities")}
    assert own == {"version": 1, "placement": "released", "features": "demo"} | {
        "instruction": "reason",
        "frames": 1,
        "modalities": "av",
    }
    slots = "<video><VideoHere></video> <feature><FeatureHere></feature>"
    assert asked["prompt"] == f"[INST] {slots} [reason] {{question}}  [/INST]"
    other = EmotionLlama(pretrained=folder, device="cpu", placement="training", instruction="emotion")
    assert {name for name, value in other.ways().items() if value != asked[name]} == {
        "placement",
        "instruction",
        "prompt",
    }


def test_the_placement_changes_the_inputs(model, folder, clips):
    other = EmotionLlama(pretrained=folder, device="cpu", placement="training")
    rows = []
    for one in (model, other):
        asked = one.read_request(requests_for(one, [("Why?", clips[0], clips[0])])[0])
        rows.append(one.inputs(asked.question, asked.clip)[0]["input_ids"][0].tolist())
    assert [row.count(1) for row in rows] == [2, 1]  # released: two BOS
    media = [[place for place, one in enumerate(row) if one == model.model.config.media_token_id] for row in rows]
    assert len(media[0]) == len(media[1]) == model.model.config.media_tokens
    assert [places[-1] - places[0] + 1 > len(places) for places in media] == [False, True]


def test_a_deaf_or_blind_model_is_asked_as_one_without_the_medium(model, folder, clips):
    doc = ("Is it rain? (A) Yes (B) No", clips[2], clips[2])
    for modalities, alone in (("v", (doc[0], clips[2], None)), ("a", (doc[0], None, clips[2]))):
        limited = EmotionLlama(pretrained=folder, device="cpu", modalities=modalities)
        assert ask(limited, [doc]) == ask(model, [alone])
        assert limited.ways()["modalities"] == modalities


def test_options_are_scored_as_answers_of_the_model(model, clips):
    """Summed log-probabilities of the ids of "a", not "A", after the prompt; the same at every batch size."""
    docs = [{"video": clip, "text": text, "kind": "both"} for clip in clips[:2] for text in ("Why? (A) x", "What now?")]
    expected = []
    for doc in docs:
        clip = ClipFiles(doc["video"], doc["video"])
        asked = model.read_request(requests_for(model, [(doc["text"], *clip)])[0])
        inputs, _ = model.inputs(asked.question, asked.clip)
        media = {name: value for name, value in inputs.items() if name not in ("input_ids", "attention_mask")}
        for option in ("a", "b", "c", "because of tears"):
            ids = model.processor.encode_piece(option)
            joined = torch.cat([inputs["input_ids"], torch.tensor([ids])], 1)
            with torch.inference_mode():
                logps = model.model(input_ids=joined, **media).logits[0].log_softmax(-1)
            places = range(joined.shape[1] - len(ids) - 1, joined.shape[1] - 1)
            expected.append(float(sum(logps[place, one] for place, one in zip(places, ids, strict=True))))
    answered = copy.copy(model)
    for answered.batch_size in (1, 5):
        scores = answered.loglikelihood(option_requests(answered, docs, OPTIONS))
        np.testing.assert_allclose([score for score, _ in scores], expected, atol=1e-4)
    assert len({round(value, 3) for value in expected}) == len(expected)


def test_a_clip_that_cannot_be_read_costs_its_own_options(model, clips, tmp_path, capsys):
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"not a film")
    docs = [{"video": path, "text": "Why?", "kind": "both"} for path in (str(broken), clips[0])]
    lenient = copy.copy(model)
    lenient.max_errors, lenient.batch_size = 0.5, 4
    scores = [score for score, _ in lenient.loglikelihood(option_requests(lenient, docs, OPTIONS))]
    assert scores[:4] == [-np.inf] * 4
    assert np.isfinite(scores[4:]).all()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"repo": "/x"}, "which is --model external_worker --model_args worker=emotion_llama_released"),
        ({"frames": 8}, "unknown model argument 'frames'"),
        ({"system": "x"}, "unknown model argument 'system'"),
        ({"features": "faces2"}, "features='faces2'; use one of demo"),
        ({"placement": "both"}, "placement='both'; use one of released, training"),
        ({"instruction": "why"}, "instruction='why'; use one of reason"),
        ({"pretrained": None}, "name its weights with pretrained="),
    ],
)
def test_bad_arguments_end_in_one_line(folder, arguments, said, capsys):
    with pytest.raises(SystemExit) as caught:
        EmotionLlama(**{"pretrained": folder, "device": "cpu"} | arguments)
    assert caught.value.code == 2
    printed = capsys.readouterr().err
    assert said in printed
    assert printed.count("emorealm:") == 1


def test_the_workers_former_name_leads_to_the_present_one(capsys):
    with pytest.raises(SystemExit) as caught:
        ExternalWorker(worker="emotion_llama", repo="/x", device="cpu")
    assert caught.value.code == 2
    assert "did you mean 'emotion_llama_released'?" in capsys.readouterr().err


def test_the_other_version_is_named(folder, capsys):
    with pytest.raises(SystemExit):
        EmotionLlamaV2(pretrained=folder, device="cpu")
    assert "is version 1; use --model emotion_llama" in capsys.readouterr().err


def test_likelihoods_under_contrastive_decoding_are_refused(folder, clips, capsys):
    model = EmotionLlama(pretrained=folder, device="cpu", vcd_alpha=1)
    with pytest.raises(SystemExit):
        model.loglikelihood(option_requests(model, [{"video": clips[0], "text": "Why?", "kind": "both"}], OPTIONS))
    assert "vcd_alpha changes answers in words only" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("available", "numbers"),
    [(1, [0, 0, 0, 0, 0]), (4, [0, 0, 1, 2, 3]), (5, [0, 0, 1, 2, 3]), (11, [0, 3, 4, 5, 6])],
)
def test_frames_of_version_2(available, numbers):
    assert frames.choose(available, 5).tolist() == numbers
    assert frames.choose(available, 1).tolist() == [0]


def test_a_clip_gives_the_frames_that_were_chosen(make_clip, tmp_path):
    """Frame i of the film is a flat grey of 16 + 4 i."""
    film = str(make_clip(tmp_path / "film.mp4", seconds=2.0, fps=12, size=64))
    second = EmotionLlamaConfig(version=2, video_frames=4)
    seen = frames.read(ClipFiles(film, None), second).video
    greys = seen.frames.mean((1, 2, 3))
    np.testing.assert_allclose((greys - greys[0]) / 4, [0, 10, 11, 12, 13], atol=0.5)
    assert seen.times.tolist() == pytest.approx([0.0, *(n / 12 for n in (10, 11, 12, 13))], abs=1e-3)
    assert len(frames.read(ClipFiles(film, None), EmotionLlamaConfig()).video.frames) == 1
