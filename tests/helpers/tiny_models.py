"""Tiny checkpoints for tests: real classes of transformers, random weights, tokenizers made on the spot."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedModel, PreTrainedTokenizerFast, ProcessorMixin

_LOUD = {"initializer_range": 0.3}
"""Random weights that say something: with transformers' 0.02 every answer is the same."""
_TEXT = _LOUD | {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4}
_TEXT |= {"num_key_value_heads": 2, "max_position_embeddings": 4096, "tie_word_embeddings": False}
_MROPE = {"rope_type": "default", "mrope_section": [1, 1, 2], "rope_theta": 10000.0}
_SEES = _LOUD | {"hidden_size": 32, "intermediate_size": 48}
_PATCHES = {"shortest_edge": 56 * 56, "longest_edge": 56 * 56 * 8}


def tokenizer(marks: Sequence[str], named: dict[str, str]) -> PreTrainedTokenizerFast:
    """Bytes and the special tokens `marks`; `named` are those that a processor asks for by attribute."""
    made = Tokenizer(models.BPE())
    made.pre_tokenizer, made.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=300, initial_alphabet=alphabet, special_tokens=list(marks))
    made.train_from_iterator(["system user assistant Yes No"], trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=made, eos_token="<|im_end|>", pad_token="<|endoftext|>", extra_special_tokens=named
    )


def chat_template(**blocks: str) -> str:
    """ChatML whose media items stand as `blocks` says by their type."""
    media = "".join(f"{{% elif item['type'] == '{kind}' %}}{{{{ {text!r} }}}}" for kind, text in blocks.items())
    return (
        "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{% for item in message['content'] %}"
        "{% if item['type'] == 'text' %}{{ item['text'] }}" + media + "{% endif %}{% endfor %}<|im_end|>\n{% endfor %}"
        "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
    )


def _marks(*own: str) -> list[str]:
    return ["<|im_start|>", "<|im_end|>", "<|endoftext|>", *own]


def _save(folder: Path, model: Callable[[], PreTrainedModel], processor: ProcessorMixin) -> Path:
    torch.manual_seed(0)
    model().save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


def qwen2_audio(folder: Path) -> Path:
    """Qwen2-Audio."""
    from transformers import (
        Qwen2AudioConfig,
        Qwen2AudioForConditionalGeneration,
        Qwen2AudioProcessor,
        WhisperFeatureExtractor,
    )

    made = tokenizer(_marks("<|AUDIO|>", "<|audio_bos|>", "<|audio_eos|>"), {"audio_token": "<|AUDIO|>"})
    audio = {"model_type": "qwen2_audio_encoder", "d_model": 32, "encoder_layers": 1, "encoder_attention_heads": 2}
    config = Qwen2AudioConfig(
        audio_config=audio | _LOUD | {"encoder_ffn_dim": 48, "num_mel_bins": 16},
        text_config=_TEXT | {"model_type": "qwen2", "vocab_size": len(made)},
        audio_token_index=made.convert_tokens_to_ids("<|AUDIO|>"),
    )
    processor = Qwen2AudioProcessor(WhisperFeatureExtractor(feature_size=16), made)
    return _save(folder, lambda: Qwen2AudioForConditionalGeneration(config), processor)


def audio_flamingo3(folder: Path) -> Path:
    """Audio Flamingo 3."""
    from transformers import (
        AudioFlamingo3Config,
        AudioFlamingo3ForConditionalGeneration,
        AudioFlamingo3Processor,
        WhisperFeatureExtractor,
    )

    made = tokenizer(_marks("<sound>"), {"audio_token": "<sound>"})
    audio = {"model_type": "audioflamingo3_encoder", "hidden_size": 32, "num_hidden_layers": 1}
    config = AudioFlamingo3Config(
        audio_config=audio | _LOUD | {"num_attention_heads": 2, "intermediate_size": 48, "num_mel_bins": 16},
        text_config=_TEXT | {"model_type": "qwen2", "vocab_size": len(made)},
        audio_token_id=made.convert_tokens_to_ids("<sound>"),
    )
    extractor = WhisperFeatureExtractor(feature_size=16)
    processor = AudioFlamingo3Processor(extractor, made, chat_template=chat_template(audio="<sound>"))
    return _save(folder, lambda: AudioFlamingo3ForConditionalGeneration(config), processor)


