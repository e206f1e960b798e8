"""Emotion-LLaMA's released files in miniature: the released names, tiny shapes, weights that numpy draws.

`tests/official/emotion_llama_numbers.py` runs the released code on the same files, in another environment: plain
numpy and torch, so that both get the same weights.
"""

import json
import shutil
from pathlib import Path

import numpy as np
import torch

SIDE, PATCH, WIDTH, HEADS, MLP, DEPTH = 56, 14, 32, 2, 48, 2
HIDDEN, RANK, LAYERS, FEATURE, VOCABULARY = 16, 4, 2, 24, 384
AUDIO, FUSION = 12, (20, 8, 16)
TOKENIZER = Path(__file__).parents[1] / "golden" / "data" / "avere_dev" / "dev"
LLAMA = {
    "model_type": "llama", "architectures": ["LlamaForCausalLM"], "hidden_size": HIDDEN, "intermediate_size": 24,
    "num_hidden_layers": LAYERS, "num_attention_heads": 2, "num_key_value_heads": 2, "vocab_size": VOCABULARY,
    "rms_norm_eps": 1e-5, "max_position_embeddings": 4096, "hidden_act": "silu", "tie_word_embeddings": False,
    "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0,
}  # fmt: skip

HUBERT = {
    "num_hidden_layers": 1, "num_attention_heads": 2, "feat_extract_norm": "layer", "conv_bias": True,
    "do_stable_layer_norm": True, "hidden_size": FEATURE, "conv_dim": (8,) * 7, "intermediate_size": 16,
    "num_conv_pos_embeddings": 8, "num_conv_pos_embedding_groups": 2,
}  # fmt: skip


class Drawn:
    """Tensors from a seed, in the order in which they are asked for."""

    def __init__(self, seed):
        self.random = np.random.RandomState(seed)

    def __call__(self, *shape, scale=0.3):
        return torch.from_numpy((scale * self.random.standard_normal(shape)).astype(np.float32))

    def linear(self, name, out, size_in):
        return {f"{name}.weight": self(out, size_in), f"{name}.bias": self(out)}

    def norm(self, name, size):
        return {f"{name}.weight": 1 + self(size), f"{name}.bias": self(size)}


