"""Entry point `lmms_eval.models`: which models we bring; it also makes our tasks known.

lmms-eval loads every plugin's entry point in one try block, so a failure here would take other plugins' models with
it: nothing heavy is imported, and class paths are only named.
"""

from lmms_eval.models.registry_v2 import ModelManifest

from emorealm_tasks import plugin


def manifests() -> list[ModelManifest]:
    """`avere` answers chat tasks, with --force_simple simple ones; `avere_likelihood` is its simple class by name."""
    plugin.register()
    simple = "model_adapters.avere.adapter.AvereLikelihood"
    return [
        ModelManifest("avere", simple_class_path=simple, chat_class_path="model_adapters.avere.adapter.AvereChat"),
        ModelManifest("avere_likelihood", simple_class_path=simple),
    ]
