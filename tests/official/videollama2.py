"""The worker `videollama2` on the code of DAMO-NLP-SG/VideoLLaMA2, branch audio_visual, commit 8cedfbd.

Environment that worked: Python 3.11, torch 2.15.0, torchvision 0.29.2, torchaudio 2.11.0, numpy 1.26.4, transformers
4.42.3, tokenizers 0.19.1, huggingface_hub 0.23.4, accelerate 0.26.1, timm 1.0.3, einops 0.8.2, decord 0.6.0, moviepy
1.0.3, imageio 2.38.1, librosa 0.11.0, soundfile 0.14.0, opencv 5.0.0, pytorchvideo 0.1.5 with fvcore 0.1.5,
iopath 0.1.10 and parameterized 0.9.0; imageio-ffmpeg 0.8.1, whose `ffmpeg` is taken where the system has none.

The checkpoint has the parts that the repository's va_joint.sh trains: Qwen2, SigLIP, stc_connector_v35, 16 frames,
BEATs behind two linear layers; its sizes are small, its tokenizer spells bytes. Stood in for: CUDA and half precision
by the CPU and float32; BEATs' size, which the code fixes at 12 layers of 768, by 2 layers of 48.
"""

import os
import shutil

import torch
import transformers
from common import CHECKOUT, FOLDER, examine, shipped_worker, stay_on_the_cpu, write_qwen_tokenizer

WIDTH, SOUND_WIDTH = 64, 48
TURN = "{{ '<|im_start|>' + m['role'] + '\\n' + m['content'] + '<|im_end|>' + '\\n' }}"
TEMPLATE = "{% for m in messages %}" + TURN + "{% endfor %}{{ '<|im_start|>assistant\\n' }}"


def find_ffmpeg():
    """The repository starts `ffmpeg`; where there is none, imageio-ffmpeg, which it requires, brings one."""
    if not shutil.which("ffmpeg"):
        import imageio_ffmpeg

        os.symlink(imageio_ffmpeg.get_ffmpeg_exe(), "ffmpeg")
        os.environ["PATH"] += os.pathsep + os.getcwd()


def write_picture_encoder():
    """SigLIP of two layers, below the name by which the repository knows it."""
    sizes = {"hidden_size": WIDTH, "intermediate_size": WIDTH, "num_attention_heads": 2, "num_hidden_layers": 2}
    config = transformers.SiglipVisionConfig(image_size=56, patch_size=14, **sizes)
    transformers.SiglipVisionModel(config).save_pretrained("siglip")
    transformers.SiglipImageProcessor(size={"height": 56, "width": 56}).save_pretrained("siglip")


def shrink_beats():
    """The code builds BEATs at its defaults, whatever the checkpoint says."""
    from videollama2.model import encoder

    class Small(encoder.BEATsConfig):
        def __init__(self):
            super().__init__()
            sizes = {"embed_dim": 32, "encoder_embed_dim": SOUND_WIDTH, "encoder_ffn_embed_dim": SOUND_WIDTH}
            self.update({"encoder_layers": 2, "encoder_attention_heads": 2, **sizes})

    encoder.BEATsConfig = Small


def write_checkpoint():
    from videollama2.model import Videollama2Qwen2Config, Videollama2Qwen2ForCausalLM

    config = Videollama2Qwen2Config(
        vocab_size=len(write_qwen_tokenizer(".", chat_template=TEMPLATE)),
        hidden_size=WIDTH,
        intermediate_size=WIDTH,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        mm_vision_tower="siglip",
        mm_vision_select_layer=-2,
        mm_projector_type="stc_connector_v35",
        mm_hidden_size=WIDTH,
        mm_audio_tower="audio_tower.bin",
        mm_projector_a_type="mlp2x_gelu",
        mm_hidden_size_a=SOUND_WIDTH,
        hidden_size_a=WIDTH,
        num_frames=16,
        initializer_range=0.2,
        tune_mm_mlp_adapter=False,
    )
    model = Videollama2Qwen2ForCausalLM(config)
    model.get_vision_tower().load_model()
    weights = {name: value.clone() for name, value in model.state_dict().items()}  # BEATs' layers share a table
    model.save_pretrained(".", state_dict=weights)


def main():
    worker_class = shipped_worker("videollama2", "VideoLlama2")
    os.makedirs(FOLDER, exist_ok=True)
    os.chdir(FOLDER)
    torch.manual_seed(0)
    find_ffmpeg()
    write_picture_encoder()
    shrink_beats()
    write_checkpoint()
    worker = worker_class(CHECKOUT, FOLDER, {})
    worker.load()
    examine(worker, worker.network.lm_head)


stay_on_the_cpu()
main()
