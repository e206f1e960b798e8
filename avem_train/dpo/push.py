"""A training that ends on the Hugging Face hub: what is missing for that is said before it begins."""

import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from avem_train.backbones import loading
from emorealm_tasks.errors import stop
from model_adapters.base import uploads

if TYPE_CHECKING:
    from avem_train.dpo.settings import TrainingSettings

_OPTION = "push_to_hub="


def check(settings: "TrainingSettings") -> None:
    """Stop where the result could not be uploaded: no name of a repository, no token, a base that nobody else has."""
    if not settings.push_to_hub:
        return
    from avem_train.dpo import model_card

    uploads.check(settings.push_to_hub, _OPTION)
    base, _ = model_card.of_base(loading.find(settings.model))
    if Path(base).is_absolute() and not settings.push_base:
        stop(
            f"{_OPTION}{settings.push_to_hub}: the model is {base}, a folder that nobody else has; say with "
            "push_base=ORG/NAME where others find these weights"
        )


def upload(settings: "TrainingSettings") -> None:
    """Upload weights, card and settings of a finished training, and say where they are; private, if it is new."""
    from avem_train.dpo import hub_folder

    out, repository = settings.out, settings.push_to_hub
    with tempfile.TemporaryDirectory(prefix="emorealm-push-") as folder:
        holds = hub_folder.write(Path(folder), out, settings.push_base, "push_base=")
        print(f"avem-train: uploading {holds} to {repository}", file=sys.stderr, flush=True)
        instead = f"the training is finished: the same command uploads it, and so does emorealm push {out}"
        words = uploads.Words(_OPTION, "push_public=true", instead)
        address = uploads.upload(Path(folder), repository, "model", settings.push_public, words)
    print(f"{address}: {holds}", flush=True)
