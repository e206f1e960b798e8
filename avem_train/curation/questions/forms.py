"""What models write for questions."""

from avem_train.curation.data.rows import Model


class WrittenOption(Model):
    """An option of a Basic question."""

    cue: str
    """What it explains the emotion by."""
    text: str
    """The option itself."""


class BasicQuestion(Model):
    """A Basic question with its four options."""

    question: str
    """Its wording, without the options."""
    right: WrittenOption
    """Explains the emotion by a cue that does."""
    irrelevant: list[WrittenOption]
    """By cues that are in the clip and do not explain it."""
    hallucinated: list[WrittenOption]
    """By cues that are not in the clip."""


class AbsentCues(Model):
    """Cues that often come with an emotion and are not in the clip."""

    cues: list[str]
    """Each in a few words."""
