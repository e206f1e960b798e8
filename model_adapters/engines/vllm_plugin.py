"""Entry point `vllm.general_plugins`: makes AVERE known to vLLM, in each of its processes.

vLLM loads the model's own module when a checkpoint of AVERE is opened; registering it only names it.
"""

ARCHITECTURE = "AvereForConditionalGeneration"
"""What AVERE's config.json names as its architecture."""
_MODEL = "model_adapters.engines.avere_vllm_model:AvereForVLLM"


def register() -> None:
    """Name our model for AVERE's architecture; again where that was done before, it changes nothing."""
    from vllm import ModelRegistry

    import model_adapters.avere.classes  # noqa: F401 - registers the configuration that vLLM reads config.json with

    if ARCHITECTURE not in ModelRegistry.get_supported_archs():
        ModelRegistry.register_model(ARCHITECTURE, _MODEL)
