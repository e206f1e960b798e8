"""The rows that stages read and write: JSON objects, checked against these models wherever they enter or leave a stage.

A stage's row has all fields of the row it was made from. `provenance` grows with every stage: which model was asked
with which prompt, and the key of its reply in the cache.
"""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Modality = Literal["video", "audio"]
Row = dict[str, Any]
"""A row as plain values, between stages."""


class Model(BaseModel):
    """Unknown fields are errors: a misspelt one must not be lost in silence."""

    model_config = ConfigDict(extra="forbid")


class Asked(Model):
    """One request that a row rests on."""

    stage: str
    """The stage that asked."""
    client: str
    """Its name in the recipe."""
    model: str
    """The model's name at its client."""
    prompt: str
    """Name, version and hash."""
    key: str
    """Of the reply in the cache."""


class Clip(Model):
    """A labelled clip: a row of the manifest."""

    id: str
    """Unique in the manifest."""
    video: str | None
    """Path of the clip below `root`; None for a sound alone."""
    audio: str | None = None
    """Path of a sound file below `root`; None = the video's own sound."""
    emotion: str
    """The label, one of the recipe's emotions."""
    subtitle: str = ""
    """What is said in it, as the dataset writes it; "" where unknown."""
    split: str = ""
    """Of the dataset: train, test, ...; "" where it has none."""
    licence: str = ""
    """The dataset's terms of use; "" where unknown."""
    source: str = ""
    """The dataset it comes from."""
    provenance: list[Asked] = Field(default_factory=list)
    """What was asked for this row, in the stages' order."""


class Cue(Model):
    """Something seen or heard."""

    modality: Modality
    """Whether it is seen or heard."""
    kind: str
    """Face, body, voice, words, nonspeech sound, object, clothes, background, ..."""
    text: str
    """The cue in words."""
    start: float | None = None
    """Seconds, where known."""
    end: float | None = None
    """Seconds, where known."""
    relevant: bool
    """Whether it tells of the person's emotion."""


class Captioned(Clip):
    """A clip described, picture and sound apart (stage `captions`)."""

    caption_video: str
    """"" where there is no picture."""
    caption_audio: str
    """"" where there is no sound."""
    transcript: str
    """What is said; "" where nothing is, or there is no sound."""
    language: str = ""
    """ISO 639-1 code of what is said, "" where unknown."""
    cues: list[Cue]
    """What the captions name, each by itself."""


class Guessed(Captioned):
    """A clip whose emotion was guessed from each caption alone (stage `emotions`, Fig. 3)."""

    guess_video: str
    """One of the recipe's emotions, "" where the caption is not sufficient."""
    guess_audio: str
    """As `guess_video`, from the caption of the sound."""
    explained_by: list[Modality]
    """The modalities whose caption alone gives the label: never empty."""


Role = Literal["right", "irrelevant", "hallucinated", "yes", "no"]


class Question(Clip):
    """A multiple-choice question about a clip (stage `questions`); `id` is the question's, `clip` the clip's."""

    is_a: Literal["question"] = "question"
    """Tells it from other rows that the same stage reads."""
    clip: str
    """Id of the clip."""
    task: str
    """Name of the task, as in `emorealm_v1.json`."""
    subtask: str = ""
    """Of stress questions: no_hallucination, spurious or hallucination."""
    modality: Literal["video", "audio", "audiovisual"]
    """What the question is about."""
    question: str
    """Its wording, without the options."""
    choices: list[str]
    """Texts of the options, without letters."""
    roles: list[Role]
    """What each option is."""
    answer: int
    """Index of the right option."""
    cue: str = ""
    """The cue that the right answer, or a stress question, names."""
    checks: list[str] = Field(default_factory=list)
    """Those that it passed, in the stages' order."""
    caption_video: str = ""
    """Caption of the clip's picture; "" where there is none."""
    caption_audio: str = ""
    """Caption of the clip's sound; "" where there is none."""
    cues: list[Cue] = Field(default_factory=list)
    """Of the clip."""


class Filtered(Question):
    """A question that may stay (stage `filter`)."""

    guessed_by: list[str]
    """The clients that picked the right option from the text alone."""


class Verified(Filtered):
    """A question that people answered as it is keyed, and found nothing wrong with (B.2)."""

    annotators: int
    """How many answered it."""
    right: int
    """Annotators who chose the keyed answer."""
    flagged: int
    """Annotators who said that several options are right, or that something is wrong."""


class Description(Clip):
    """A description of the emotion and what tells of it, from both captions or one (stage `descriptions`, C.2).

    `emotion` is that of what the description is about: where that is one modality, the label guessed from it alone.
    """

    is_a: Literal["description"] = "description"
    """Tells it from other rows that the same stage reads."""
    clip: str
    """Id of the clip."""
    modality: Literal["video", "audio", "audiovisual"]
    """What is described."""
    prompt: str
    """What the model is asked."""
    description: str
    """What it should answer."""
    checks: list[str] = Field(default_factory=list)
    """Those that it passed, in the stages' order."""
    caption_video: str
    """Caption of the clip's picture; "" where there is none."""
    caption_audio: str
    """Caption of the clip's sound; "" where there is none."""
    cues: list[Cue]
    """Of the clip."""


class PreferenceRow(Clip):
    """Chosen and rejected responses to one prompt (stage `preferences`, Section 4.3), which `avem-train` reads."""

    clip: str
    """Id of the clip."""
    prompt: str
    """What the model is asked."""
    modality: Literal["video", "audio", "audiovisual"]
    """What the prompt is about."""
    form: str
    """The task that it comes from, with `_letters` where the answer is a letter; or `description`."""
    chosen: str
    """The preferred response."""
    rejected_video_relevant: str
    """A cue that is there and does not explain the emotion."""
    rejected_emotion_relevant: str
    """A cue of the emotion that is not there."""
    rejected_irrelevant: str = ""
    """Neither (Table 18)."""
    checks: list[str] = Field(default_factory=list)
    """Those that it passed, in the stages' order."""


class Instruction(Clip):
    """A prompt and the response to it (stage `supervise`, D.2)."""

    clip: str
    """Id of the clip."""
    prompt: str
    """What the model is asked."""
    modality: Literal["video", "audio", "audiovisual"]
    """What the prompt is about."""
    form: str
    """The task that it comes from, with `_letters` where the answer is a letter; or `description`."""
    response: str
    """What it should answer."""
    checks: list[str] = Field(default_factory=list)
    """Those that it passed, in the stages' order."""


class Reject(Model):
    """A row that a stage left out."""

    stage: str
    """The stage that left it out."""
    id: str
    """Of the row."""
    kind: str
    """Short name of the reason, the same for all rows that share it."""
    reason: str
    """One line, in words."""
    row: str
    """What was left out, as far as it had come: JSON."""


def prompted(row: Row, form: str, prompt: str) -> Row:
    """What a preference and an instruction have in common, from the question or description they are made of."""
    clip = {field: row[field] for field in Clip.model_fields}
    return {**clip, "clip": row["clip"], "prompt": prompt, "modality": row["modality"], "form": form}
