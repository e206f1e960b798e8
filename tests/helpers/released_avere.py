"""The shipped worker around the released code, on the golden weights and tensors: what it asked, and the scores it got.

test_released_avere.py runs this with the released code's own Python: WORKERS CHECKOUT CHECKPOINT OUT. The worker and
the released code ask for CUDA and half precision; here that means the CPU and float32, as when the numbers were made.
"""

import json
import os
import sys
import types

import numpy as np
import torch
import transformers  # noqa: F401  it looks torch's dtypes up before they are exchanged

WORKERS, CHECKOUT, CHECKPOINT, OUT = sys.argv[1:5]


def stay_on_the_cpu():
    torch.float16 = torch.float32
    torch.Tensor.cuda = lambda tensor: tensor
    move = torch.nn.Module.to

    def to(module, *args, **named):
        here = ["cpu" if str(one).startswith("cuda") else one for one in args]
        return move(module, *here, **{name: "cpu" if name == "device" else one for name, one in named.items()})

    torch.nn.Module.to = to
    gone = types.ModuleType("torchvision.transforms.functional_tensor")  # pytorchvideo asks for it
    gone.rgb_to_grayscale = None
    sys.modules[gone.__name__] = gone


def main():
    stay_on_the_cpu()
    sys.path[:0] = [WORKERS, CHECKOUT]
    import protocol
    from avere_official import AvereOfficial

    os.chdir(CHECKPOINT)  # the backbones lie here
    worker = AvereOfficial(CHECKOUT, CHECKPOINT, {"faithful": "no"})
    worker.load()
    stored, found = np.load("inputs.npz"), {}
    worker.see = lambda paths, return_tensors: {"pixel_values": torch.from_numpy(stored[f"video/{paths[0]}"])[None]}
    worker.hear = lambda paths, return_tensors: {"spectrogram": torch.from_numpy(stored[f"audio/{paths[0]}"])[None]}
    protocol.Request.media = lambda *_, **__: {}  # there are no files
    generate = worker.network.generate

    def keep(ids, **settings):
        output = generate(ids, output_scores=True, return_dict_in_generate=True, **settings)
        found[f"{case}/input_ids"] = ids.numpy()
        found[f"{case}/step_scores"] = torch.stack(output.scores, 1).numpy()
        return output.sequences

    worker.network.generate = keep
    with open("questions.json") as file:
        questions = json.load(file)
    for case, asked in questions.items():
        worker.answer(protocol.Request({"id": case, "generation": {"max_new_tokens": 8}, **asked}))
    np.savez(OUT, **found)


main()
