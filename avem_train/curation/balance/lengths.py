"""Whether the right option is as long as the wrong ones."""

from statistics import fmean

from avem_train.curation.data.rows import Row


def words(row: Row) -> tuple[int, float]:
    """Words of a question's right option, and of its wrong ones on average."""
    counts = [len(choice.split()) for choice in row["choices"]]
    right = counts.pop(row["answer"])
    return right, fmean(counts)


def ratio(row: Row) -> float:
    """The right option's length in those of the wrong ones."""
    right, wrong = words(row)
    return right / max(wrong, 1.0)