def qwen2_5_vl(folder: Path) -> Path:
    """Qwen2.5-VL."""
    from transformers import (
        Qwen2_5_VLConfig,
        Qwen2_5_VLForConditionalGeneration,
        Qwen2_5_VLProcessor,
        Qwen2VLImageProcessor,
        Qwen2VLVideoProcessor,
    )

    own = ["<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>"]
    made = tokenizer(_marks(*own), {"image_token": own[2], "video_token": own[3]})
    starts, ends, image, video = made.convert_tokens_to_ids(own)
    config = Qwen2_5_VLConfig(
        vision_config=_SEES | {"depth": 2, "num_heads": 2, "out_hidden_size": 32, "fullatt_block_indexes": [1]},
        text_config=_TEXT | {"vocab_size": len(made), "rope_parameters": _MROPE},
        image_token_id=image,
        video_token_id=video,
        vision_start_token_id=starts,
        vision_end_token_id=ends,
    )
    template = chat_template(video=own[0] + own[3] + own[1])
    pictures, videos = Qwen2VLImageProcessor(), Qwen2VLVideoProcessor(size=_PATCHES)
    processor = Qwen2_5_VLProcessor(pictures, made, videos, chat_template=template)
    return _save(folder, lambda: Qwen2_5_VLForConditionalGeneration(config), processor)


def videollama3(folder: Path) -> Path:
    """VideoLLaMA3."""
    from transformers import (
        VideoLlama3Config,
        VideoLlama3ForConditionalGeneration,
        VideoLlama3ImageProcessor,
        VideoLlama3Processor,
        VideoLlama3VideoProcessor,
    )

    own = ["<image>", "<video>"]
    made = tokenizer(_marks(*own), {"image_token": own[0], "video_token": own[1]})
    config = VideoLlama3Config(
        vision_config=_SEES | {"num_hidden_layers": 2, "num_attention_heads": 2, "patch_size": 14},
        text_config=_TEXT | {"model_type": "qwen2", "vocab_size": len(made)},
        image_token_id=made.convert_tokens_to_ids(own[0]),
        video_token_id=made.convert_tokens_to_ids(own[1]),
    )
    pictures, videos = VideoLlama3ImageProcessor(), VideoLlama3VideoProcessor(size=_PATCHES)
    processor = VideoLlama3Processor(pictures, made, videos, chat_template=chat_template(video=own[1]))
    return _save(folder, lambda: VideoLlama3ForConditionalGeneration(config), processor)


def internvl3_5(folder: Path) -> Path:
    """InternVL3.5, whose language model is Qwen3."""
    from transformers import (
        GotOcr2ImageProcessor,
        InternVLConfig,
        InternVLForConditionalGeneration,
        InternVLProcessor,
        InternVLVideoProcessor,
    )

    named = {"start_image_token": "<img>", "end_image_token": "</img>", "context_image_token": "<IMG_CONTEXT>"}
    named |= {"video_token": "<video>"}
    made = tokenizer(_marks(*named.values()), named)
    size = {"height": 56, "width": 56}
    config = InternVLConfig(
        vision_config=_SEES
        | {"num_hidden_layers": 2, "num_attention_heads": 2, "image_size": 56, "patch_size": 14}
        | {"layer_scale_init_value": 1.0},
        text_config=_TEXT | {"model_type": "qwen3", "vocab_size": len(made), "head_dim": 8},
        image_token_id=made.convert_tokens_to_ids("<IMG_CONTEXT>"),
        image_seq_length=4,
        tie_word_embeddings=False,
    )
    pictures, videos = GotOcr2ImageProcessor(size=size), InternVLVideoProcessor(size=size)
    template = chat_template(video="<video>\n")
    processor = InternVLProcessor(pictures, made, videos, image_seq_length=4, chat_template=template)
    return _save(folder, lambda: InternVLForConditionalGeneration(config), processor)


