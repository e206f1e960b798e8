"""How a trained model must be asked: as it was in training, which its folder says.

Training writes `answering` into training.json where a model is trained on another prompt than its adapter's default;
the adapter follows it wherever an argument does not say otherwise.
"""

from dataclasses import dataclass, fields, replace
from pathlib import Path

from emorealm_tasks.errors import stop
from model_adapters.base import lora_folders
from model_adapters.base.frame_sampling import Sampling

KEY = "answering"


@dataclass(frozen=True)
class Answering:
    """How a model was asked in training."""

    interleave: bool
    """Whether the sound stands in the video's block."""
    fps: float
    """As in `Sampling`."""
    frames: int
    """`most` of `Sampling`."""
    least: int
    """As in `Sampling`."""

    def sampling(self, like: Sampling) -> Sampling:
        """A model's own sampling with these numbers."""
        return replace(like, fps=self.fps, most=self.frames, least=self.least)

    def __str__(self) -> str:
        return ", ".join(f"{field.name}={getattr(self, field.name)}" for field in fields(self))


def read(checkpoint: str) -> Answering | None:
    """What the folder of a training says; None for any other folder or a hub id. Stops at keys that are not known."""
    recorded = lora_folders.training(Path(checkpoint).expanduser()).get(KEY)
    if recorded is None:
        return None
    try:
        return Answering(**recorded)
    except TypeError as error:
        stop(f"{checkpoint}: {KEY} in its training.json cannot be followed ({error}); use the version that trained it")


def require(owner: str, checkpoint: str | None, **values: object) -> None:
    """Stop at adapters alone that come without the training.json of their training, unless `values` say how to ask.

    Another prompt than in training costs points without a word.
    """
    folder = Path(checkpoint).expanduser() if checkpoint else None
    missing = [name for name, value in values.items() if value is None]
    if folder and missing and lora_folders.is_adapters_only(folder) and not lora_folders.training(folder):
        stop(
            f"{owner}: {checkpoint}: these adapters come without the training.json of their training, so how the model "
            f"was asked is not known; put that file beside them, or say it: {', '.join(f'{n}=...' for n in missing)}"
        )
