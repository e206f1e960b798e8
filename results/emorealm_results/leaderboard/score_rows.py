"""What the leaderboard knows of a run, or of the paper: one row a score."""

from dataclasses import dataclass
from typing import Any

from emorealm_results.runs import saved


@dataclass(frozen=True)
class ScoreRow:
    """One score of one model."""

    source: str
    """measured or published."""
    model: str
    """Name of the run, or of the model in the paper."""
    modality: str
    """What the model was given: "A", "V" or "A,V"; "" where unknown."""
    benchmark: str
    """"emorealm", "dfew", ..., without the mini's suffix."""
    mini: bool
    """Whether the embedded world was asked in its place."""
    task: str
    """Released name of the task, or GROUP for all of the benchmark."""
    part: str
    """"full", a floor ("blind", ...), a prompt variant, or whose judgement it is where that is not the run's own."""
    metric: str
    """Name of the score, as in `layouts.Column`."""
    reading: str
    """How replies were read: strict or official."""
    value: float | None
    """Percent, or a judge's 1 to 10 (EMER); None where undefined."""
    low: float | None = None
    """Lower end of the interval over clips; None where there is none."""
    high: float | None = None
    """Upper end of the interval over clips; None where there is none."""
    n: int | None = None
    """Questions; None where unknown, as the next four."""
    n_clips: int | None = None
    """Clips that they are about."""
    unparsed: int | None = None
    """Replies in which no answer was found."""
    errors: int | None = None
    """Questions without a reply."""
    missing: int | None = None
    """Questions without a usable clip."""
    run: int | None = None
    """Number of the measured run, from 0; None for the paper."""
    table: int | None = None
    """Number of the paper's table; None for a run."""
    note: str = ""
    """What the paper's table says of the cell; "" = nothing."""


def unknown() -> dict[str, Any]:
    """What `Measured.about` says of a model of which nothing is known beyond its scores."""
    texts = ("name", "origin", "folder", "model", "weights", "parameters", "features", "model_args", "published")
    return {**dict.fromkeys(texts, ""), "dates": [], "seeds": {}, "versions": {}, "marks": [], "notes": []}


@dataclass(frozen=True)
class Measured:
    """A run on the leaderboard."""

    about: dict[str, Any]
    """Name, origin (RUN, or what else it is), folder, model, parameters, model_args, dates, seeds, versions, published;
    marks: why it is not ranked (questions left out by --limit or for want of clips), [] where it is whole; notes:
    sentences beside the scores; features: what stood beside the image, of an Emotion-LLaMA
    (`model_adapters.emotion_llama.given_features.kind`), else ""; asked: task -> how it was asked; benchmark: task ->
    which build of the mini world it asked, where that is known."""
    rows: tuple[ScoreRow, ...]
    """All its scores."""
    run: saved.Saved | None
    """The samples with the replies; None where they were not saved."""
