"""Packages whose modules are loaded when a name of theirs is used, and the commands that start at once for it."""

import json
import subprocess
import sys

import pytest

import avem_train.objectives
import model_adapters.avere
import model_adapters.emotion_llama
from emorealm_results import cli
from emorealm_tasks import media

PACKAGES = (media, avem_train.objectives, model_adapters.avere, model_adapters.emotion_llama)
LIGHT = (
    "model_adapters.manifests",
    "avem_train.cli",
    "avem_train.curation.workers",
    "avem_train.data.checks",
    "emorealm_tasks.mini.cli",
)
"""Modules beside the verbs of `emorealm` that answer nothing and train nothing."""


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.__name__)
def test_every_public_name_is_there_and_no_other(package):
    for name in package.__all__:
        assert getattr(package, name) is getattr(package, name), name
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        package.nothing  # noqa: B018


def test_what_neither_answers_nor_trains_loads_no_torch():
    """It takes seconds; a worker of a curation on Ray pays them too."""
    modules = [*LIGHT, *(module for module, _ in cli._VERBS.values())]
    program = (
        "import importlib, json, sys\n"
        "heavy = ('torch', 'transformers', 'lmms_eval', 'datasets', 'pandas')\n"
        "for name in json.loads(sys.argv[1]):\n"
        "    importlib.import_module(name)\n"
        "    found = [one for one in heavy if one in sys.modules]\n"
        "    assert not found, f'{name} imports {found}'\n"
    )
    done = subprocess.run([sys.executable, "-c", program, json.dumps(modules)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