def eva(drawn, blocks=DEPTH + 1):
    """A file with one block more than the image's tower uses, positions for half the side, a norm and a head."""
    state = {"cls_token": drawn(1, 1, WIDTH), "pos_embed": drawn(1, (SIDE // PATCH // 2) ** 2 + 1, WIDTH)}
    state |= {
        "patch_embed.proj.weight": drawn(WIDTH, 3, PATCH, PATCH, scale=0.05),
        "patch_embed.proj.bias": drawn(WIDTH),
    }
    for number in range(blocks):
        name = f"blocks.{number}"
        state |= drawn.norm(f"{name}.norm1", WIDTH) | drawn.norm(f"{name}.norm2", WIDTH)
        state |= {f"{name}.attn.{part}_bias": drawn(WIDTH) for part in "qv"}
        state |= {f"{name}.attn.qkv.weight": drawn(3 * WIDTH, WIDTH)}
        state |= drawn.linear(f"{name}.attn.proj", WIDTH, WIDTH)
        state |= drawn.linear(f"{name}.mlp.fc1", MLP, WIDTH) | drawn.linear(f"{name}.mlp.fc2", WIDTH, MLP)
    return state | drawn.norm("norm", WIDTH) | drawn.linear("head", 5, WIDTH)


def llama(drawn):
    state = {"model.embed_tokens.weight": drawn(VOCABULARY, HIDDEN, scale=1.0)}
    for number in range(LAYERS):
        name = f"model.layers.{number}"
        state |= {f"{name}.self_attn.{part}_proj.weight": drawn(HIDDEN, HIDDEN) for part in "qkvo"}
        state |= {f"{name}.mlp.{part}_proj.weight": drawn(24, HIDDEN) for part in ("gate", "up")}
        state |= {f"{name}.mlp.down_proj.weight": drawn(HIDDEN, 24)}
        state |= {f"{name}.{norm}_layernorm.weight": 1 + drawn(HIDDEN) for norm in ("input", "post_attention")}
    return state | {"model.norm.weight": 1 + drawn(HIDDEN), "lm_head.weight": drawn(VOCABULARY, HIDDEN)}


def trained(drawn, version, spelling=""):
    """The checkpoint's entry `model`; `spelling` is `.default` for a later peft."""
    state = {}
    for number in range(LAYERS):
        layer = f"llama_model.base_model.model.model.layers.{number}.self_attn"
        state[f"{layer}.rotary_emb.inv_freq"] = 10000.0 ** -torch.arange(0, 1, 4 / HIDDEN)
        for part in "qv":
            state[f"{layer}.{part}_proj.lora_A{spelling}.weight"] = drawn(RANK, HIDDEN)
            state[f"{layer}.{part}_proj.lora_B{spelling}.weight"] = drawn(HIDDEN, RANK)
    state |= drawn.linear("llama_proj", HIDDEN, 4 * WIDTH)
    if version == 1:
        for number in (1, 2, 3):
            state |= drawn.linear(f"feats_llama_proj{number}", HIDDEN, FEATURE)
        return state | drawn.linear("cls_tk_llama_proj", HIDDEN, WIDTH) | drawn.linear("attention.fc_att", 7, 128)
    first, width, output = FUSION
    state |= drawn.linear("llama_proj_video", HIDDEN, WIDTH) | drawn.linear("llama_proj_audio", HIDDEN, AUDIO)
    state |= drawn.linear("llama_proj_fusion", HIDDEN, output)
    module = "conv_pro_module"
    for number, size in enumerate((AUDIO, WIDTH, WIDTH)):
        state |= drawn.linear(f"{module}.feats_prep.{number}.0", first, size)
        state |= drawn.linear(f"{module}.feats_prep.{number}.3", width, first)
    state |= drawn.linear(f"{module}.attention_mlp.0", first, 3 * width)
    state |= drawn.linear(f"{module}.attention_mlp.3", width, first) | drawn.linear(f"{module}.fc_att", 3, width)
    state |= {f"{module}.conv_entry.weight": drawn(width, 3 * width, 1), f"{module}.conv_entry.bias": drawn(width)}
    for number in range(4):
        name = f"{module}.conv_module.conv_blocks.{number}.conv_block.0"
        state |= {f"{name}.weight": drawn(width, width, 3), f"{name}.bias": drawn(width)}
    return state | drawn.linear(f"{module}.fc_final", output, width)


def write(folder, version=1, spelling=""):
    """`checkpoint.pth`, `eva_vit_g.pth` and `llama/` in `folder`, which is returned."""
    drawn, llama_folder = Drawn(version), folder / "llama"
    llama_folder.mkdir(parents=True)
    torch.save(eva(drawn), folder / "eva_vit_g.pth")
    torch.save(llama(drawn), llama_folder / "pytorch_model.bin")
    (llama_folder / "config.json").write_text(json.dumps(LLAMA))
    for name in ("tokenizer.model", "tokenizer_config.json"):
        shutil.copy(TOKENIZER / name, llama_folder / name)
    saved = {"model": trained(drawn, version, spelling), "optimizer": {}, "config": {"run": {"seed": 42}}, "epoch": 29}
    torch.save({**saved, "scaler": None}, folder / "checkpoint.pth")
    return folder


def sizes(version):
    """What tells the converter that everything is tiny."""
    tower = {"image_size": SIDE, "patch_size": PATCH, "hidden_size": WIDTH, "num_attention_heads": HEADS}
    vision = tower | {"intermediate_size": MLP, "num_hidden_layers": DEPTH}
    if version == 1:
        return {"vision_config": vision, "feature_size": FEATURE}
    video = vision | {"image_size": SIDE // 2, "num_hidden_layers": DEPTH + 1}
    return {"vision_config": vision, "video_config": video, "fusion_sizes": FUSION}
