"""``emorealm models``: every model that has an adapter here: how to name it, what of a clip reaches it, its weights.

`model_adapters/README.md` has licences, what the tests prove, and what differs from the paper's way of asking.
"""

from collections.abc import Sequence

from emorealm_results.console import listing
from emorealm_tasks.command_line import Parser
from model_adapters.catalogue import MODELS, WORKER, Model


def main(argv: Sequence[str]) -> int:
    """The verb; returns 0."""
    Parser(prog="emorealm models", description=__doc__).parse_args(argv)
    rows = [("--model", "is given", "weights")]
    rows += [(option(model), fed(model), model.checkpoint or "named with pretrained=") for model in MODELS]
    first, second = (max(len(row[place]) for row in rows) + 2 for place in (0, 1))
    for named, given, checkpoint in rows:
        print(listing.line(f"{named:<{first}}{given}", checkpoint, first + second))
    print("\nworker=NAME is asked by --model external_worker --model_args worker=NAME")
    return 0


def option(model: Model) -> str:
    """How lmms-eval is told to ask a model."""
    if model.route == WORKER:
        return f"worker={model.name}"
    return model.name


def fed(model: Model) -> str:
    """What of a clip really reaches a model."""
    return " + ".join(word for word, reaches in (("picture", model.sees), ("sound", model.hears)) if reaches)
