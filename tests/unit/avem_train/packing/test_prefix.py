import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from avem_train.packing.prefix import IGNORE, branch_loss, branch_mask, collate, pack

ids = st.lists(st.integers(3, 40), min_size=1, max_size=6)


@st.composite
def conversations(draw):
    shared = draw(st.lists(st.integers(3, 40), max_size=8))
    count = draw(st.integers(1, 4))
    return [shared + draw(ids) for _ in range(count)], [draw(ids) for _ in range(count)]


@given(conversations())
def test_a_packed_sequence_holds_every_conversation(conversation):
    prompts, responses = conversation
    packed = pack(prompts, responses)
    for number, (prompt, response) in enumerate(zip(prompts, responses, strict=True), 1):
        seen = [i for i, branch in enumerate(packed.branch) if branch in (0, number)]
        assert [packed.ids[i] for i in seen] == prompt + response
        assert [packed.positions[i] for i in seen] == list(range(len(prompt) + len(response)))
        labelled = [packed.labels[i] for i in seen if packed.labels[i] != IGNORE]
        assert labelled == response


def test_labels_of_its_own_replace_the_response():
    packed = pack([[1, 4], [1, 5]], [[6, 7, 2], [8, 2]], [[IGNORE, 7, IGNORE], [8, 2]])
    assert packed.ids == [1, 4, 6, 7, 2, 5, 8, 2]
    assert packed.labels == [IGNORE, IGNORE, IGNORE, 7, IGNORE, IGNORE, 8, 2]


@given(conversations())
def test_no_branch_sees_another(conversation):
    packed = pack(*conversation)
    open_ = branch_mask(torch.tensor([packed.branch]), torch.float32)[0, 0] == 0
    for i, own in enumerate(packed.branch):
        for j, other in enumerate(packed.branch):
            assert bool(open_[i, j]) == (j <= i and other in (0, own))


def test_the_packed_loss_is_the_mean_of_the_separate_ones(tiny_packing_model, device):
    model = copy.deepcopy(tiny_packing_model).to(device)
    torch.manual_seed(0)
    groups = [([[1, 5, 6, 7, 8], [1, 5, 6, 9]], [[10, 2], [11, 12, 13, 2]]), ([[1, 20, 21]], [[22, 23, 2]])]
    batch = {name: value.to(device) for name, value in collate([pack(*group) for group in groups], pad_id=0).items()}
    inputs = {name: batch[name] for name in ("input_ids", "position_ids", "attention_mask")}
    together = branch_loss(model(**inputs).logits, batch["labels"], batch["branch"])
    apart = []
    for prompts, responses in groups:
        for prompt, response in zip(prompts, responses, strict=True):
            labels = torch.tensor([[IGNORE] * len(prompt) + response], device=device)
            apart.append(model(input_ids=torch.tensor([prompt + response], device=device), labels=labels).loss)
    torch.testing.assert_close(together, torch.stack(apart).mean(), atol=1e-5, rtol=0)
    ours = torch.autograd.grad(together, model.lm_head.weight)[0]
    theirs = torch.autograd.grad(torch.stack(apart).mean(), model.lm_head.weight)[0]
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=0)


@pytest.fixture(scope="module")
def tiny_packing_model():
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(1)
    sizes = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = LlamaConfig(vocab_size=48, **sizes)
    return LlamaForCausalLM(config).eval()


@given(length=st.integers(2, 9))
@settings(max_examples=10)
def test_padding_changes_nothing(length):
    torch.manual_seed(length)
    short, long = pack([[1, 4, 5]], [[6, 2]]), pack([[1] * length], [[7, 8, 2]])
    alone, padded = collate([short], 0), collate([short, long], 0)
    logits = torch.randn(2, padded["labels"].shape[1], 16)
    size = alone["labels"].shape[1]
    first = branch_loss(logits[:1, :size], alone["labels"], alone["branch"])
    both = branch_loss(logits, padded["labels"], padded["branch"])
    second = branch_loss(logits[1:], padded["labels"][1:], padded["branch"][1:])
    torch.testing.assert_close(both, (first + second) / 2)


def test_nothing_to_pack_is_refused():
    with pytest.raises(ValueError, match="none of them empty"):
        pack([[1, 2]], [[]])
    with pytest.raises(ValueError, match="as many responses"):
        pack([], [])
