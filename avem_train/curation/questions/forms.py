"""What models write for questions."""

from avem_train.curation.data.rows import Model


class WrittenOption(Model):
    """An option of a Basic question."""

    cue: str
    """What it explains the emotion by."""
    text: str


class BasicQuestion(Model):
    """A Basic question with its four options."""

    question: str
    right: WrittenOption
    irrelevant: list[WrittenOption]
    hallucinated: list[WrittenOption]


class AbsentCues(Model):
    """Cues that often come with an emotion and are not in the clip."""

    cues: list[str]
