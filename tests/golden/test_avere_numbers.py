"""Every number the released AVERE code produced on small random weights, from the converted checkpoint (float32)."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open

from model_adapters.avere import AvereForConditionalGeneration, AvereProcessor, AvereQFormerConfig, from_released_ids
from model_adapters.avere.conversion import CHECKPOINT_RULES, rename
from model_adapters.avere.convert import main
from model_adapters.avere.speech_projector import AvereSpeechProjector
from model_adapters.avere.weights import Reader

DATA = Path(__file__).parent / "data" / "avere_dev"
META = json.loads((DATA / "dev" / "meta.json").read_text())
INPUTS = np.load(DATA / "dev" / "inputs.npz")
EXPECTED = np.load(DATA / "dev" / "expected.npz")


def tensor(name, store=EXPECTED):
    return torch.from_numpy(store[name])


def close(actual, name, tolerance=1e-4):
    expected = tensor(name) if isinstance(name, str) else name
    torch.testing.assert_close(actual.cpu(), expected, atol=tolerance, rtol=0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    out = tmp_path_factory.mktemp("avere") / "converted"
    main(["--source", str(DATA / "dev"), "--out", str(out)])
    return out


@pytest.fixture(scope="module")
def model(folder, device):
    model, report = AvereForConditionalGeneration.from_pretrained(folder, output_loading_info=True)
    assert not any(report.values()), report
    return model.to(device).eval().requires_grad_(False)


@pytest.fixture(scope="module")
def processor(folder):
    return AvereProcessor.from_pretrained(folder)


def pixels(*names):
    """The stored clips (3, frames, H, W) as (clips, frames, 3, H, W)."""
    return torch.stack([tensor(f"video/{name}", INPUTS) for name in names]).transpose(1, 2)


def mel(*names):
    return torch.stack([tensor(f"audio/{name}", INPUTS) for name in names])


def media(model, videos, audios):
    """Rows of the samples that have the modality: the released code's dummy entries (zeros) are left out."""
    videos, audios = ([name for name in names if name not in (None, "zeros")] for names in (videos, audios))
    return ({"pixel_values_videos": pixels(*videos).to(model.device)} if videos else {}) | (
        {"input_features": mel(*audios).to(model.device)} if audios else {}
    )


def released_ids(model, case):
    """Expanded ids of a case; a modality that a sample lacks has neither row nor placeholder here."""
    ids, mask, labels = (tensor(f"{case}/{name}", INPUTS) for name in ("input_ids", "attention_mask", "labels"))
    inputs = from_released_ids(model.config, ids, mask, labels)
    return {name: value.to(model.device) for name, value in inputs.items()}


@pytest.mark.parametrize("clip", ["v0", "v1", "v2"])
def test_video_tower_and_projection(model, clip):
    states = model.model.video_tower(pixels(clip).to(model.device), num_layers=model.config.vision_layers_run)
    close(states[0], f"video_tower/{clip}")
    close(model.get_video_features(pixels(clip).to(model.device))[0], tensor(f"mm_projector/{clip}").flatten(0, 1))


@pytest.mark.parametrize("layer", range(5))
def test_every_hidden_state_of_the_video_tower(model, layer):
    close(
        model.model.video_tower(pixels("v0").to(model.device), num_layers=layer)[0], f"video_hidden_states/v0/{layer}"
    )


@pytest.mark.parametrize(("sound", "stored", "step"), [("a0", "a0", 1), ("a1", "a1_every4", 4), ("a2", "a2_every4", 4)])
def test_audio_tower(model, sound, stored, step):
    close(
        model.model.audio_tower(mel(sound).to(model.device)).last_hidden_state[0, ::step],
        f"whisper_last_hidden_state/{stored}",
    )


@pytest.mark.parametrize("sound", ["a0", "a1", "a2", "zeros"])
def test_speech_projection(model, sound):
    features = torch.zeros(1, 128, 3000) if sound == "zeros" else mel(sound)
    projected = model.get_audio_features(features.to(model.device))
    assert projected.shape[1] == model.config.audio_tokens == 88
    close(projected[0], f"speech_projector/{sound}")


def test_speech_projector_with_several_queries_and_overlapping_windows():
    """Also the only place where the Q-Former's self-attention can be seen: one query attends to nothing but itself."""
    stored = np.load(DATA / "frontend" / "qformer_multi_query.npz")
    queries, window, stride, window_states, stride_states = stored["config_q_window_stride_kernelframes_strideframes"]
    weights = {key.removeprefix("weights/"): stored[key] for key in stored if key.startswith("weights/")}
    renamed = rename({f"model.speech_projector.{key}": key for key in weights}, CHECKPOINT_RULES, Path("stored"))
    config = AvereQFormerConfig(
        hidden_size=36, num_attention_heads=3, intermediate_size=72, encoder_hidden_size=24, output_hidden_size=40,
        num_query_tokens=int(queries), window_seconds=window, stride_seconds=stride,
    )  # fmt: skip
    projector = AvereSpeechProjector(config).eval().requires_grad_(False)
    prefix = len("model.audio_projector.")
    projector.load_state_dict({key[prefix:]: torch.from_numpy(weights[old]) for key, old in renamed.items()})
    assert (config.window_states, config.stride_states) == (window_states, stride_states) == (25, 12)
    close(projector(torch.from_numpy(stored["input"])), torch.from_numpy(stored["output"]))


