"""A model that was trained is asked by the harness as training asked it: the same ids, positions and values."""

import json
import shutil
from dataclasses import asdict
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from avem_train.backbones import loading
from avem_train.backbones.chatml import ANSWERING
from avem_train.data.responses import Response, Source
from avem_train.dpo import logprobs
from chat_requests import requests_for
from model_adapters.in_process.audio_visual import Qwen25OmniAV
from trained_families import CHATML, adapter_class

QUESTION = "Does <b>he</b> cry?\nA. Yes"
KINDS = {"both": "va", "video": "v", "sound": "a", "blind": ""}


@pytest.fixture(scope="module")
def films(make_clip, tmp_path_factory):
    """From shorter than four frames at two a second to longer than sixteen, with sizes that are rounded."""
    folder = tmp_path_factory.mktemp("films")
    lengths = ((0.7, 96), (3.4, 120), (10.0, 64))
    return [str(make_clip(folder / f"{seconds}.mp4", seconds=seconds, size=size)) for seconds, size in lengths]


@pytest.fixture(scope="module", params=CHATML)
def training(request, tiny_base, tmp_path_factory):
    """A model whose folder says how it was trained."""
    folder = shutil.copytree(tiny_base(request.param), tmp_path_factory.mktemp("trained") / request.param)
    loaded = loading.load(folder, torch.device("cpu"), torch.float32, 1 << 26)
    if loaded.answering:
        (folder / "training.json").write_text(json.dumps({"answering": dict(loaded.answering)}))
    yield loaded
    loaded.close()


@pytest.fixture(scope="module")
def harness(training):
    return adapter_class(loading.evaluated_by(training.folder))(pretrained=str(training.folder), device="cpu")


def asked_of_both(harness, training, film, kind):
    """A question as the harness puts it, and its sources for the training, encoded."""
    doc = (QUESTION, film if "v" in kind else None, film if "a" in kind else None)
    asked = harness.read_request(requests_for(harness, [doc])[0])
    inputs = harness.batch([harness.inputs(asked.question, asked.clip)[0]])
    sources = tuple(Source(medium.kind, medium.path) for medium in asked.clip.media)
    training.encode([sources])
    return inputs, harness.forward_settings(asked.clip), sources


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS.keys())
def test_ids_and_positions_of_a_prompt_are_the_harnesss(harness, training, films, kind):
    lengths = set()
    for film in films:
        inputs, told, sources = asked_of_both(harness, training, film, kind)
        prompt = training.prompt(QUESTION, sources)
        assert [token.id for token in prompt.tokens] == inputs["input_ids"][0].tolist()
        positions = positions_in(harness.model, inputs | told)
        assert [[token.position for token in prompt.tokens], [prompt.next]] == positions
        lengths.add(len(prompt.tokens))
    assert len(lengths) == (3 if sources else 1)


def positions_in(model, inputs):
    """The positions that the language model is called with in generation: of the prompt, and of the first answer."""
    seen = []

    def note(_module, _args, given):
        of_row = given["position_ids"][..., 0, :]
        triples = [tuple(triple) for triple in of_row[-3:].T.tolist()] if of_row.ndim > 1 else of_row.tolist()
        seen.append(triples)

    handle = model.get_decoder().register_forward_pre_hook(note, with_kwargs=True)
    try:
        model.generate(**inputs, max_new_tokens=2, do_sample=False, eos_token_id=None)
    finally:
        handle.remove()
    prompt, (first,) = seen
    return [prompt, [max(first) if isinstance(first, tuple) else first]]


def test_a_reply_has_the_probability_that_the_harness_gives_it(harness, training, films):
    response = training.response("Yes, tears.")
    inputs, told, sources = asked_of_both(harness, training, films[1], "va")
    with torch.no_grad():
        ours = logprobs.score(training.model, training, [Response(sources, QUESTION, "Yes, tears.")]).total[0]
        known = {"input_ids": torch.cat([inputs["input_ids"], torch.tensor([response])], 1)}
        known["attention_mask"] = torch.ones_like(known["input_ids"])
        if "mm_token_type_ids" in inputs:
            behind = torch.zeros(1, len(response), dtype=torch.int)
            known["mm_token_type_ids"] = torch.cat([inputs["mm_token_type_ids"], behind], 1)
        logps = harness.model(**inputs | told | known).logits[0].log_softmax(-1)
    theirs = logps[-len(response) - 1 : -1].gather(-1, torch.tensor(response)[:, None]).sum()
    torch.testing.assert_close(ours, theirs, atol=2e-5, rtol=1e-5)


@pytest.fixture(scope="module")
def trained(tiny_omni, tmp_path_factory):
    """The folder of a whole model that says how it was trained."""
    folder = shutil.copytree(tiny_omni, tmp_path_factory.mktemp("trained") / "out")
    (folder / "training.json").write_text(json.dumps({"answering": asdict(ANSWERING)}))
    return folder


def test_what_the_folder_says_is_followed_and_said_once_and_arguments_win(trained, tiny_omni, log):
    as_trained = Qwen25OmniAV(pretrained=str(trained), device="cpu")
    sampling = as_trained.reader.sampling
    assert (as_trained.interleave, sampling.fps, sampling.most, sampling.least) == (False, 2.0, 16, 4)
    (line,) = [line for line in log if "as it was trained" in line]
    assert "interleave=False, fps=2.0, frames=16, least=4" in line
    asked = Qwen25OmniAV(pretrained=str(trained), device="cpu", interleave=True, frames=64)
    assert (asked.interleave, asked.reader.sampling.most) == (True, 64)
    untrained = Qwen25OmniAV(pretrained=str(tiny_omni), device="cpu")
    assert (untrained.trained, untrained.interleave, untrained.reader.sampling.most) == (None, True, 768)


@pytest.mark.parametrize(
    ("written", "said"),
    [('{"answering": {"interleave": false, "eyes": 2}}', "cannot be followed"), ("[1]", "it is no JSON object")],
)
def test_a_record_that_cannot_be_followed_stops(written, said, tmp_path, capsys):
    (tmp_path / "training.json").write_text(written)
    with pytest.raises(SystemExit):
        Qwen25OmniAV(pretrained=str(tmp_path), device="cpu")
    assert said in capsys.readouterr().err


def test_weights_under_names_of_another_layout_are_refused(tiny_omni, tmp_path, capsys):
    folder = Path(shutil.copytree(tiny_omni, tmp_path / "renamed"))
    weights = load_file(folder / "model.safetensors")
    renamed = {f"other.{name}": tensor for name, tensor in weights.items()}
    save_file(renamed, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(SystemExit) as left:
        Qwen25OmniAV(pretrained=str(folder), device="cpu")
    assert left.value.code == 2
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("emorealm: ")]
    assert "renamed cannot be used: it lacks " in line
    assert "is there instead: are its names those of another layout?" in line
