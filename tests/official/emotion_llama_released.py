"""The worker `emotion_llama_released` on the code of ZebangCheng/Emotion-LLaMA, commit 4ee28d2.

Environment that worked: Python 3.11, torch 2.15.0, torchvision 0.29.2, numpy 2.4.6, transformers 4.30.0, tokenizers
0.13.3, huggingface_hub 0.18.0, accelerate 0.20.3, peft 0.2.0, timm 0.6.13, omegaconf 2.3.0 with antlr4 4.9.3,
webdataset 0.2.48 with braceexpand, iopath 0.1.10, moviepy 1.0.3 with what it needs, scikit-image 0.26.0, decord 0.6.0,
soundfile 0.14.0, sentencepiece 0.2.2, opencv 5.0.0, wandb 0.25.0.

Nothing is downloaded and no download function is exchanged: EVA-CLIP lies random in the cache where the code looks for
it first. Llama 2 and HuBERT have 2 layers, the tokenizer spells bytes. Stood in for: CUDA and half precision by the CPU
and float32; EVA-CLIP's 39 layers by 2 narrow ones (its width of 1,408 is fixed twice, and kept, as HuBERT's of 1,024).
After loading, the network's weights must be those of the files.
"""

import os

from common import CHECKOUT, FOLDER, examine, random_state, stay_on_the_cpu

os.environ["TORCH_HOME"] = os.path.join(FOLDER, "torch")

import sentencepiece
import torch
import transformers

WIDTH, RANK, LAYERS = 32, 64, 2
EVA = os.path.join("torch", "hub", "checkpoints", "eva_vit_g.pth")
HUBERT = os.path.join("checkpoints", "transformer", "chinese-hubert-large")
SMALL = {"num_attention_heads": 2, "num_hidden_layers": LAYERS, "intermediate_size": WIDTH}


def shrink():
    """Exchange the picture's encoder by itself with two small layers."""
    from minigpt4.models import eva_vit

    full = eva_vit.VisionTransformer
    eva_vit.VisionTransformer = lambda **fixed: full(**{**fixed, "depth": LAYERS, "mlp_ratio": 0.1})


def write_llama():
    """The language model's folder. Returns its weights."""
    from minigpt4.models.modeling_llama import LlamaForCausalLM

    os.makedirs("llama")
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(["[INST] which sound supports sadness? [/INST] a sob."]),
        model_prefix="llama/tokenizer",
        vocab_size=300,
        hard_vocab_limit=False,
        byte_fallback=True,
        user_defined_symbols=["$$", *"!:()<>"],
        minloglevel=2,
    )
    tokenizer = transformers.LlamaTokenizer("llama/tokenizer.model")
    tokenizer.save_pretrained("llama")
    model = LlamaForCausalLM(transformers.LlamaConfig(vocab_size=len(tokenizer), hidden_size=WIDTH, **SMALL))
    state = random_state(model=model.model, lm_head=model.lm_head)
    model.save_pretrained("llama")
    return state


def write_hubert():
    """HuBERT in the form of the large one, and of its width."""
    form = {"feat_extract_norm": "layer", "conv_bias": True, "do_stable_layer_norm": True}
    sizes = {"hidden_size": 1024, "conv_dim": (WIDTH,) * 7, "num_conv_pos_embeddings": 8}
    transformers.HubertModel(transformers.HubertConfig(**form, **sizes, **SMALL)).save_pretrained(HUBERT)
    transformers.Wav2Vec2FeatureExtractor(return_attention_mask=True).save_pretrained(HUBERT)


def write_weights():
    """All files of the network's weights. Returns what they hold, under the names of its state."""
    from minigpt4.models import eva_vit
    from minigpt4.models.minigpt_base import Attention

    written = {f"llama_model.base_model.model.{name}": value for name, value in write_llama().items()}
    head = "llama_model.base_model.model.lm_head"
    written[f"{head}.0.weight"] = written.pop(f"{head}.weight")  # peft wraps it
    eva = eva_vit.VisionTransformer(
        img_size=448, patch_size=14, embed_dim=1408, num_heads=16, mlp_ratio=1, qkv_bias=True, use_mean_pooling=False
    )
    for parameter in eva.parameters():
        parameter.data += 0.02 * torch.randn_like(parameter)
    os.makedirs(os.path.dirname(EVA))
    torch.save(eva.state_dict(), EVA)
    written.update({f"visual_encoder.{name}": value for name, value in eva.state_dict().items()})
    widths = {"llama_proj": 4 * 1408, "cls_tk_llama_proj": 1408, **{f"feats_llama_proj{n}": 1024 for n in (1, 2, 3)}}
    trained = {name: torch.nn.Linear(width, WIDTH) for name, width in widths.items()}
    state = random_state(attention=Attention(output_dim=6), **trained)
    for layer in range(LAYERS):
        for part in ("q_proj", "v_proj"):
            name = f"llama_model.base_model.model.model.layers.{layer}.self_attn.{part}"
            state[f"{name}.lora_A.weight"] = 0.1 * torch.randn(RANK, WIDTH)
            state[f"{name}.lora_B.weight"] = 0.1 * torch.randn(WIDTH, RANK)
    torch.save({"model": state}, "emotion.pth")
    return {**written, **state}


def check_loaded(network, written):
    """All weights of the network are the written ones, but those of a norm that no file has."""
    loaded = {name: value for name, value in network.state_dict().items() if not name.startswith("ln_vision.")}
    assert set(loaded) == set(written), sorted(set(loaded) ^ set(written))[:5]
    assert all(torch.equal(value, written[name]) for name, value in loaded.items())


def main():
    from emotion_llama_released import EmotionLlama

    os.makedirs(FOLDER, exist_ok=True)
    os.chdir(FOLDER)  # HuBERT belongs in the checkout, which stays as it is
    os.symlink(os.path.join(CHECKOUT, "eval_configs"), "eval_configs")
    torch.manual_seed(0)
    shrink()
    write_hubert()
    written = write_weights()
    worker = EmotionLlama(CHECKOUT, os.path.join(FOLDER, "emotion.pth"), {"llama": os.path.join(FOLDER, "llama")})
    worker.load()
    check_loaded(worker.chat.model, written)
    examine(worker, worker.chat.model.llama_model.base_model.model.lm_head)


stay_on_the_cpu()
main()
