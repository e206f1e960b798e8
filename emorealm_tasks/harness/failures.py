"""What stands in an answer's place where there is none: lmms-eval's marks, and that of a server's own filter.

No reader of answers takes them for a letter, and the scores count them as errors.
"""

_FAILED, _OUT_OF_TOKENS, _BLOCKED = "[LMMS_EVAL_REQUEST_FAILED", "[LMMS_EVAL_BUDGET_EXCEEDED", "[SAFETY_BLOCKED"
FAILED = _FAILED + "] {}"
OUT_OF_TOKENS = _OUT_OF_TOKENS + "]"
"""Of lmms-eval's option --max_tokens."""
BLOCKED = _BLOCKED + ":{}]"


def is_failure(answer: str) -> bool:
    """Whether what stands in an answer's place says that there is none."""
    return answer.startswith((_FAILED, _OUT_OF_TOKENS, _BLOCKED))


def error(answer: str) -> str:
    """A record's `error` for such an answer; "" where there is one."""
    return answer if is_failure(answer) else ""
