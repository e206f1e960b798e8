"""The columns of the two tables: name -> what kind of value, and what it holds."""

from typing import Literal, NamedTuple

Kind = Literal["text", "texts", "truth", "whole", "number"]


class Column(NamedTuple):
    """One column."""

    kind: Kind
    """text, texts (a list of them), truth (yes or no), whole (number) or number."""
    holds: str
    """What it holds, in words."""


Table = dict[str, Column]
_RUN: Table = {
    "run": Column("text", "name of the run: that of its folder"),
    "model": Column("text", "lmms-eval's name of the adapter"),
    "checkpoint": Column("text", "name of the weights, empty where it is not known"),
    "date": Column("text", "when the run began, in UTC; as its files are named where their time zone is not known"),
}
_TASK: Table = {
    "benchmark": Column("text", "emorealm, dfew, ravdess, mer2023 or emer"),
    "mini": Column("truth", "whether the embedded world was asked in its place"),
    "task": Column("text", "released name of the task; the data set's name outside EmoReAlM"),
    "part": Column(
        "text", "full; a floor (blind, shuffled, swap_audio, swap_video, likelihood); or a prompt's variant"
    ),
}
SAMPLES: Table = {
    **_RUN,
    **_TASK,
    "kind": Column("text", "choice (a letter), recognition (an emotion) or description (judged)"),
    "subtask": Column("text", "kind of stress question, empty where there is none"),
    "id": Column("text", "the question's id, unique within benchmark, task and part"),
    "clip": Column("text", "name of the clip"),
    "given_clip": Column("text", "name of the clip whose media were given, empty for none"),
    "question": Column("text", "the question"),
    "choices": Column("texts", "the options, in the order asked"),
    "gold": Column("text", "the right letter, or the clip's emotion"),
    "reference": Column("text", "the description that a judge compares with"),
    "reply": Column("text", "the model's reply, word for word"),
    "error": Column("text", "why there is no reply, empty where there is one"),
    "answer": Column("text", "letter or emotion that a careful reader reads, empty for none"),
    "strict_right": Column("truth", "whether that is right"),
    "official_right": Column("truth", "whether it is right as the released code reads it"),
    "official_lenient_right": Column("truth", "the same in the lenient form of that"),
    "judge": Column("text", "whose verdicts count"),
    "clue": Column("number", "clue overlap, 1 to 10"),
    "label": Column("number", "label overlap, 1 to 10"),
    "spurious": Column("number", "absence of spurious cues, 1 to 10"),
    "halluc": Column("number", "absence of hallucination, 1 to 10"),
    "frames": Column("whole", "frames that the model was given"),
    "audio_seconds": Column("number", "seconds of sound that it was given"),
}
"""One row a question and run."""
SCORES: Table = {
    **_RUN,
    **_TASK,
    "metric": Column("text", "name of the score, e.g. accuracy, f1, uar, hall"),
    "reading": Column("text", "strict, official or official_lenient: how replies were read"),
    "value": Column("number", "the score: percent, of descriptions 1 to 10; none where undefined"),
    "low": Column("number", "lower end of its 95% interval over clips"),
    "high": Column("number", "upper end of its 95% interval over clips"),
    "n": Column("whole", "questions it stands on"),
    "n_clips": Column("whole", "clips it stands on"),
    "unparsed": Column("whole", "replies without a clear answer; of descriptions verdicts that are missing"),
    "errors": Column("whole", "questions without a reply"),
    "missing": Column("whole", "questions left out because their clip is missing"),
    "note": Column("text", "e.g. who judged"),
}
"""One row a score and run; a whole benchmark is the task `emorealm`."""
