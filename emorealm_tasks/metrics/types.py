"""What a run keeps of one question and one reply, and the types the scores share."""

from collections.abc import Callable
from typing import NotRequired, TypedDict

import numpy as np
from numpy.typing import NDArray


class GivenMedia(TypedDict):
    """What a model was really given of a clip, and how it was read."""

    clip: str | None
    """Path of the video, None = there was none."""
    audio: str | None
    """Path of the file that held the sound."""
    frames: int
    """How many frames the model was given; 0 = no picture."""
    times: list[float]
    """Seconds, one a frame; [] where only their number is known."""
    audio_seconds: float
    """Seconds of sound, 0 = none."""
    decoder: NotRequired[str | None]
    """See `emorealm_tasks.media.Report`, as the next three; `append` adds them."""
    decoded: NotRequired[float | None]
    """Share of the clip that could be decoded, 0 to 1; None = not known."""
    damaged_packets: NotRequired[int | None]
    """Packets that could not be decoded; None = not known."""
    cut_short: NotRequired[bool | None]
    """Whether the clip's end is missing; None = not known."""


Array = NDArray[np.float64]
Flags = NDArray[np.bool_]


class QuestionFields(TypedDict):
    """What a record says of the question and of the request."""

    id: str
    """Of the question, unique within its task."""
    clip: str
    """Name of the clip."""
    task: str
    """Released name: one of TASKS."""
    subtask: str
    """One of SUBTASKS, "" where the data names none."""
    gold: str
    """Letter of the right choice."""
    choices: list[str]
    """As asked, e.g. "(A) A raised voice"."""
    error: str
    """Why there is no reply, or why it could not be scored; "" for none."""
    question: NotRequired[str]
    """Absent, as what follows, from what a study keeps and from other evaluations."""
    given_clip: NotRequired[str]
    """Whose media the model was given; "" = nobody's."""
    media: NotRequired[GivenMedia | str]
    """What it was given of them; "none" for a question without media, "unknown" if its adapter does not say."""


class Unread(QuestionFields):
    """One saved reply to a question of EmoReAlM, whatever was read in it before."""

    raw: str
    """Word for word."""


class Record(QuestionFields):
    """One scored reply to a question of EmoReAlM, as the samples of a run hold it."""

    official: bool
    """Right or wrong, as the released code reads the reply."""
    official_lenient: bool
    """Right or wrong in the lenient form of that."""
    strict: str
    """Letter that a careful reader reads, "" for no answer."""
    raw: NotRequired[str]
    """The reply, word for word; a study keeps none."""


ScoreFunction = Callable[[Array], Array]
"""Weights of shape (resamples, records) -> scores of shape (resamples, names), NaN where undefined."""
