"""Entry point `lmms_eval.models`: which models we bring; it also makes our tasks known.

lmms-eval loads every plugin's entry point in one try block, so a failure here would take other plugins' models with
it: nothing heavy is imported, and class paths are only named.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from emorealm_tasks import plugin
from model_adapters.catalogue import MODELS

if TYPE_CHECKING:
    from lmms_eval.models.registry_v2 import ModelManifest


def manifests() -> list[ModelManifest]:
    """`avere` answers chat tasks, with --force_simple simple ones; `avere_likelihood` is its simple class by name.

    `external_worker` hands chat tasks to a process of its own; the rest is in the catalogue.
    """
    # imported here: importing this module must not start lmms_eval.models, which loads this module's entry point
    from lmms_eval.models.registry_v2 import ModelManifest

    plugin.register(["avere", "avere_likelihood", "external_worker", *(model.name for model in MODELS)])
    simple = "model_adapters.avere.adapter.AvereLikelihood"
    return [
        ModelManifest("avere", simple_class_path=simple, chat_class_path="model_adapters.avere.adapter.AvereChat"),
        ModelManifest("avere_likelihood", simple_class_path=simple),
        ModelManifest("external_worker", chat_class_path="model_adapters.external_worker.adapter.ExternalWorker"),
        *(ModelManifest(model.name, chat_class_path=model.chat_class) for model in MODELS if model.chat_class),
    ]
