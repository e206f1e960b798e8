"""What a layer keeps for the backward pass, estimated and measured, in layers proportioned as 7-billion models."""

import pytest
import torch
from peft import LoraConfig, get_peft_model
from peft.helpers import disable_input_dtype_casting
from transformers import AutoModelForCausalLM, LlamaConfig, Qwen2Config

from avem_train.backbones.lora_targets import LINEARS
from avem_train.dpo import memory_estimate
from avem_train.packing import attention, tree

RANK, TOKENS, TRUNK = 8, 96, 72
SHAPES = {
    "vicuna": (LlamaConfig, {"hidden_size": 256, "intermediate_size": 688, "num_attention_heads": 8}),
    "qwen2.5": (
        Qwen2Config,
        {"hidden_size": 224, "intermediate_size": 1184, "num_attention_heads": 14, "num_key_value_heads": 2},
    ),
}


def saved(config, dtype, mixed, branched, casts=False, side_by_side=False):
    """Bytes that a forward pass keeps beside the parameters and the mask that is handed in."""
    model = AutoModelForCausalLM.from_config(config).to(dtype).requires_grad_(False)
    attention.install(model.get_decoder())
    model = get_peft_model(model, LoraConfig(r=RANK, target_modules=LINEARS))
    given = {"input_ids": torch.randint(0, 16, (1, TOKENS)), "use_cache": False}
    seen = torch.ones(TOKENS, TOKENS, dtype=torch.bool).tril()
    mask = torch.zeros(1, 1, TOKENS, TOKENS, dtype=dtype).masked_fill_(~seen, torch.finfo(dtype).min)
    prefix = TRUNK if branched else TOKENS
    given |= {"attention_mask": mask[:, :, prefix:], "causal_until": prefix}
    if side_by_side:
        given |= {
            "trees": [
                attention.Tree(0, tree.Extent(*one), None) for one in ((0, TRUNK, TRUNK), (TRUNK, TOKENS, TOKENS))
            ]
        }
    kept = {}

    def keep(tensor):
        kept[tensor.untyped_storage().data_ptr()] = tensor
        return tensor

    hooks = torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor)
    no_casts = disable_input_dtype_casting(model, mixed and not casts)
    with hooks, no_casts, torch.autocast("cpu", torch.bfloat16, enabled=mixed):
        model(**given)
    for tensor in (*model.parameters(), *(value for value in given.values() if isinstance(value, torch.Tensor))):
        kept.pop(tensor.untyped_storage().data_ptr(), None)
    return sum(tensor.untyped_storage().nbytes() for tensor in kept.values())


@pytest.mark.parametrize("branched", [False, True])
@pytest.mark.parametrize(("dtype", "mixed"), [("float32", False), ("float32", True), ("bfloat16", True)])
@pytest.mark.parametrize("shape", SHAPES)
def test_what_a_layer_keeps_is_estimated_within_a_tenth(shape, dtype, mixed, branched):
    made, sizes = SHAPES[shape]
    one, two = (made(vocab_size=16, num_hidden_layers=count, **sizes) for count in (1, 2))
    measured = saved(two, getattr(torch, dtype), mixed, branched) - saved(one, getattr(torch, dtype), mixed, branched)
    running = memory_estimate.ComputeOptions(
        RANK, half=mixed, half_weights=dtype == "bfloat16", on_cpu=True, checkpointing=False
    )
    batch = memory_estimate.Batch(1, TOKENS, 0, (TOKENS - TRUNK) * TOKENS if branched else 0, branched)
    assert memory_estimate.layers(one, batch, running) / measured == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize(("dtype", "mixed"), [("float32", False), ("float32", True), ("bfloat16", True)])
@pytest.mark.parametrize("shape", SHAPES)
def test_of_trees_side_by_side_too(shape, dtype, mixed):
    made, sizes = SHAPES[shape]
    one, two = (made(vocab_size=16, num_hidden_layers=count, **sizes) for count in (1, 2))
    more, less = (saved(config, getattr(torch, dtype), mixed, False, side_by_side=True) for config in (two, one))
    running = memory_estimate.ComputeOptions(
        RANK, half=mixed, half_weights=dtype == "bfloat16", on_cpu=True, checkpointing=False
    )
    batch = memory_estimate.Batch(1, TOKENS, 0, in_parts=True)
    assert memory_estimate.layers(one, batch, running) / (more - less) == pytest.approx(1, abs=0.1)


def test_checkpointing_keeps_the_inputs_of_all_layers_and_the_rest_of_one():
    made, sizes = SHAPES["qwen2.5"]
    config = made(vocab_size=16, num_hidden_layers=28, **sizes)
    batch = memory_estimate.Batch(2, TOKENS, places=0)
    whole, less = (
        memory_estimate.layers(config, batch, memory_estimate.ComputeOptions(RANK, True, True, False, on))
        for on in (False, True)
    )
    assert less == whole // 28 + 28 * 2 * TOKENS * config.hidden_size * 2


def test_without_casts_the_loss_and_the_gradients_are_the_same_to_the_bit_and_less_is_kept():
    """As training disables them: queries, keys and values share their input, and so do gate and up."""
    made, sizes = SHAPES["vicuna"]
    one, two = (made(vocab_size=16, num_hidden_layers=count, **sizes) for count in (1, 2))
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(two).to(torch.bfloat16).requires_grad_(False)
    model = get_peft_model(model, LoraConfig(r=RANK, target_modules=LINEARS, init_lora_weights=False))
    ids = torch.randint(0, 16, (2, TOKENS))
    results = []
    for casts in (True, False):
        model.zero_grad()
        with disable_input_dtype_casting(model, not casts), torch.autocast("cpu", torch.bfloat16):
            loss = model(input_ids=ids, labels=ids).loss
        loss.backward()
        results.append([loss.detach(), *(p.grad.clone() for p in model.parameters() if p.grad is not None)])
    assert len(results[0]) == 1 + 2 * 2 * memory_estimate._LINEARS
    assert all(torch.equal(one, other) for one, other in zip(*results, strict=True))
    kept = [saved(two, torch.bfloat16, True, False, casts) - saved(one, torch.bfloat16, True, False, casts)
            for casts in (True, False)]  # fmt: skip
    print(
        "bytes a token and layer",
        kept[0] / TOKENS,
        kept[1] / TOKENS,
        (kept[0] - kept[1]) / TOKENS / sizes["hidden_size"],
    )
    assert kept[0] - kept[1] == 2 * 3 * sizes["hidden_size"] * TOKENS
