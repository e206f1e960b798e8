"""The preference record, its two file layouts, and the checks that come before training.

Ours is JSON Lines, one record a line, paths relative to the file's folder (or to `root`)::

    {"id": "1", "video": "videos/part_1/1.mp4", "audio": "wavs/1.wav", "prompt": "How does ...?", "modality": "video",
     "emotion": "anger", "chosen": "...", "rejected_video_relevant": "...", "rejected_emotion_relevant": "..."}

`audio` is left out where the video has its own sound; `rejected_irrelevant`, `rejected_video` and `rejected_audio` are
optional. The released layout is a JSON list of objects with `video`, `audio`, `prompt` (starting with the media tags
`<video>` and `<audio>`, which are taken off), `chosen`, `rejected`, `rejected_2`, and optional `video_l`, `audio_l`. It
does not say what a prompt is about or which emotion a clip has: unless an item adds `modality` or `emotion` the prompt
counts as audiovisual and the emotion as unknown. `rejected` is read as the video-relevant response (y_l^vr),
`rejected_2` as the emotion-relevant one (y_l^er).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from avem_train.negatives import Negatives

MODALITIES = {"video": ("video",), "audio": ("audio",), "audiovisual": ("video", "audio")}
"""What a prompt can be about -> the media that is."""


@dataclass(frozen=True)
class Preference:
    """One preference record.

    video: the clip, None for a sound alone. audio: a file of its own, None = the video's own sound. prompt: without
    media tags. modality: what the prompt is about, a key of MODALITIES. emotion: the clip's (in a clip whose picture
    and sound differ: that of what the prompt is about), "" = unknown. chosen: y_w. rejected_video_relevant: y_l^vr, a
    cue that is there but does not explain the emotion. rejected_emotion_relevant: y_l^er, a cue of the emotion that is
    not there. rejected_irrelevant: y_l^irr, neither. rejected_video, rejected_audio: a clip and a sound of another
    emotion, None = to be drawn.
    """

    id: str
    video: Path | None
    audio: Path | None
    prompt: str
    modality: str
    emotion: str
    chosen: str
    rejected_video_relevant: str
    rejected_emotion_relevant: str
    rejected_irrelevant: str = ""
    rejected_video: Path | None = None
    rejected_audio: Path | None = None

    def response(self, name: str) -> str:
        """The chosen response for "chosen", or a rejected one by its name in `objectives.REJECTED`."""
        return self.chosen if name == "chosen" else getattr(self, f"rejected_{name}")


@dataclass(frozen=True)
class Problem:
    """Why a record cannot be trained on. id: the record's, or "line 7" where it could not be read. kind: short name of
    the fault, the same for all records that have it. reason: one line that says what to mend.
    """

    id: str
    kind: str
    reason: str


def read(path: Path, root: Path | None = None) -> list[Preference]:
    """All records of a file of either layout, in order; relative paths are taken from `root` (default: its folder).

    Stops at a file that cannot be read or holds an unreadable record, naming all of these.
    """


def problems(
    records: Sequence[Preference],
    negatives: Negatives | None = None,
    responses: Sequence[str] = ("video_relevant", "emotion_relevant"),
) -> list[Problem]:
    """Everything that keeps records from being trained on, in the records' order.

    negatives: how rejected media are drawn, None where the objective has none. responses: the rejected responses that
    the objective uses (`Objective.responses`).
    """


def load(
    path: Path,
    root: Path | None,
    out: Path,
    on_bad_record: str = "stop",
    negatives: Negatives | None = None,
    responses: Sequence[str] = ("video_relevant", "emotion_relevant"),
) -> list[Preference]:
    """The records to train on: read, checked, and every bad one named in `out`/bad_records.jsonl.

    on_bad_record: "stop" prints the report and stops if any record is bad; "skip" prints it and leaves them out. Stops
    also where no record is left. The arguments `negatives` and `responses` are those of `problems`.
    """
