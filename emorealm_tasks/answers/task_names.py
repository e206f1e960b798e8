"""Names that the released benchmark gives its tasks, and the parts of its two stress tasks."""

TASKS = (
    "modality_agreement",
    "reasoning_basic_audio",
    "reasoning_basic_video",
    "reasoning_stress_audio",
    "reasoning_stress_video",
)
SUBTASKS = ("no_hallucination", "spurious", "hallucination")
