"""Which layers of a model LoRA adapts."""

LINEARS = r"(.*\blanguage_model|model)\.layers\.\d+\..*\.(q_proj|k_proj|v_proj|o_proj|gate_proj|up_proj|down_proj)"
"""The linear layers of the language model, by their names in the whole model (a regular expression); Qwen2.5-Omni's are
`model.layers` in transformers up to 5.20."""
