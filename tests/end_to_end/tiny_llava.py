"""LLaVA-OneVision with random weights, small enough for a test: lmms-eval's own `llava_hf` class loads and runs it."""

from pathlib import Path

import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import (
    LlavaOnevisionConfig,
    LlavaOnevisionForConditionalGeneration,
    LlavaOnevisionImageProcessor,
    LlavaOnevisionProcessor,
    LlavaOnevisionVideoProcessor,
    PreTrainedTokenizerFast,
)

WORDS = ("happy", "sad", "angry", "surprised", "disgusted", "afraid", "neutral", "person", "the", "in", "video", "a")
TEMPLATE = "{% for message in messages %}{{ message['content'] }}{% endfor %}"
SIZE = {"height": 32, "width": 32}
PATCH, TOKENS = 8, 16
"""Side of a patch, and patches of a picture: (32 / 8) squared."""


def write(folder: Path) -> Path:
    """Save the model and its processor to `folder`; the vocabulary is a few words, most of them emotions."""
    names = ["<pad>", "<end>", "<unk>", "<image>", "<video>", *WORDS]
    words = Tokenizer(models.WordLevel({name: number for number, name in enumerate(names)}, unk_token="<unk>"))
    words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=words, pad_token="<pad>", eos_token="<end>", unk_token="<unk>", chat_template=TEMPLATE
    )
    tokenizer.add_special_tokens({"additional_special_tokens": ["<image>", "<video>"]})
    text = {"model_type": "qwen2", "vocab_size": len(names), "hidden_size": 16, "intermediate_size": 32}
    text |= {"num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 2, "initializer_range": 0.5}
    vision = {"model_type": "siglip_vision_model", "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2}
    vision |= {"num_attention_heads": 2, "image_size": 32, "patch_size": PATCH, "vision_use_head": False}
    torch.manual_seed(0)
    config = LlavaOnevisionConfig(
        vision_config=vision,
        text_config=text,
        image_token_index=names.index("<image>"),
        video_token_index=names.index("<video>"),
        image_grid_pinpoints=[[32, 32]],
    )
    LlavaOnevisionForConditionalGeneration(config).save_pretrained(folder)
    LlavaOnevisionProcessor(
        LlavaOnevisionImageProcessor(size=SIZE, image_grid_pinpoints=[[32, 32]]),
        tokenizer,
        LlavaOnevisionVideoProcessor(size=SIZE),
        num_image_tokens=TOKENS,
        vision_feature_select_strategy="full",
        chat_template=TEMPLATE,
    ).save_pretrained(folder)
    return folder
