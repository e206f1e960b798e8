"""The worker `pandagpt` on the code of yxuansu/PandaGPT, commit 9b77e04.

Environment that worked: Python 3.11, torch 2.15.0, torchvision 0.29.2, torchaudio 2.11.0, numpy 1.26.4, transformers
4.29.1, tokenizers 0.13.3, huggingface_hub 0.23.5, peft 0.3.0, accelerate 0.26.1, sentencepiece 0.2.2, timm 1.0.31,
einops 0.8.2, ftfy 6.3.1, decord 0.6.0, soundfile 0.14.0, data 0.4 with six and funcsigs, ipdb 0.13.13 with ipython and
decorator; pytorchvideo from git at f3142bb, with fvcore 0.1.5, iopath 0.1.10 and parameterized 0.9.0.

The files are of the released kinds: Vicuna and its sentencepiece, `imagebind_huge.pth`, and the trained LoRA and
projection alone in `pytorch_model.pt`. Stood in for: CUDA and half precision by the CPU and float32; ImageBind's sizes,
which `imagebind_huge` fixes, by two layers of 32 (and its 1,024 outputs); deepspeed, which only training needs, by an
empty module; `torchaudio.load`, which needs torchcodec by now, by soundfile.
"""

import os
import sys
import types
from importlib.machinery import ModuleSpec

import peft  # noqa: F401  it looks torch's types up, and for deepspeed
import sentencepiece
import torch
import transformers
import transformers.deepspeed
from common import CHECKOUT, FOLDER, QUESTION, examine, read_sound_by_soundfile, stay_on_the_cpu

HELD = ("vision", "text", "audio", "depth", "thermal", "imu")
SIZES = {
    f"{sense}_{what}": size for sense in HELD for what, size in (("embed_dim", 32), ("num_blocks", 2), ("num_heads", 2))
}


def stand_in():
    stay_on_the_cpu()
    read_sound_by_soundfile()
    sys.modules["deepspeed"] = types.ModuleType("deepspeed")
    sys.modules["deepspeed"].__spec__ = ModuleSpec("deepspeed", None)
    torch.cuda.current_device = lambda: "cpu"


def shrink_imagebind():
    """Write `imagebind_huge.pth` at sizes that a CPU answers with, which the code then builds too."""
    from model.ImageBind.models import imagebind_model

    whole = imagebind_model.ImageBindModel
    imagebind_model.ImageBindModel = lambda **_: whole(out_embed_dim=1024, **SIZES)
    torch.save(imagebind_model.imagebind_huge()[0].state_dict(), os.path.join(FOLDER, "imagebind_huge.pth"))


def write_vicuna():
    model = os.path.join(FOLDER, "vicuna", "tokenizer")
    os.makedirs(os.path.dirname(model))
    lines = iter([QUESTION, "### Human: <Img></Img> Why is the person sad?", "### Assistant: the answer is A"] * 5)
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=lines, model_prefix=model, vocab_size=300, byte_fallback=True, minloglevel=2
    )
    transformers.LlamaTokenizer(model + ".model").save_pretrained(os.path.dirname(model))
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_attention_heads": 2, "num_hidden_layers": 2}
    config = transformers.LlamaConfig(vocab_size=300, initializer_range=0.2, **sizes)
    transformers.LlamaForCausalLM(config).save_pretrained(os.path.dirname(model))


def write_trained(worker):
    """`pytorch_model.pt`: what the code says it trains, LoRA's second halves no longer zero."""
    torch.save({}, worker.checkpoint)
    worker.load()
    trained = {
        name: 0.2 * torch.randn(value.shape) for name, value in worker.network.named_parameters() if value.requires_grad
    }
    torch.save(trained, worker.checkpoint)


def main():
    from pandagpt import PandaGpt

    os.makedirs(FOLDER)
    torch.manual_seed(0)
    sys.path.insert(0, os.path.join(CHECKOUT, "code"))
    os.chdir(sys.path[0])
    shrink_imagebind()
    write_vicuna()
    options = {"vicuna": os.path.join(FOLDER, "vicuna"), "imagebind": FOLDER}
    worker = PandaGpt(CHECKOUT, os.path.join(FOLDER, "pytorch_model.pt"), options)
    write_trained(worker)
    worker.load()
    examine(worker, worker.network.llama_model.get_base_model().lm_head)


stand_in()
main()
