"""The worker `video_llama` on the code of DAMO-NLP-SG/Video-LLaMA, commit a9a35a7.

Environment that worked: Python 3.11, torch 2.15.0, torchvision 0.29.2, torchaudio 2.11.0, numpy 2.4.6, transformers
4.28.0, tokenizers 0.13.3, huggingface_hub 0.13.4, timm 0.6.13, einops 0.8.2, decord 0.6.0, omegaconf 2.3.0 with antlr4
4.9.3, webdataset 0.2.48 with braceexpand, pytorchvideo 0.1.5 with fvcore, iopath 0.1.10, parameterized and yacs,
soundfile 0.14.0, sentencepiece 0.2.2, opencv 5.0.0.

Nothing is downloaded and no download function is exchanged: BERT's tokenizer and configuration, EVA-CLIP and the
Q-Former lie small and random in the caches where the code looks for them first. Vicuna is a Llama of 2 layers whose
tokenizer spells bytes. Stood in for: CUDA and half precision by the CPU and float32; the sizes that the code fixes, of
EVA-CLIP (39 layers of 1,408) and ImageBind; `torchaudio.load`, which needs another library since torchaudio 2.9, by
soundfile. After loading, every weight of the network must be one from the files.
"""

import json
import os

from common import CHECKOUT, FOLDER, examine, random_state, read_sound_by_soundfile, shipped_worker, stay_on_the_cpu

os.environ.update(
    HF_HOME=os.path.join(FOLDER, "hf"), TORCH_HOME=os.path.join(FOLDER, "torch"), TRANSFORMERS_OFFLINE="1"
)

import sentencepiece
import torch
import transformers

WIDTH, QUERIES, SOUND_QUERIES, PIECES = 32, 32, 8, 8
SMALL = {"embed_dim": WIDTH, "depth": 2, "num_heads": 2}
SENSES = ("vision", "text", "audio", "depth", "thermal", "imu")
PUNCTUATION = list("?!.,:;#()<>/'")


def shrink():
    """Exchange the classes whose sizes the code fixes by themselves with small ones."""
    from video_llama.models import eva_vit
    from video_llama.models.ImageBind.models import imagebind_model

    picture, sound = eva_vit.VisionTransformer, imagebind_model.ImageBindModel
    eva_vit.VisionTransformer = lambda **fixed: picture(**{**fixed, **SMALL})
    sizes = {}
    for sense in SENSES:
        sizes.update({f"{sense}_embed_dim": WIDTH, f"{sense}_num_blocks": 2, f"{sense}_num_heads": 2})
    imagebind_model.ImageBindModel = lambda **fixed: sound(**{**fixed, **sizes})


def write_bert():
    """Tokenizer and configuration of the Q-Formers, in the hub's cache."""
    entry = os.path.join(FOLDER, "hf", "hub", "models--bert-base-uncased")
    folder = os.path.join(entry, "snapshots", "0")
    for path in (os.path.join(entry, "refs"), folder):
        os.makedirs(path)
    with open(os.path.join(entry, "refs", "main"), "w") as main:
        main.write("0")
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdefghijklmnopqrstuvwxyz"]
    with open(os.path.join(folder, "vocab.txt"), "w") as vocabulary:
        vocabulary.write("\n".join(words))
    with open(os.path.join(folder, "tokenizer_config.json"), "w") as config:
        json.dump({"do_lower_case": True}, config)
    sizes = {"hidden_size": WIDTH, "intermediate_size": WIDTH, "num_attention_heads": 2, "num_hidden_layers": 2}
    transformers.BertConfig(vocab_size=len(words), **sizes).save_pretrained(folder)


