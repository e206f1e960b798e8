"""Packed = plain = the model's own forward pass on one sequence, in values and gradients, for every family."""

from dataclasses import replace

import pytest
import torch

from avem_train.backbones import loading
from avem_train.backbones.base import UnreadableMedium
from avem_train.data.negatives import Medium
from avem_train.data.responses import Response, Source
from avem_train.dpo import logprobs, model_inputs
from avem_train.dpo.adapters import with_lora
from avem_train.dpo.settings import Lora
from avem_train.objectives import PreferenceLogps, avem_dpo_loss
from avem_train.packing import attention, tree
from avem_train.packing.tree import Packing
from emorealm_tasks import media
from trained_families import BY_ADAPTER, CHATML

QUESTION = "Why is the person sad?"


@pytest.fixture(scope="module")
def clips(tmp_path_factory, make_clip):
    folder = tmp_path_factory.mktemp("clips")
    films = [{"seconds": 0.8 + 0.4 * n, "tone": 300.0 * (n + 1), "level": 16 + 90 * n} for n in range(2)]
    return [str(make_clip(folder / f"{n}.mp4", **film)) for n, film in enumerate(films)]


@pytest.fixture(params=BY_ADAPTER, scope="module")
def backbone(request, tiny_base):
    loaded = loading.load(tiny_base(request.param), torch.device("cpu"), torch.float32, 1 << 26)
    yield loaded
    loaded.close()


@pytest.fixture(scope="module")
def own(backbone, clips):
    """Number of a clip -> its media that the family takes."""
    kinds = loading.family(backbone.folder).media
    return lambda number=0: tuple(Source(kind, clips[number]) for kind in kinds)


def matrices(backbone):
    """How many matrices fresh adapters have."""
    layers = backbone.model.config.get_text_config().num_hidden_layers
    return 2 * len(loading.family(backbone.folder).adapted) * layers


@pytest.fixture
def responses(own):
    """As a batch of two records asks for them: shared prompts, noise, another clip, of one medium too, none, one."""
    asked = [Response(own(), QUESTION, text) for text in ("A hat", "A hat and tears", "laughter")]
    noise = tuple(source._replace(noise=Medium("random", seed=3)) for source in own()[:1])
    media = [(*noise, *own()[1:]), own(1), ()]
    if len(own()) == 2:
        media += [(own()[0], own(1)[1]), (own(1)[0], own()[1]), own()[:1], own()[1:]]
    return [*asked, *(Response(sources, QUESTION, "A hat") for sources in media), asked[0]]


PLAIN = Packing(share=False)
PACKED = pytest.mark.parametrize("packing", [Packing(), Packing(row_tokens=4000), Packing(False, 4000)])


@PACKED
def test_packed_equals_plain(backbone, responses, packing):
    with torch.no_grad():
        packed, plain = (
            logprobs.score(backbone.model, backbone, responses, way, watch=(5, 6)) for way in (packing, PLAIN)
        )
    torch.testing.assert_close(packed.total, plain.total, atol=2e-5, rtol=1e-5)
    torch.testing.assert_close(packed.watched, plain.watched, atol=1e-5, rtol=1e-5)
    assert packed.total[0] == packed.total[-1]
    assert len({round(value, 4) for value in packed.total.tolist()}) == len(packed.total) - 1


@pytest.fixture
def adapted(backbone):
    """The model with adapters that change it, so that every one of their matrices has a gradient."""
    torch.manual_seed(0)
    model = with_lora(Lora(), backbone)
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.05)
    yield model
    model.unload()


@PACKED
def test_packed_gives_the_loss_and_the_gradients_of_plain(backbone, adapted, own, packing):
    """AVEm-DPO's loss of two records; of every adapter matrix, to 1e-5 of its gradient's norm, in float32."""
    said = ("A hat", "A hat and tears", "laughter")
    swapped = (*own()[:-1], own(1)[-1])
    other = Response(swapped, QUESTION, "A hat"), Response(own(), "How?", "A hat")
    asked = [
        [*(Response(own(number), text, response) for response in said), other[number]]
        for number, text in enumerate((QUESTION, "How?"))
    ]
    flat = [response for of_record in asked for response in of_record]
    blind = [replace(response, sources=()) for of_record in asked for response in of_record[:3]]

    def step(way):
        def scored(of, shape):
            return logprobs.score(adapted, backbone, of, way).total.view(2, shape).unbind(1)

        with torch.no_grad(), adapted.disable_adapter():
            reference, text = PreferenceLogps(*scored(flat, 4)), PreferenceLogps(*scored(blind, 3))
        loss, _ = avem_dpo_loss(PreferenceLogps(*scored(flat, 4)), reference, text)
        trained = {name: p for name, p in adapted.named_parameters() if p.requires_grad}
        gradients = torch.autograd.grad(loss.mean(), list(trained.values()))
        return loss, dict(zip(trained, gradients, strict=True))

    (packed, ours), (plain, theirs) = step(packing), step(PLAIN)
    torch.testing.assert_close(packed, plain, atol=1e-5, rtol=0)
    assert len(ours) == matrices(backbone)
    for name, gradient in theirs.items():
        assert gradient.norm() > 1e-6, name
        assert (ours[name] - gradient).norm() <= 1e-5 * gradient.norm(), name