def qwen3_omni(folder: Path) -> Path:
    """Qwen3-Omni's thinker."""
    from transformers import (
        Qwen2VLImageProcessor,
        Qwen2VLVideoProcessor,
        Qwen3OmniMoeProcessor,
        Qwen3OmniMoeThinkerConfig,
        Qwen3OmniMoeThinkerForConditionalGeneration,
        WhisperFeatureExtractor,
    )

    marks = {f"{kind}_token": f"<|{kind}_pad|>" for kind in ("image", "audio", "video")}
    marks |= {f"{kind}_{end}_token": f"<|{kind}_{end}|>" for kind in ("vision", "audio") for end in ("bos", "eos")}
    made = tokenizer(_marks(*marks.values()), marks)
    ids = {name.removesuffix("_token"): made.convert_tokens_to_ids(mark) for name, mark in marks.items()}
    audio = _LOUD | {"d_model": 32, "encoder_layers": 1, "encoder_attention_heads": 2, "encoder_ffn_dim": 48}
    config = Qwen3OmniMoeThinkerConfig(
        text_config=_TEXT
        | {"vocab_size": len(made), "num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 16}
        | {"rope_parameters": _MROPE | {"mrope_interleaved": True}, "head_dim": 8},
        vision_config=_SEES
        | {"depth": 2, "num_heads": 2, "out_hidden_size": 32, "deepstack_visual_indexes": [0]}
        | {"num_position_embeddings": 64},
        audio_config=audio | {"output_dim": 32, "num_mel_bins": 16, "downsample_hidden_size": 16},
        **{f"{kind}_token_id": ids[kind] for kind in ("image", "audio", "video")},
        **{f"audio_{name}_token_id": ids[f"audio_{end}"] for name, end in (("start", "bos"), ("end", "eos"))},
        **{f"vision_{name}_token_id": ids[f"vision_{end}"] for name, end in (("start", "bos"), ("end", "eos"))},
        position_id_per_seconds=13,
    )
    marks = {"video": ("vision", "video"), "audio": ("audio", "audio")}
    blocks = {kind: f"<|{own}_bos|><|{pad}_pad|><|{own}_eos|>" for kind, (own, pad) in marks.items()}
    processor = Qwen3OmniMoeProcessor(
        Qwen2VLImageProcessor(patch_size=16),
        Qwen2VLVideoProcessor(patch_size=16),
        WhisperFeatureExtractor(feature_size=16),
        made,
        chat_template=chat_template(**blocks),
    )
    return _save(folder, lambda: Qwen3OmniMoeThinkerForConditionalGeneration(config), processor)


def qwen2_5_omni(folder: Path, head: int = 8) -> Path:
    """Qwen2.5-Omni's thinker; engines have attention for heads of 32 numbers and more only."""
    from transformers import (
        Qwen2_5OmniProcessor,
        Qwen2_5OmniThinkerConfig,
        Qwen2_5OmniThinkerForConditionalGeneration,
        Qwen2VLImageProcessor,
        Qwen2VLVideoProcessor,
        WhisperFeatureExtractor,
    )

    marks = {name: f"<|{name}|>" for name in ("IMAGE", "AUDIO", "VIDEO", "im_start", "im_end", "endoftext")}
    marks |= {f"{kind}_{end}": f"<|{kind}_{end}|>" for kind in ("vision", "audio") for end in ("bos", "eos")}
    named = {f"{kind.lower()}_token": marks[kind] for kind in ("IMAGE", "AUDIO", "VIDEO")}
    named |= {f"{kind}_token": mark for kind, mark in marks.items() if kind.endswith(("bos", "eos"))}
    made = tokenizer(list(marks.values()), named)
    ids = {name: made.convert_tokens_to_ids(mark) for name, mark in marks.items()}
    wide = {"hidden_size": 4 * head}
    sections = [head // 8, head // 8, head // 4]
    config = Qwen2_5OmniThinkerConfig(
        text_config=_TEXT | wide | {"vocab_size": len(made), "rope_parameters": _MROPE | {"mrope_section": sections}},
        vision_config=_SEES | {"depth": 2, "num_heads": 2, "out_hidden_size": 4 * head, "fullatt_block_indexes": [1]},
        audio_config=_LOUD
        | {"d_model": 32, "encoder_layers": 1, "encoder_attention_heads": 2, "encoder_ffn_dim": 48}
        | {"output_dim": 4 * head, "num_mel_bins": 16, "n_window": 50},
        image_token_index=ids["IMAGE"],
        audio_token_index=ids["AUDIO"],
        video_token_index=ids["VIDEO"],
        audio_start_token_id=ids["audio_bos"],
        audio_end_token_id=ids["audio_eos"],
        vision_start_token_id=ids["vision_bos"],
        vision_end_token_id=ids["vision_eos"],
    )
    processor = Qwen2_5OmniProcessor(
        image_processor=Qwen2VLImageProcessor(),
        video_processor=Qwen2VLVideoProcessor(),
        feature_extractor=WhisperFeatureExtractor(feature_size=16),
        tokenizer=made,
        chat_template=chat_template(
            image="<|vision_bos|><|IMAGE|><|vision_eos|>",
            video="<|vision_bos|><|VIDEO|><|vision_eos|>",
            audio="<|audio_bos|><|AUDIO|><|audio_eos|>",
        ),
    )
    return _save(folder, lambda: Qwen2_5OmniThinkerForConditionalGeneration(config), processor)


def emotion_llama(folder: Path, version: int = 1) -> Path:
    """Emotion-LLaMA of either version, with a released LoRA that counts."""
    import emotion_llama_files as files
    from model_adapters.avere.conversion import read_tokenizer
    from model_adapters.emotion_llama import EmotionLlamaConfig, EmotionLlamaForConditionalGeneration
    from model_adapters.emotion_llama.processing import EmotionLlamaProcessor

    parts: dict[str, Any] = {"text_config": {**files.LLAMA, **_LOUD}} | files.sizes(version)
    for name in ("vision_config", "video_config"):
        if name in parts:
            parts[name] = parts[name] | _LOUD
    if version == 1:
        parts["hubert_config"] = _LOUD | files.HUBERT
    else:
        parts["whisper_config"] = {"d_model": files.AUDIO, "encoder_layers": 1, "encoder_attention_heads": 2}
        parts["whisper_config"] |= {"encoder_ffn_dim": 16, "num_mel_bins": 8, "init_std": 0.3}
        parts["whisper_config"]["max_source_positions"] = 64
    config = EmotionLlamaConfig(version=version, lora_rank=files.RANK, initializer_range=0.3, **parts)

    def build() -> EmotionLlamaForConditionalGeneration:
        model = EmotionLlamaForConditionalGeneration(config)
        for name, value in model.named_parameters():
            if name.endswith(".up.weight"):
                torch.nn.init.normal_(value, std=0.3)
        return model

    return _save(folder, build, EmotionLlamaProcessor(read_tokenizer(files.TOKENIZER), config))


def whole_omni(thinker: Path, folder: Path) -> Path:
    """A thinker in the published layout of the whole model: names with a prefix, a configuration it is a part of."""
    from safetensors.torch import load_file, save_file
    from transformers import AutoProcessor

    weights = load_file(thinker / "model.safetensors")
    renamed = {f"thinker.{name}": tensor for name, tensor in weights.items()} | {"talker.x": torch.zeros(1)}
    save_file(renamed, folder / "model.safetensors", metadata={"format": "pt"})
    config = json.loads((thinker / "config.json").read_text())
    whole = {"model_type": "qwen2_5_omni", "architectures": ["Qwen2_5OmniModel"], "thinker_config": config}
    (folder / "config.json").write_text(json.dumps(whole))
    AutoProcessor.from_pretrained(thinker).save_pretrained(folder)
    return folder
