"""The worker `ola` on the code of Ola-Omni/Ola, commit f681820.

Environment that worked: Python 3.11, torch 2.15.0, torchvision 0.29.2, numpy 2.4.6, transformers 4.43.4, tokenizers
0.19.1, huggingface_hub 0.24.7, accelerate 0.33.0, timm 0.9.16, openai-whisper 20250625, librosa 0.11.0, numba 0.68.1,
decord 0.6.0.

The checkpoint's working directory has what is fetched or put into the checkout's root: CLIP's settings for pictures,
Whisper's `large-v3.pt` and BEATs, these two small but for the lengths and bands of sound. The tokenizer knows bytes.
Stood in for: CUDA and half precision by the CPU and float32; flash-attn by torch's attention; deepspeed, which is
imported and not used, by an empty module. Made small: the picture's encoder, whose sizes are fixed.
"""

import importlib.machinery
import os
import sys
import types

import torch
import transformers
from common import CHECKOUT, FOLDER, attend, examine, shipped_worker, stay_on_the_cpu, write_qwen_tokenizer

BEATS = "BEATs_iter3_plus_AS2M_finetuned_on_AS2M_cpt2.pt"


def attend_apart(
    q, k, v, cu_seqlens_q, cu_seqlens_k, max_seqlen_q, max_seqlen_k, dropout_p=0.0, softmax_scale=None, causal=False
):
    """As flash_attn_varlen_func: (all lengths, heads, width) each, cut at cu_seqlens, as long for q as for k and v."""
    edges = cu_seqlens_q.tolist()
    pieces = [[one[None, start:end] for one in (q, k, v)] for start, end in zip(edges, edges[1:])]
    return torch.cat([attend(*piece, dropout_p, softmax_scale, causal)[0] for piece in pieces])


def stand_in(resolutions):
    """resolutions: what the worker sets before its first import of the repository, which is read there and then."""
    stay_on_the_cpu()
    zeros = torch.zeros
    torch.zeros = lambda *size, **named: zeros(*size, **{**named, "device": "cpu"})
    for name in ("flash_attn", "deepspeed"):
        sys.modules[name] = types.ModuleType(name)
        sys.modules[name].__spec__ = importlib.machinery.ModuleSpec(name, None)  # transformers looks for it
    sys.modules["flash_attn"].flash_attn_func = attend
    sys.modules["flash_attn"].flash_attn_varlen_func = attend_apart
    os.environ.update(resolutions)
    from ola.model.multimodal_encoder import oryx_vit

    oryx_vit.SigLIP_MODEL_CONFIG["siglip_so400m_patch16_384"].update(width=64, layers=2, heads=4)


def write_sound_encoders():
    import whisper
    from ola.model.speech_encoder.beats.BEATs import BEATs, BEATsConfig

    sizes = {"n_mels": 128, "n_vocab": 100, "n_audio_ctx": 1500, "n_audio_state": 32, "n_audio_head": 2}
    sizes.update(n_audio_layer=1, n_text_ctx=8, n_text_state=32, n_text_head=2, n_text_layer=1)
    network = whisper.model.Whisper(whisper.model.ModelDimensions(**sizes))
    torch.save({"dims": sizes, "model_state_dict": network.state_dict()}, "large-v3.pt")
    sizes = {"input_patch_size": 16, "embed_dim": 32, "encoder_layers": 1, "encoder_embed_dim": 32}
    sizes.update(encoder_ffn_embed_dim=64, encoder_attention_heads=2, relative_position_embedding=True)
    sizes.update(gru_rel_pos=True, deep_norm=True, finetuned_model=True, predictor_class=10)
    torch.save({"cfg": sizes, "model": BEATs(BEATsConfig(sizes)).state_dict()}, BEATS)


def write_checkpoint(folder):
    """The width of the sound is Whisper's and BEATs' together, that of the picture its encoder's."""
    from ola.model import OlaConfigQwen, OlaQwenForCausalLM

    words = {"vocab_size": len(write_qwen_tokenizer(folder)), "hidden_size": 64, "intermediate_size": 128}
    words.update(num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, initializer_range=0.2)
    sound = {"speech_encoder": "./large-v3.pt", "music_encoder": "./" + BEATS, "speech_encoder_type": "dual"}
    sound.update(speech_encoder_hidden_size=64, speech_encoder_ds_rate=10, speech_projector_type="linear")
    picture = {"mm_vision_tower": "oryx_vit", "mm_projector_type": "ola_mlp", "mm_hidden_size": 64}
    OlaQwenForCausalLM(OlaConfigQwen(**words, **sound, **picture)).save_pretrained(folder)


def main():
    os.makedirs(FOLDER)
    os.chdir(FOLDER)
    worker_class = shipped_worker("ola", "Ola")
    stand_in(worker_class.load.__globals__["RESOLUTIONS"])
    torch.manual_seed(0)
    write_sound_encoders()
    transformers.CLIPImageProcessor().save_pretrained(os.path.join("openai", "clip-vit-large-patch14"))
    checkpoint = os.path.join(FOLDER, "Ola-7b")
    write_checkpoint(checkpoint)
    worker = worker_class(CHECKOUT, checkpoint, {})
    worker.load()
    seen = []  # frames a picture, of what the language model gets: (low, size, high, size, kind)
    worker.network.model.mm_projector.register_forward_hook(lambda module, given, output: seen.append(len(given[2])))
    examine(worker, worker.network.lm_head)
    assert set(seen) == {1, 64}, "not all frames of a clip are shown"


main()
