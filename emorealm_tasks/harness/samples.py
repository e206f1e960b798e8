"""What one sample adds to lmms-eval's metrics."""

from typing import Any

FAILURES = ("[LMMS_EVAL_REQUEST_FAILED", "[LMMS_EVAL_BUDGET_EXCEEDED", "[SAFETY_BLOCKED")


class Reply(str):
    """What one sample adds to one metric. Saved as the letter that was read; in memory it carries the whole record."""

    metric: str
    record: Any
    """Of the task's own kind; for what was left out, its counts by metric."""
