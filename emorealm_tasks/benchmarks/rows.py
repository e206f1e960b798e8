"""What every reader makes of a benchmark's files, and what lmms-eval hands to prompts and scoring as `doc`."""

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
    """Absolute path of what is to be seen; "" = nothing."""
    audio: str
    """Absolute path of what is to be heard; "" = the sound in `video`."""
    question: str
    choices: list[str]
    """Such as "(A) A raised voice"; [] where the answer is free."""
    answer: str
    """EmoReAlM: the right choice's letter; recognition: the gold class; EMER: the reference description."""
    subtask: NotRequired[str]
    """EmoReAlM: one of SUBTASKS, or ""; recognition: ""."""
    emotion: NotRequired[str]
    """EmoReAlM, recognition: the clip's, "" if unknown."""
    labels: NotRequired[list[str]]
    """Recognition: the data set's classes."""
    silent: NotRequired[bool]
    """Recognition: the sound is not to be heard."""
    truth: NotRequired[str]
    """EMER: a JSON object of the true cues, "" where unknown."""
    given_clip: NotRequired[str]
    """As asked: whose media are handed out, "" = none."""
    left_out: NotRequired[str]
    """As asked: a JSON object of how many clips of each kind of problem, and how many questions for it, are missing."""
