"""Were two runs asked alike? From what their results files say of it (`emorealm_tasks.harness.request_settings`)."""

from collections.abc import Iterable, Mapping
from typing import Any

from emorealm_results.runs.saved import Saved
from emorealm_tasks.harness import request_settings
from emorealm_tasks.harness.request_settings import Ways

UNKNOWN = "how it was asked is not known"


def of_run(run: Saved, what: str = "asked") -> dict[str, Ways]:
    """Task -> how it was asked (or what else its results file holds by task), {} where that does not say."""
    headers = {**run.replies.headers, **run.descriptions.headers}
    if run.questions:
        headers |= {task.name: run.questions.headers[task.date] for task in run.questions.tasks}
    return {task: by_task(header, what).get(task, {}) for task, header in headers.items()}


def of_header(header: Mapping[str, Any]) -> dict[str, Ways]:
    """Task -> how it was asked, of a results file; anything laid out otherwise is left out."""
    return by_task(header, "asked")


def by_task(header: Mapping[str, Any], what: str) -> dict[str, Ways]:
    """Task -> what a results file says of it under a name."""
    content = header.get(what)
    return {task: ways for task, ways in content.items() if isinstance(ways, dict)} if isinstance(content, dict) else {}


def compared(first: Saved, second: Saved, tasks: Iterable[str]) -> dict[str, dict[str, str] | None]:
    """Task -> what differs (`request_settings.differences`), {} = asked alike, None = not known of one or both."""
    first_ways, second_ways = of_run(first), of_run(second)
    return {task: differences(first_ways.get(task), second_ways.get(task)) for task in tasks}


def differences(first: Ways | None, second: Ways | None) -> dict[str, str] | None:
    """What differs in two ways of asking; None where one of them is not known."""
    return request_settings.differences(first, second) if first and second else None


def as_text(differing: Mapping[str, str]) -> str:
    """What differs, in words."""
    return "; ".join(f"{name}: {values}" for name, values in differing.items())


def lines(by_task: Mapping[str, Mapping[str, str] | None]) -> list[str]:
    """A sentence for each set of differences, with its tasks, and one for the tasks of which nothing is known."""
    groups: dict[str, list[str]] = {}
    for task, differing in by_task.items():
        if differing is None:
            groups.setdefault("", []).append(task)
        elif differing:
            groups.setdefault(as_text(differing), []).append(task)
    return [
        f"**Asked in two ways** ({', '.join(tasks)}): {text}." if text
        else f"Whether both runs were asked alike is not known of {', '.join(tasks)}: not both of them recorded it."
        for text, tasks in groups.items()
    ]  # fmt: skip
