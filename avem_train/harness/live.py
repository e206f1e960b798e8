"""The model in training as a model of the harness: its own adapters answer, around the weights that are there."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from lmms_eval.models import get_model
from loguru import logger

from avem_train.backbones import loading
from avem_train.backbones.base import projectors_are_trained, whole
from avem_train.harness import asked
from avem_train.harness.tasks import Tasks

if TYPE_CHECKING:
    from avem_train.backbones.base import Backbone


class Live:
    """Mixin of an adapter's class: takes the backbone's model instead of loading one, and leaves it at the end."""

    backbone: "Backbone"
    """Set by `_of`."""

    def loaded(self, *unused: Any) -> tuple[Any, Any, str]:
        """Model, processor, and no fingerprint: the weights are those of a moment."""
        return self.backbone.model, self.backbone.processor, ""

    def clean(self) -> None:
        """Leave the model to the training."""


class Benchmarks:
    """Scores of a backbone's model on benchmarks of the harness.

    out: folder of the training, which says how the model is asked. limit: questions of a task; 0 = all. Stops where
    a benchmark's clips are not there.
    """

    def __init__(self, backbone: "Backbone", out: Path, names: Sequence[str], limit: int, batch: int) -> None:
        self._backbone, self._out, self._batch = backbone, out, batch
        self._name = loading.evaluated_by(backbone.folder)
        with _quiet():
            self._tasks = Tasks(self._name, names, limit)
        self._live: Any = None

    def scores(self) -> dict[str, float]:
        """Scores by benchmark and name, e.g. emorealm_mini_accuracy, see `asked.scores`; on every process."""
        trained = projectors_are_trained(self._backbone)
        with whole(self._backbone) as model, _own_casts(model), _quiet():
            records = self._tasks.records(self._adapter())
            if trained:
                self.close()  # with it go the features that it holds
        found: list[dict[str, float]] = [{}]
        for benchmark, answered in (records or {}).items():
            found[0] |= asked.scores(benchmark, answered)
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            torch.distributed.broadcast_object_list(found)
        return found[0]

    def close(self) -> None:
        """End its threads and forget the clips."""
        if encoder := getattr(self._live, "encoder", None):
            encoder.close()
        self._live = None

    def _adapter(self) -> Any:
        """The model as one of the harness's; from one evaluation to the next where clips are encoded alike."""
        if self._live is None:
            self._live = self._new()
        return self._live

    def _new(self) -> Any:
        kind = get_model(self._name)
        live: Any = type(kind.__name__, (Live, kind), {"backbone": self._backbone})
        of_this_training = self._out if self._backbone.answering else self._backbone.folder
        more = {"nano_anyway": True} if self._name == "avere" else {}
        device = str(self._backbone.model.device)
        return live(pretrained=str(of_this_training), device=device, batch_size=self._batch, max_errors=0.0, **more)


@contextmanager
def _quiet() -> Iterator[None]:
    """Inside the block lmms-eval logs nothing; what goes wrong there raises."""
    logger.disable("lmms_eval")
    try:
        yield
    finally:
        logger.enable("lmms_eval")


@contextmanager
def _own_casts(model: torch.nn.Module) -> Iterator[None]:
    """Inside the block each adapter casts its input: it does so wherever no autocast does (see `trainable`)."""
    layers: list[Any] = [module for module in model.modules() if hasattr(module, "cast_input_dtype_enabled")]
    before = [layer.cast_input_dtype_enabled for layer in layers]
    for layer in layers:
        layer.cast_input_dtype_enabled = True
    try:
        yield
    finally:
        for layer, casts in zip(layers, before, strict=True):
            layer.cast_input_dtype_enabled = casts