def test_the_prefix_needs_no_mask(backbone, responses):
    """Values with the split attention are those with the whole mask, and it is used."""
    asked = responses[:4]
    with torch.no_grad():
        split = logprobs.score(backbone.model, backbone, asked).total
        sequences = model_inputs.sequences(backbone, asked)
        rows = tree.rows(sequences.tokens)
        prefix = tree.prefix_length(rows, max(len(row.tokens) for row in rows))
        assert model_inputs.of_rows(backbone.model, rows, sequences).causal_until == prefix > 10
        attention.remove(backbone.model.get_decoder())
        try:
            assert model_inputs.of_rows(backbone.model, rows, sequences).causal_until is None
            whole = logprobs.score(backbone.model, backbone, asked).total
        finally:
            attention.install(backbone.model.get_decoder())
    torch.testing.assert_close(split, whole, atol=2e-5, rtol=1e-5)


def test_trees_side_by_side_are_attended_one_by_one(backbone, responses):
    """Their values are those with one mask over the whole row, and none is made of what they do not see."""
    asked = list(dict.fromkeys(responses))
    with torch.no_grad():
        alone = logprobs.score(backbone.model, backbone, asked, Packing(row_tokens=8000)).total
        inputs = model_inputs.of_responses(backbone, asked, Packing(row_tokens=8000))
        assert len(inputs.trees) == len(inputs.tree_sizes) > len(inputs.ids)
        assert inputs.allowed.numel() == 0
        attention.remove(backbone.model.get_decoder())
        try:
            assert not model_inputs.of_responses(backbone, asked, Packing(row_tokens=8000)).trees
            whole = logprobs.score(backbone.model, backbone, asked, Packing(row_tokens=8000)).total
        finally:
            attention.install(backbone.model.get_decoder())
    torch.testing.assert_close(alone, whole, atol=2e-5, rtol=1e-5)


def test_every_medium_counts_and_noise_too(backbone, responses):
    with torch.no_grad():
        total = logprobs.score(backbone.model, backbone, responses).total
    for other in range(3, len(responses) - 1):
        assert (total[0] - total[other]).abs() > 1e-4


@pytest.mark.parametrize("backbone", [name for name in BY_ADAPTER if name not in CHATML], indirect=True)
def test_equals_the_models_own_forward(backbone, clips, own):
    response = Response(own(), QUESTION, "A hat")
    with torch.no_grad():
        ours = logprobs.score(backbone.model, backbone, [response], watch=tuple(backbone.response("A hat")[:1]))
        backbone.close()
        try:
            ids, made = native(backbone, clips[0], backbone.response("A hat"))
            logps = backbone.model(**made).logits[0].log_softmax(-1)
        finally:
            backbone.__init__(backbone.model, backbone.processor, backbone.folder, 1 << 26)
    theirs = logps[-len(ids) - 1 : -1].gather(-1, torch.tensor(ids)[:, None])[:, 0]
    torch.testing.assert_close(ours.total[0], theirs.sum(), atol=2e-5, rtol=1e-5)
    torch.testing.assert_close(ours.watched[0, 0], theirs[0], atol=1e-5, rtol=1e-5)


def native(backbone, clip, response):
    """The processor's own inputs for one prompt, and the response behind it; of others test_trained_answering.py."""
    processor, wave = backbone.processor, media.read_audio(clip)
    if type(backbone).__name__ == "AvereBackbone":
        frames, _ = media.read_frames(clip, processor.config.vision_config.num_frames)
        made = processor(processor.prompt(QUESTION, video=True, audio=True), [frames], [wave])
    elif type(backbone).__name__.startswith("EmotionLlama"):
        frames, _ = media.read_frames(clip, 1)
        made = processor(processor.prompt(QUESTION, True, "reason"), [frames], [wave])
    more = torch.tensor([response])
    made["input_ids"] = torch.cat([made["input_ids"], more], 1)
    made["attention_mask"] = torch.ones_like(made["input_ids"])
    return response, made


def test_adapters_sit_on_the_language_model_alone(backbone):
    backbone.close()
    adapted = with_lora(Lora(), backbone)
    names = {name for name, parameter in adapted.named_parameters() if parameter.requires_grad}
    adapted.unload()
    backbone.__init__(backbone.model, backbone.processor, backbone.folder, 1 << 26)
    assert not any("visual" in name or "tower" in name or "projector" in name for name in names)
    assert len(names) == matrices(backbone)


@pytest.mark.parametrize("backbone", ["qwen3_omni_av"], indirect=True)
def test_experts_are_not_adapted(backbone, capsys):
    """PEFT would adapt all of them, and encoders with layers of the same names."""
    with pytest.raises(SystemExit):
        with_lora(Lora(targets=["q_proj", "down_proj"]), backbone)
    assert "lora.targets: down_proj of this model cannot be adapted" in capsys.readouterr().err


def test_encoders_leave_and_come_back(backbone):
    before = set(backbone.model.state_dict())
    language_model = backbone.model.get_decoder()
    assert attention.installed(language_model)
    backbone.close()
    whole = set(backbone.model.state_dict())
    assert not attention.installed(language_model)
    backbone.__init__(backbone.model, backbone.processor, backbone.folder, 1 << 26)
    assert before < whole
    assert set(backbone.model.state_dict()) == before


def test_an_unreadable_medium_is_named(backbone, tmp_path):
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"nothing")
    with pytest.raises(UnreadableMedium, match=r"broken\.mp4"):
        backbone.encode([(Source(loading.family(backbone.folder).media[0], str(broken)),)])
