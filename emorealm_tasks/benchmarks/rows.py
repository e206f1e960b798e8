"""The row of a dataset: benchmark readers make it, and lmms-eval passes it to prompts and scoring as `doc`."""

from typing import NotRequired, TypedDict


class Row(TypedDict):
    """One question about one clip. The fields that not every reader fills in say which one does."""

    id: str
    """Unique within the benchmark."""
    task: str
    """EmoReAlM: the released name, e.g. reasoning_basic_audio; elsewhere the benchmark's."""
    clip: str
    """Name or relative path that the benchmark knows the clip by."""
    video: str
    """Absolute path of the video; "" = none."""
    audio: str
    """Absolute path of the sound; "" = the sound in `video`."""
    question: str
    """The text of the question, without choices."""
    choices: list[str]
    """Such as "(A) A raised voice"; [] where the answer is free."""
    answer: str
    """EmoReAlM: the right choice's letter; recognition: the gold class; EMER: the reference description."""
    subtask: NotRequired[str]
    """EmoReAlM: one of SUBTASKS, or ""; recognition: ""."""
    emotion: NotRequired[str]
    """EmoReAlM, recognition: the clip's, "" if unknown."""
    swapped: NotRequired[bool]
    """Picture and sound are of different clips: `video` is seen, `audio` is heard, whatever sound `video` has."""
    labels: NotRequired[list[str]]
    """Recognition: the data set's classes."""
    silent: NotRequired[bool]
    """Recognition: the model is given the picture alone."""
    truth: NotRequired[str]
    """EMER: a JSON object of the true cues, "" where unknown."""
    given_clip: NotRequired[str]
    """Set when the question is asked: the clip whose media are given, "" = none."""
    left_out: NotRequired[str]
    """Set when the question is asked: JSON, problem -> number of clips left out, and the number of questions."""
