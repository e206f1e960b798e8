"""What models write for preferences and descriptions."""

from avem_train.curation.data.rows import Model


class EmotionDescription(Model):
    """An emotion and what tells of it."""

    description: str
    """Two to four sentences; the first names the emotion."""


class Variation(Model):
    """A variation of a response."""

    cue: str
    """What it explains the emotion by."""
    text: str
    """The response itself."""


class AnswerVariations(Model):
    """Rejected variations of the answer to an open question."""

    video_relevant: Variation
    """By a cue that is there and does not explain the emotion."""
    emotion_relevant: Variation
    """By a cue of the emotion that is not there."""


class VerdictVariations(AnswerVariations):
    """The answer to a question of yes or no with its reason, and rejected variations, which say the opposite."""

    chosen: str
    """The right answer with its reason."""


class DescriptionVariations(AnswerVariations):
    """Rejected variations of a description."""


class IrrelevantVariation(Variation):
    """A response by a cue that is not there and for an emotion that nobody shows (Table 18)."""
