"""Names of the released files' tensors -> names here; None for those that are not used."""

from model_adapters.avere.conversion import Rules

_LAYERS = r"llama_model\.base_model\.model\.model\.layers\.(\d+)\.self_attn\."
CHECKPOINT: Rules = (
    (_LAYERS + r"rotary_emb\.inv_freq", None),  # computed
    (r"attention\..*", None),  # a classifier of emotions that no text comes from
    (_LAYERS + r"([qv]_proj)\.lora_A(?:\.default)?\.weight", r"language_model.layers.\1.self_attn.\2.down.weight"),
    (_LAYERS + r"([qv]_proj)\.lora_B(?:\.default)?\.weight", r"language_model.layers.\1.self_attn.\2.up.weight"),
    (r"ln_vision\.(weight|bias)", r"clip_encoder.image.tower.post_layernorm.\1"),
    (r"llama_proj\.(weight|bias)", r"clip_encoder.image_projector.\1"),
)
VERSION_1: Rules = (
    *CHECKPOINT,
    (r"feats_llama_proj1\.(.*)", r"clip_encoder.feature_projectors.0.\1"),
    (r"feats_llama_proj2\.(.*)", r"clip_encoder.feature_projectors.1.\1"),
    (r"feats_llama_proj3\.(.*)", r"clip_encoder.feature_projectors.2.\1"),
    (r"cls_tk_llama_proj\.(.*)", r"clip_encoder.cls_projector.\1"),
)
_FUSION = r"conv_pro_module\."
VERSION_2: Rules = (
    *CHECKPOINT,
    (r"llama_proj_(video|audio|fusion)\.(.*)", r"clip_encoder.\1_projector.\2"),
    (_FUSION + r"feats_prep\.(.*)", r"clip_encoder.fusion.inputs.\1"),
    (_FUSION + r"attention_mlp\.(.*)", r"clip_encoder.fusion.weigher.\1"),
    (_FUSION + r"fc_att\.(.*)", r"clip_encoder.fusion.weights.\1"),
    (_FUSION + r"conv_entry\.(.*)", r"clip_encoder.fusion.entry.\1"),
    (_FUSION + r"conv_module\.conv_blocks\.(\d+)\.conv_block\.0\.(.*)", r"clip_encoder.fusion.convolutions.\1.\2"),
    (_FUSION + r"fc_final\.(.*)", r"clip_encoder.fusion.output.\1"),
)
LLAMA: Rules = (
    (r".*\.rotary_emb\.inv_freq", None),
    (r"lm_head\.weight", "lm_head.weight"),
    (r"model\.(.*)", r"language_model.\1"),
)
HUBERT: Rules = (
    (r"(?:hubert\.)?(.*conv\.)weight_g", r"clip_encoder.hubert.\1parametrizations.weight.original0"),
    (r"(?:hubert\.)?(.*conv\.)weight_v", r"clip_encoder.hubert.\1parametrizations.weight.original1"),
    (
        r"(?:hubert\.)?((?:feature_extractor|feature_projection|encoder)\..*|masked_spec_embed)",
        r"clip_encoder.hubert.\1",
    ),
)
WHISPER: Rules = (
    (r"(model\.)?decoder\..*|proj_out\.weight", None),
    (r"(?:model\.)?encoder\.(.*)", r"clip_encoder.audio.\1"),
)
EVA: Rules = (
    (r"head\..*|fc_norm\..*|mask_token|rel_pos_bias\..*", None),
    (r"cls_token", "embeddings.class_embedding"),
    (r"pos_embed", "embeddings.position_embedding"),
    (r"patch_embed\.proj\.(.*)", r"embeddings.patch_embedding.\1"),
    (r"blocks\.(\d+)\.norm([12])\.(.*)", r"encoder.layers.\1.layer_norm\2.\3"),
    (r"blocks\.(\d+)\.attn\.qkv\.(weight|bias)", r"encoder.layers.\1.self_attn.qkv.\2"),
    (r"blocks\.(\d+)\.attn\.proj\.(.*)", r"encoder.layers.\1.self_attn.projection.\2"),
    (r"blocks\.(\d+)\.mlp\.(.*)", r"encoder.layers.\1.mlp.\2"),
    (r"norm\.(weight|bias)", r"post_layernorm.\1"),
)
"""After `eva_weights.joined_biases`."""
