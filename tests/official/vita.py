"""The worker `vita` on the code of tuannv-github/VITA, commit 8bed378, the fork of VITA-1.5 it was written against.

Environment that worked: Python 3.11, torch 2.15.0, torchvision 0.29.2, torchaudio 2.11.0, numpy 1.26.4, transformers
4.41.1, tokenizers 0.19.1, huggingface_hub 0.23.4, accelerate 0.30.1, timm 1.0.31, einops 0.8.2, decord 0.6.0, soundfile
0.14.0, pyyaml 6.0.3. No flash-attn: the picture's encoder falls back to its own plain attention.

The checkpoint has Qwen2, InternViT at 448 pixels, and the sound's encoder with the `train.yaml`, `global_cmvn` and
`final.pt` that the code reads; the keys of the first two are what the code asks for, as the released files could not be
seen. Stood in for: CUDA and half precision by the CPU and float32; `torchaudio.load`, which needs torchcodec by now, by
soundfile; xformers, which is imported for another picture encoder only, by an empty module.
"""

import json
import os
import sys
import types

import torch
import transformers
import yaml
from common import (
    CHECKOUT,
    FOLDER,
    examine,
    read_sound_by_soundfile,
    shipped_worker,
    stay_on_the_cpu,
    write_qwen_tokenizer,
)

WIDTH, SOUND_WIDTH, MELS = 64, 32, 80
PICTURE, SOUND = "InternViT-300M-448px", "audio-encoder"  # the first is told from other encoders by its name


def stand_in():
    stay_on_the_cpu()
    read_sound_by_soundfile()
    for name in ("xformers", "xformers.ops"):
        sys.modules[name] = types.ModuleType(name)


def write_picture_encoder():
    from vita.model.multimodal_encoder.internvit import modeling_intern_vit as internvit

    sizes = {"hidden_size": 32, "intermediate_size": 32, "num_attention_heads": 2, "num_hidden_layers": 2}
    kinds = {"norm_type": "layer_norm", "qk_normalization": False, "qkv_bias": True, "initializer_factor": 1.0}
    config = internvit.InternVisionConfig(image_size=448, patch_size=14, **sizes, **kinds)
    internvit.InternVisionModel(config).save_pretrained(PICTURE)
    side = {"height": 448, "width": 448}
    transformers.CLIPImageProcessor(size=side, crop_size=side).save_pretrained(PICTURE)


def write_sound_encoder():
    from vita.model.multimodal_encoder.whale.init_model import init_model

    os.mkdir(SOUND)
    frames = 1000
    with open(os.path.join(SOUND, "global_cmvn"), "w") as file:  # sums over frames, mean 10, variance 9
        json.dump({"mean_stat": [10.0 * frames] * MELS, "var_stat": [109.0 * frames] * MELS, "frame_num": frames}, file)
    subsampling = {"input-dim": MELS, "output-dim": SOUND_WIDTH, "rate": 4}
    transformer = {"input-dim": SOUND_WIDTH, "output-dim": SOUND_WIDTH, "attention-dim": SOUND_WIDTH, "num-blocks": 2}
    transformer.update({"linear-units": SOUND_WIDTH, "pos-enc-class": "rel-enc", "dynamic-chunks": False})
    parts = {"subsampling": subsampling, "transformer": transformer}
    overview = {"layer-config": "-".join(parts), "input-dim": MELS, "output-dim": SOUND_WIDTH}
    settings = {
        "input_dim": MELS,
        "is_json_cmvn": True,
        "encoder_conf": {
            "overview_conf": {f"encoder-{name}": value for name, value in overview.items()},
            "para_conf": {part: {f"{part}-{name}": value for name, value in parts[part].items()} for part in parts},
        },
        "model_conf": {
            "llm_path": "",
            "enc_out_dim": SOUND_WIDTH,
            "llm_embed_dim": WIDTH,
            "kernel_size": 5,
            "adpter_type": "subsampling",
            "activation_func": "gelu",
            "norm": "layer",
        },
        "dataset_conf": {
            "resample_conf": {"resample_rate": 16000},
            "fbank_conf": {"num_mel_bins": MELS, "frame_length": 25, "frame_shift": 10, "dither": 0.0},
        },
    }
    with open(os.path.join(SOUND, "train.yaml"), "w") as file:
        yaml.safe_dump(settings, file)
    encoder = init_model({**settings, "cmvn_file": os.path.join(SOUND, "global_cmvn")})
    torch.save(encoder.state_dict(), os.path.join(SOUND, "final.pt"))


def write_checkpoint():
    from vita.model import VITAQwen2Config, VITAQwen2ForCausalLM

    tokenizer = write_qwen_tokenizer(".")
    config = VITAQwen2Config(
        vocab_size=len(tokenizer),
        eos_token_id=tokenizer.eos_token_id,
        hidden_size=WIDTH,
        intermediate_size=WIDTH,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        initializer_range=0.2,
        mm_vision_tower=PICTURE,
        mm_audio_encoder=SOUND,
        mm_projector_type="mlp2x_gelu",
        mm_hidden_size=4 * 32,
        unfreeze_vision_tower=True,
    )
    VITAQwen2ForCausalLM(config).save_pretrained(".")


def main():
    worker_class = shipped_worker("vita", "Vita")
    os.makedirs(FOLDER)
    os.chdir(FOLDER)
    torch.manual_seed(0)
    write_picture_encoder()
    write_sound_encoder()
    write_checkpoint()
    worker = worker_class(CHECKOUT, FOLDER, {"sound": "clip"})
    worker.load()
    examine(worker, worker.network.lm_head)


stand_in()
main()
