"""What the scripts of this folder share: no GPU needed, a worker asked about two clips, the scores of its first word.

A script runs under the Python of an official repository, so this is plain Python 3.8 with torch and numpy. It is called
with WORKERS CHECKOUT FOLDER VIDEO_A WAV_A VIDEO_B WAV_B, writes tiny random weights below FOLDER, and ends with
`examine`. `tests/unit/test_official_code.py` starts the scripts and judges what they print.
"""

import json
import sys
import types

import torch

WORKERS, CHECKOUT, FOLDER, VIDEO_A, WAV_A, VIDEO_B, WAV_B = sys.argv[1:8]
CLIPS = {"a": (VIDEO_A, WAV_A), "b": (VIDEO_B, WAV_B)}
sys.path[:0] = [WORKERS, CHECKOUT]
QUESTION = "Which sound supports sadness? (A) a sob (B) a bell (C) rain (D) a laugh"


def stay_on_the_cpu():
    """`cuda` means the CPU, half precision means float32. Import transformers first: it looks torch's types up."""
    torch.float16 = torch.bfloat16 = torch.float32
    torch.Tensor.cuda = torch.nn.Module.cuda = lambda it, *_, **__: it
    torch.Tensor.half = torch.nn.Module.half = lambda it: it.float()
    torch.Tensor.bfloat16 = torch.nn.Module.bfloat16 = lambda it: it.float()
    for kind in (torch.Tensor, torch.nn.Module):
        kind.to = _to(kind.to)
    gone = types.ModuleType("torchvision.transforms.functional_tensor")  # older libraries ask for it
    gone.rgb_to_grayscale = None
    sys.modules[gone.__name__] = gone


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


def examine(worker, head, versions=()):
    """Ask a loaded worker about both clips, with every combination of senses it takes; clip a twice, in a row.

    head: the module whose output are the scores over the vocabulary. Prints one JSON line, the last of stdout.
    """
    import protocol

    scores, asked = FirstScores(head), []
    for kind in [kind for kind in worker.modalities if kind != "text"]:
        for name in ("a", "a", "b"):
            video, wav = CLIPS[name]
            request = {"id": f"{kind} {name}", "prompt": QUESTION, "generation": {"max_new_tokens": 4}}
            request["video"] = video if "video" in kind else None
            request["audio"] = wav if "audio" in kind else None
            scores.clear()
            text = worker.answer(protocol.Request(request))
            text = text if isinstance(text, str) else text[0]
            asked.append({"kind": kind, "clip": name, "text": text, "scores": scores.kept.tolist()})
    print(json.dumps({"asked": asked, "versions": dict(versions)}), flush=True)
