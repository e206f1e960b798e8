"""Which of Emotion-LLaMA's media tokens show and which sound."""

import torch

from model_adapters.base.attention import OTHER, PICTURE, SOUND

from .configuration import EmotionLlamaConfig


def kinds_of(ids: torch.Tensor, config: EmotionLlamaConfig) -> torch.Tensor:
    """The kind of each token of a prompt about a whole clip, ids (length,).

    Version 1 has the image, MAE, VideoMAE, one token of sound, and CLS. Version 2 begins with a fusion of both, which
    is of neither kind; then image, video, sound. Raises ValueError where the prompt has tokens of another number.
    """
    if config.version == 1:
        media = [PICTURE] * (config.image_tokens + 2) + [SOUND, PICTURE]
    else:
        pooled = config.pooled_tokens
        media = [OTHER] * pooled + [PICTURE] * (config.image_tokens + pooled) + [SOUND] * pooled
    places = ids == config.media_token_id
    if int(places.sum()) != len(media):
        raise ValueError(f"the prompt has {int(places.sum())} media tokens, a clip has {len(media)}")
    kinds = torch.full_like(ids, OTHER)
    kinds[places] = torch.tensor(media, dtype=ids.dtype, device=ids.device)
    return kinds
