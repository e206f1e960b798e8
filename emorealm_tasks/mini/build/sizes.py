"""How many questions of each task a split of so many clips has."""

SHARES = {
    "reasoning_basic_audio": 972,
    "reasoning_basic_video": 1024,
    "modality_agreement": 456,
    "reasoning_stress_audio": 820,
    "reasoning_stress_video": 728,
}
"""Questions of each task in the benchmark (Table 1)."""
QUESTIONS_PER_CLIP = 4000 / 2649


def sizes(clips: int) -> dict[str, int]:
    """Questions of each task for a number of clips: the benchmark's proportions and questions a clip, whole groups.

    Raises ValueError where a task would get no question.
    """
    total = clips * QUESTIONS_PER_CLIP
    counts = {}
    for task, share in SHARES.items():
        group = 2 if task == "modality_agreement" else 4
        counts[task] = round(total * share / sum(SHARES.values()) / group) * group
    if not all(counts.values()):
        raise ValueError(f"{clips} clips are too few for a question of every task: at least 8 are needed")
    return counts