def write_llama():
    """Vicuna's folder. Returns its weights."""
    from video_llama.models.modeling_llama import LlamaForCausalLM

    folder = os.path.join(FOLDER, "vicuna")
    os.makedirs(folder)
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(["Human: which sound supports sadness? Assistant: a sob."]),
        model_prefix=os.path.join(folder, "tokenizer"),
        vocab_size=300,
        hard_vocab_limit=False,
        byte_fallback=True,
        user_defined_symbols=PUNCTUATION,
        minloglevel=2,
    )
    tokenizer = transformers.LlamaTokenizer(os.path.join(folder, "tokenizer.model"))
    tokenizer.save_pretrained(folder)
    sizes = {"hidden_size": WIDTH, "intermediate_size": WIDTH, "num_attention_heads": 2, "num_hidden_layers": 2}
    model = LlamaForCausalLM(transformers.LlamaConfig(vocab_size=len(tokenizer), **sizes))
    state = random_state(model=model.model, lm_head=model.lm_head)
    model.save_pretrained(folder)
    return state


def write_weights():
    """All files of weights. Returns what they hold, under the names of the network's state."""
    from video_llama.models import eva_vit
    from video_llama.models.ImageBind.models import imagebind_model
    from video_llama.models.video_llama import VideoLLAMA

    llama = write_llama()
    eva = eva_vit.VisionTransformer(img_size=224, patch_size=14, mlp_ratio=4.3637, qkv_bias=True)
    queries, query_tokens = VideoLLAMA.init_Qformer(QUERIES, WIDTH)
    video, video_tokens = VideoLLAMA.init_video_Qformer(QUERIES, WIDTH)
    bind, bind_width = imagebind_model.imagebind_huge()
    audio, audio_tokens = VideoLLAMA.init_video_Qformer(SOUND_QUERIES, bind_width)
    files = {
        "torch/hub/checkpoints/eva_vit_g.pth": random_state(eva=eva),
        "torch/hub/checkpoints/blip2_pretrained_flant5xxl.pth": random_state(
            Qformer=queries, query_tokens=query_tokens, ln_vision=torch.nn.LayerNorm(WIDTH)
        ),
        "visual.pth": random_state(
            video_Qformer=video,
            video_query_tokens=video_tokens,
            video_frame_position_embedding=torch.nn.Embedding(32, WIDTH),
            llama_proj=torch.nn.Linear(WIDTH, WIDTH),
        ),
        "audio.pth": random_state(
            audio_Qformer=audio,
            audio_query_tokens=audio_tokens,
            audio_position_embedding=torch.nn.Embedding(PIECES, bind_width),
            audio_llama_proj=torch.nn.Linear(WIDTH, WIDTH),
        ),
        "imagebind_huge.pth": random_state(bind=bind),
    }
    bare = {"eva.": "visual_encoder.", "bind.": "audio_encoder."}  # these files have the weights of one module
    written = {f"llama_model.{name}": value for name, value in llama.items()}
    os.makedirs(os.path.join(FOLDER, "torch", "hub", "checkpoints"))
    for path, state in files.items():
        prefix = next((prefix for prefix in bare if next(iter(state)).startswith(prefix)), None)
        inside = {name[len(prefix) :]: value for name, value in state.items()} if prefix else {"model": state}
        torch.save(inside, os.path.join(FOLDER, path))
        written.update({bare[prefix] + name: value for name, value in inside.items()} if prefix else state)
    return written


def check_loaded(network, written):
    """Every weight is a written one. The files have more: parts of the Q-Formers that the code takes out."""
    loaded = network.state_dict()
    assert set(loaded) <= set(written), sorted(set(loaded) - set(written))[:5]
    assert all(torch.equal(value, written[name]) for name, value in loaded.items())


def main():
    worker_class = shipped_worker("video_llama", "VideoLlama")
    os.makedirs(FOLDER, exist_ok=True)
    torch.manual_seed(0)
    read_sound_by_soundfile()
    shrink()
    write_bert()
    written = write_weights()
    options = {name: os.path.join(FOLDER, path) for name, path in (("llama", "vicuna"), ("audio_branch", "audio.pth"))}
    worker = worker_class(CHECKOUT, os.path.join(FOLDER, "visual.pth"), {"imagebind": FOLDER, **options})
    worker.load()
    check_loaded(worker.chat.model, written)
    examine(worker, worker.chat.model.llama_model.lm_head)


stay_on_the_cpu()
main()
