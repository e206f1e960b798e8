"""The worker `onellm` on the code of csuhan/OneLLM, commit 8587a47.

Environment that worked: Python 3.11, torch 2.15.0, torchvision 0.29.2, torchaudio 2.11.0, numpy 2.4.6, fairscale
0.4.13, open_clip_torch 2.23.0, ftfy 6.3.1, timm 1.0.31, pytorchvideo 0.1.5, fvcore 0.1.5.post20221221, iopath 0.1.10,
parameterized 0.9.0, decord 0.6.0, sentencepiece 0.2.2, soundfile 0.14.0. The tokenizer is the checkout's own.

Stood in for: CUDA, nccl and half precision by the CPU, gloo and float32; flash-attn by torch's attention; the module
`pointnet2_cuda`, which only point clouds call, by an empty one; `torchaudio.load`, which needs torchcodec by now, by
soundfile. Made small: the language model, by a `7B.json` of its own, and CLIP, whose patches stay 14 pixels wide and
whose fetched weights are random. The layer for fMRI is 515 MB by its fixed size and not in the checkpoint.
"""

import json
import os
import sys
import tempfile
import types

import torch
from common import CHECKOUT, FOLDER, attend, examine, read_sound_by_soundfile, shipped_worker, stay_on_the_cpu

TOKENIZER = os.path.join(CHECKOUT, "config", "llama2", "tokenizer.model")
SIZES = {"dim": 64, "multiple_of": 32, "n_heads": 4, "n_layers": 2, "norm_eps": 1e-05, "vocab_size": -1}


def stand_in():
    stay_on_the_cpu()
    read_sound_by_soundfile()
    sys.modules["pointnet2_cuda"] = types.ModuleType("pointnet2_cuda")
    sys.modules["flash_attn"] = types.ModuleType("flash_attn")
    sys.modules["flash_attn"].flash_attn_func = attend
    join = torch.distributed.init_process_group
    torch.distributed.init_process_group = lambda backend, **named: join("gloo", **named)
    torch.cuda.set_device = lambda device: None
    from util import misc

    class OnTheCpu(misc.default_tensor_type):
        def __init__(self, dtype, device):
            super().__init__(dtype, "cpu")

    misc.default_tensor_type = OnTheCpu
    make_clip_small()


def make_clip_small():
    import open_clip

    sizes = open_clip.get_model_config("ViT-L-14")
    sizes["embed_dim"] = 64
    sizes["vision_cfg"].update(layers=2, width=64, head_width=16)
    sizes["text_cfg"].update(vocab_size=100, width=64, heads=4, layers=1)
    open_clip.factory._MODEL_CONFIGS["ViT-L-14"] = sizes
    make = open_clip.create_model_and_transforms
    open_clip.create_model_and_transforms = lambda name, pretrained: make(name)


def write_checkpoint(path):
    """In a process group of its own, which is closed again: the worker opens one too."""
    from fairscale.nn.model_parallel import initialize
    from model.meta import MetaModel

    with tempfile.TemporaryDirectory() as meeting:
        address = "file://" + os.path.join(meeting, "group")
        torch.distributed.init_process_group("nccl", rank=0, world_size=1, init_method=address)
        initialize.initialize_model_parallel(1)
        network = MetaModel("onellm", os.path.join("config", "llama2", "7B.json"), None, TOKENIZER)
        initialize.destroy_model_parallel()
        torch.distributed.destroy_process_group()
    torch.save({name: one for name, one in network.state_dict().items() if ".conv1.fmri." not in name}, path)


def main():
    os.makedirs(os.path.join(FOLDER, "config", "llama2"))
    os.chdir(FOLDER)  # the small 7B.json lies here; the code is found through sys.path
    with open(os.path.join("config", "llama2", "7B.json"), "w") as file:
        json.dump(SIZES, file)
    worker_class = shipped_worker("onellm", "OneLlm")
    stand_in()
    torch.manual_seed(0)
    checkpoint = os.path.join(FOLDER, "consolidated.00-of-01.pth")
    write_checkpoint(checkpoint)
    worker = worker_class(CHECKOUT, checkpoint, {"media": "both", "tokenizer": TOKENIZER})
    worker.load()
    examine(worker, worker.network.llma.output)


main()