@pytest.mark.parametrize("case", META["cases"])
def test_merging(model, case):
    inputs = released_ids(model, case)
    attended = tensor(f"{case}/attention_mask")
    assert inputs["input_ids"].shape == attended.shape
    assert torch.equal(inputs["attention_mask"].bool().cpu(), attended)
    assert torch.equal(inputs["labels"].cpu(), tensor(f"{case}/labels"))
    given = media(model, META["cases"][case]["videos"], META["cases"][case]["audios"])
    towers = {"pixel_values_videos": model.get_video_features, "input_features": model.get_audio_features}
    video, audio = (tower(given[name]) if name in given else None for name, tower in towers.items())
    merged = model.model.merge(inputs["input_ids"], video, audio)
    close(merged.cpu()[attended], tensor(f"{case}/inputs_embeds")[attended])


@pytest.mark.parametrize("case", META["cases"])
@pytest.mark.parametrize("positions", ["counted", "given"])
def test_logits_and_label_log_probabilities(model, case, positions):
    inputs = released_ids(model, case)
    if positions == "given":
        inputs["position_ids"] = tensor(f"{case}/position_ids").to(model.device)
    output = model(**inputs, **media(model, META["cases"][case]["videos"], META["cases"][case]["audios"]))
    logits, labels = output.logits.cpu(), inputs["labels"].cpu()
    assert logits.shape == tuple(EXPECTED[f"{case}/logits_shape"])
    rows, columns = tensor(f"{case}/logits_index").unbind(1)
    attended = inputs["attention_mask"].cpu().bool()[rows, columns]
    assert attended.any()
    close(logits[rows, columns][attended], tensor(f"{case}/logits_rows")[attended])
    close(output.loss, f"{case}/loss")
    targets = labels[:, 1:]
    logps = logits[:, :-1].log_softmax(-1).gather(-1, targets.clamp(min=0)[..., None])[..., 0]
    logps = logps.masked_fill(targets == -100, 0.0)
    close(logps, f"{case}/token_logprob")
    close(logps.sum(1), f"{case}/sum_logprob")
    assert torch.equal((targets != -100).sum(1), tensor(f"{case}/n_label_tokens"))


def test_all_logits_of_the_single_sample(model):
    close(model(**released_ids(model, "av_single"), **media(model, ["v0"], ["a0"])).logits, "av_single/logits")


@pytest.mark.parametrize("case", META["gen"])
class TestGeneration:
    def prompt(self, model, processor, case):
        stored = META["gen"][case]
        ids = {name: value.to(model.device) for name, value in processor([stored["prompt"]]).items()}
        return ids | media(model, [stored["video"]], [stored["audio"]])

    def test_prompt_ids(self, model, processor, case):
        ids = torch.tensor([processor.encode_prompt(META["gen"][case]["prompt"])])
        expanded = from_released_ids(model.config, tensor(f"{case}/input_ids", INPUTS))
        assert torch.equal(ids, expanded["input_ids"])

    @pytest.mark.parametrize("use_cache", [True, False])
    def test_greedy_tokens_and_scores(self, model, processor, case, use_cache):
        output = model.generate(
            **self.prompt(model, processor, case), max_new_tokens=8, do_sample=False, use_cache=use_cache,
            output_logits=True, return_dict_in_generate=True,
        )  # fmt: skip
        new = output.sequences[:, -len(output.logits) :]
        assert torch.equal(new.cpu(), tensor(f"{case}/new_tokens"))
        close(torch.stack(output.logits, 1), f"{case}/step_scores")

    def test_greedy_tokens_without_eos(self, model, processor, case):
        new = model.generate(
            **self.prompt(model, processor, case), max_new_tokens=8, min_new_tokens=8, do_sample=False
        )[:, -8:]
        assert torch.equal(new.cpu(), tensor(f"{case}/new_tokens_min8"))


def test_prompt_is_the_released_one(processor):
    cases = {"gen_av_eval": (True, True), "gen_video_only": (True, False), "gen_audio_only": (False, True)}
    for case, (video, audio) in cases.items():
        wanted = META["gen"][case]["prompt"]
        question = wanted.rsplit("\n", 1)[1].removesuffix(" ASSISTANT:")
        assert processor.prompt(question, video=video, audio=audio) == wanted


def test_every_key_of_the_checkpoint_is_accounted_for():
    with safe_open(DATA / "dev" / "model.safetensors", "pt") as file:
        present = set(file.keys())
    listed = json.loads((DATA / "dev" / "checkpoint_keys.json").read_text())
    assert present <= set(listed["all_keys"])
    keys = {key: Reader(DATA, key, (), 0, lambda: None) for key in listed["all_keys"]}
    used = {reader.key for reader in rename(keys, CHECKPOINT_RULES, DATA).values()}
    unused = set(keys) - used
    towers = {key for key in unused if key.startswith(tuple(listed["unexpected_prefixes"]))}
    assert len(towers) == listed["n_unexpected"]
    assert all(key.endswith(("inv_freq", "position_ids")) for key in unused - towers)
