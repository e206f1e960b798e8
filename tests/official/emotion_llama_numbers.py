"""The released Emotion-LLaMA code on tiny weights: the numbers of tests/golden/test_emotion_llama_numbers.py.

    PYTHON tests/official/emotion_llama_numbers.py 1 CHECKOUT FOLDER OUT.npz   # ZebangCheng/Emotion-LLaMA, 4ee28d2
    PYTHON tests/official/emotion_llama_numbers.py 2 CHECKOUT FOLDER OUT.npz   # ooochen-30/Emotion-LLaMA-v2, 5f0a408

The environment is that of emotion_llama_released.py beside this file. The files of
`tests/helpers/emotion_llama_files.py` go to FOLDER, which must not be there. Exchanged: the sizes that the code fixes
(1,408, 1,280 and 1,024 wide layers, 448 pixels, 39 blocks), the place of eva_vit_g.pth, half precision. All that
computes is the released code. Version 2's encoders of video and audio are no part of its model: their outputs are
drawn.
"""

import importlib
import pathlib
import sys
import types

import numpy as np
import torch
import transformers

sys.path[:0] = [str(pathlib.Path(__file__).parents[1] / "helpers"), sys.argv[2]]
import safetensors.torch  # noqa: F401  looks torch's types up before they are exchanged

import emotion_llama_files as files

VERSION, FOLDER, OUT = int(sys.argv[1]), pathlib.Path(sys.argv[3]), sys.argv[4]
WIDTHS = {4096: files.HIDDEN, 1408: files.WIDTH, 1280: files.AUDIO, 1024: files.FEATURE, 256: files.FUSION[2]}
PROMPTS = {
    1: (
        "<video><VideoHere></video> <feature><FeatureHere></feature> [reason] Why is she sad?  (A) tears (B) rain ",
        "<video><VideoHere></video> <feature><FeatureHere></feature> The person in video says: so what.. "
        "[emotion] Which emotion, do you think? ",
    ),
    2: ("<Vid><VideoHere></Vid> [emotion] Why is she sad?  (A) tears", "<Vid><VideoHere></Vid> [emotion]  Who?"),
}
ANSWERS = ("because of tears", "sad")


def shrink():
    """Exchange the sizes that the released code writes down."""
    module = importlib.import_module("minigpt4.models." + ("minigpt_v2" if VERSION == 1 else "emotion_llama_v2"))
    linear = torch.nn.Linear
    names = types.SimpleNamespace(**vars(torch.nn))
    names.Linear = lambda size_in, size_out: linear(WIDTHS.get(size_in, size_in), size_out)
    module.nn = names
    if VERSION == 2:
        view = torch.Tensor.view  # encode_img writes the widths of video and audio down
        torch.Tensor.view = lambda one, *sizes: view(
            one, *sizes[:-1], {1408: files.WIDTH, 1280: files.AUDIO}.get(sizes[-1], sizes[-1])
        )
        whole = module.ConvProAttention
        module.ConvProAttention = lambda dims, output_dim, layers, dropout: whole(
            [WIDTHS[dim] for dim in dims], files.FUSION[2], "%d,%d" % files.FUSION[:2], dropout
        )
    eva_vit = importlib.import_module("minigpt4.models.eva_vit")
    tower = eva_vit.VisionTransformer
    sizes = {"img_size": files.SIDE, "embed_dim": files.WIDTH, "depth": files.DEPTH, "num_heads": files.HEADS}
    eva_vit.VisionTransformer = lambda **given: tower(**{**given, **sizes, "mlp_ratio": files.MLP / files.WIDTH})
    eva_vit.download_cached_file = lambda *_, **__: str(FOLDER / "eva_vit_g.pth")
    return module


def build(module):
    """The released model on the files, in float32."""
    made = module.MiniGPTv2 if VERSION == 1 else module.EmotionLLaMAv2
    config = {"image_size": files.SIDE, "vit_precision": "fp32", "llama_model": str(FOLDER / "llama")}
    config.update(lora_r=files.RANK, end_sym="</s>", chat_template=True, ckpt=str(FOLDER / "checkpoint.pth"))
    config.update(prompt_template="[INST] {} [/INST]", max_txt_len=100)
    return made.from_config(config).float().eval()


def main():
    files.write(FOLDER, VERSION)
    module = shrink()
    network = build(module)
    drawn, found = files.Drawn(7), {}
    image = drawn(2, 3, files.SIDE, files.SIDE, scale=1.0)
    if VERSION == 1:
        given = [drawn(2, 3, files.FEATURE, scale=1.0)]
    else:
        given = [drawn(2, 64, files.WIDTH, scale=1.0), drawn(2, 64, files.AUDIO, scale=1.0)]
    with torch.no_grad():
        found["image"] = network.ln_vision(network.visual_encoder(image))
        media = network.encode_img(image, *given)[0]
        found["media"] = media
        if VERSION == 2:
            image_cls = found["image"][:, :1].expand(-1, 64, -1)
            found["fusion"] = network.conv_pro_module([given[1], image_cls, given[0]])[0]
        for number, prompt in enumerate(PROMPTS[VERSION]):
            text = "<s>[INST] " + prompt + " [/INST]"
            found[f"released/{number}/ids"] = released_ids(network, text)
            embedded = network.get_context_emb(text, [media[number : number + 1]])
            found[f"released/{number}/embeddings"] = embedded
            found[f"released/{number}/logits"] = network.llama_model(inputs_embeds=embedded).logits
        train(network, found, image, given)
        texts = ["<s>[INST] " + prompt + " [/INST]" for prompt in PROMPTS[VERSION]]
        generated(network, found, image, given, texts)
    np.savez_compressed(OUT, **{name: np.asarray(value) for name, value in found.items()})


def released_ids(network, text):
    """Ids as `get_context_emb` makes them, -1 between two segments."""
    ids = []
    for number, segment in enumerate(text.split("<VideoHere>")):
        ids += [-1] if number else []
        ids += network.llama_tokenizer(segment, add_special_tokens=number == 0).input_ids
    return ids


def train(network, found, image, given):
    """What goes into the language model in training, and what comes out."""
    names = ("video_features", "audio_features")
    samples = {"image": image, "instruction_input": list(PROMPTS[VERSION]), "answer": list(ANSWERS)}
    samples.update(zip(names, given), emotion=torch.zeros(2, dtype=torch.long))
    keep = {}
    forward = network.llama_model.forward

    def watched(**inputs):
        output = forward(**inputs)
        keep.update(inputs, logits=output.logits)
        return output

    network.llama_model.forward = watched
    found["training/loss"] = network(samples)["loss"]
    network.llama_model.forward = forward
    for name in ("attention_mask", "labels", "logits"):
        found[f"training/{name}"] = keep[name]


def generated(network, found, image, given, texts):
    """The greedy ids of a batch padded on the left."""
    generate = network.llama_model.generate

    def watched(**settings):
        output = generate(**settings)
        found["generated"] = output
        return output

    network.llama_model.generate = watched
    network.generate(image, *given, texts, max_new_tokens=6)


torch.float16 = torch.float32
sys.modules["torchaudio"] = types.ModuleType("torchaudio")  # imported beside the model, and not used here
assert transformers.__version__.startswith("4.30"), transformers.__version__
main()
