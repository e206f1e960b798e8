"""Entry point `vllm.general_plugins`: makes AVERE known to vLLM, in each of its processes.

Every process of every vLLM in this environment calls it, so it names the model without importing it: vLLM does that
when a checkpoint of AVERE is opened.
"""

ARCHITECTURE = "AvereForConditionalGeneration"
"""What AVERE's config.json names as its architecture."""
_MODEL = "model_adapters.engines.avere_vllm_model:AvereForVLLM"


def register() -> None:
    """Name our configuration and our model; again where that was done before, it changes nothing."""
    from transformers import AutoConfig
    from vllm import ModelRegistry

    from model_adapters.avere.configuration import AvereConfig

    AutoConfig.register("avere", AvereConfig, exist_ok=True)
    if ARCHITECTURE not in ModelRegistry.get_supported_archs():
        ModelRegistry.register_model(ARCHITECTURE, _MODEL)
