"""What the scripts of this folder share: no GPU needed, a worker asked about two clips, the scores of its first word.

A script runs under the Python of an official repository, so this is plain Python 3.8 with torch and numpy. It is called
with WORKERS CHECKOUT FOLDER VIDEO_A WAV_A VIDEO_B WAV_B, writes tiny random weights below FOLDER, and ends with
`examine`. `tests/unit/model_adapters/external_worker/test_official_code.py` starts the scripts and judges what they
print.
"""

import contextlib
import importlib
import io
import json
import os
import sys
import types

import torch

WORKERS, CHECKOUT, FOLDER, VIDEO_A, WAV_A, VIDEO_B, WAV_B = sys.argv[1:8]
CLIPS = {"a": (VIDEO_A, WAV_A), "b": (VIDEO_B, WAV_B)}
sys.path[:0] = [WORKERS, CHECKOUT]
QUESTION = "Which sound supports sadness? (A) a sob (B) a bell (C) rain (D) a laugh"


def shipped_worker(module, name):
    """The class of a worker. Script and worker may be named as the repository's package: they make way for it."""
    worker = getattr(importlib.import_module(module), name)
    sys.path[:] = [entry for entry in sys.path if entry not in (WORKERS, os.path.dirname(os.path.abspath(__file__)))]
    del sys.modules[module]
    return worker


def stay_on_the_cpu():
    """`cuda` means the CPU, half precision means float32. Import transformers first: it looks torch's types up."""
    with contextlib.suppress(ImportError):
        import safetensors.torch  # noqa: F401  looks torch's types up, too
    kept = io.BytesIO()
    torch.save(torch.zeros(1), kept)
    torch.load(io.BytesIO(kept.getvalue()))  # so does torch, at the first file
    torch.version.cuda = None  # torchaudio compares it with its own
    torch.float16 = torch.bfloat16 = torch.float32
    torch.Tensor.cuda = torch.nn.Module.cuda = lambda it, *_, **__: it
    torch.Tensor.half = torch.nn.Module.half = lambda it: it.float()
    torch.Tensor.bfloat16 = torch.nn.Module.bfloat16 = lambda it: it.float()
    for kind in (torch.Tensor, torch.nn.Module):
        kind.to = _to(kind.to)
    gone = types.ModuleType("torchvision.transforms.functional_tensor")  # older libraries ask for it
    gone.rgb_to_grayscale = None
    sys.modules[gone.__name__] = gone


def read_sound_by_soundfile():
    """In place of torchaudio's reader, which needs a further library since 2.9."""
    import soundfile
    import torchaudio

    def load(path):
        sound, rate = soundfile.read(path, dtype="float32", always_2d=True)
        return torch.from_numpy(sound.T.copy()), rate

    torchaudio.load = load


def attend(q, k, v, dropout_p=0.0, softmax_scale=None, causal=False):
    """In place of flash_attn_func: (batch, length, heads, width) each, and the last query sees every key."""
    seen = None
    if causal:
        seen = torch.ones(q.shape[1], k.shape[1], dtype=torch.bool).tril(k.shape[1] - q.shape[1])
    q, k, v = (one.transpose(1, 2) for one in (q, k, v))
    output = torch.nn.functional.scaled_dot_product_attention(q, k, v, seen, scale=softmax_scale)
    return output.transpose(1, 2)


def write_qwen_tokenizer(folder, **settings):
    """A Qwen2 tokenizer of 256 bytes and three marks, in `folder`; returned, too."""
    import transformers
    from transformers.models.gpt2.tokenization_gpt2 import bytes_to_unicode

    letters = {letter: number for number, letter in enumerate(bytes_to_unicode().values())}
    with open("vocab.json", "w") as vocabulary, open("merges.txt", "w") as merges:
        json.dump(letters, vocabulary)
        merges.write("#version: 0.2\n")
    marks = {"eos_token": "<|im_end|>", "pad_token": "<|endoftext|>", "additional_special_tokens": ["<|im_start|>"]}
    tokenizer = transformers.Qwen2Tokenizer("vocab.json", "merges.txt", **marks, **settings)
    tokenizer.save_pretrained(folder)
    return tokenizer


def random_state(**parts):
    """The weights of some modules and parameters under these names, with noise added to how they begin."""
    holder = torch.nn.Module()
    for name, part in parts.items():
        setattr(holder, name, part)
    for parameter in holder.parameters():
        parameter.data += 0.1 * torch.randn_like(parameter)
    return holder.state_dict()


def _to(move):
    def to(it, *args, **named):
        args = ["cpu" if str(one).startswith("cuda") else one for one in args]
        named = {name: "cpu" if str(one).startswith("cuda") else one for name, one in named.items()}
        return move(it, *args, **named)

    return to


class FirstScores:
    """Keeps what a module puts out for the last position, from its first call after `clear` on."""

    def __init__(self, head):
        self.kept = None
        head.register_forward_hook(self._keep)

    def _keep(self, head, given, output):
        if self.kept is None:
            self.kept = output.detach().float().reshape(-1, output.shape[-1])[-1]

    def clear(self):
        """Forget the last question's."""
        self.kept = None


def examine(worker, head):
    """Ask a loaded worker about the clips with every combination of senses it takes.

    About clip a twice and about clip b; where it takes both senses, also about the picture of one with the sound of
    the other. head: the module whose output are the scores over the vocabulary. Prints one JSON line, the last of
    stdout.
    """
    import protocol

    scores, asked = FirstScores(head), []
    for kind in [kind for kind in worker.modalities if kind != "text"]:
        video, audio = "video" in kind, "audio" in kind
        pairs = ["aa", "aa", "bb", *(["ab", "ba"] if video and audio else [])]
        for picture, sound in pairs:
            request = {"id": len(asked), "prompt": QUESTION, "generation": {"max_new_tokens": 4}}
            request["video"] = CLIPS[picture][0] if video else None
            request["audio"] = CLIPS[sound][1] if audio else None
            protocol.seed()  # as `protocol.run` does before each question
            scores.clear()
            worker.answer(protocol.Request(request))
            asked.append({"kind": kind, "clips": picture + sound, "scores": scores.kept.tolist()})
    print(json.dumps(asked), flush=True)
