"""lmms-eval's response cache (`--use_cache`), told about media and weights, and kept free of failures.

Its keys hold the task, the question's number and text, the generation settings and the model arguments: nothing of the
clips and nothing of what stands behind the arguments. So the same question about other clips (another build of the
embedded world, files encoded anew, another `av_mode`) would be given the old answer, and so would other weights in the
same folder. Since a key also holds the texts that a request begins with, requests are looked up with a stamp of both in
front. Failures would be kept as answers and never be tried or counted again; they are hidden from the cache.
"""

import copy
import functools
import json
import math
from collections.abc import Callable, Iterable, Sequence
from types import SimpleNamespace
from typing import Any

from emorealm_tasks import settings
from emorealm_tasks.rows import Row


def register() -> None:
    """Extend lmms-eval's ResponseCache, once a process; idempotent."""
    from lmms_eval.caching.response_cache import ResponseCache

    if not getattr(ResponseCache.execute, "knows_emorealm", False):
        ResponseCache.execute = _stamping(ResponseCache.execute)


def stamp(doc: Row | None, weights: str) -> str:
    """What an answer depends on and lmms-eval's key does not hold.

    `doc` is one of our rows, of which the files' names, sizes and times of change count; None for a foreign task.
    `weights` identifies what a model computes with, "" where its adapter does not say. "" when nothing is known.
    """
    from emorealm_tasks import clips  # imported here: it takes the decoders along, and plugin imports this module

    if doc is None:
        return weights
    files = [[path, clips.stamp(path)] for path in (doc["video"], doc["audio"]) if path]
    return json.dumps([weights, settings.load().av_mode, files])


def _stamping(execute: Callable[..., Any]) -> Callable[..., Any]:
    """ResponseCache.execute, which sees stamped copies of the requests while the model sees the requests."""

    @functools.wraps(execute)
    def stamped_execute(self: object, lm: Any, reqtype: str, requests: Sequence[Any]) -> list[Any]:
        """Answers in order: from the cache, else the model's; failures are the model's every time."""
        stamps = _stamps(lm, requests)
        if not any(stamps):
            whole: list[Any] = execute(self, lm, reqtype, requests)
            return whole
        copies = [_behind(text, request) for text, request in zip(stamps, requests, strict=True)]
        originals = {id(one): request for one, request in zip(copies, requests, strict=True)}
        failures = {}

        def answer(missing: Sequence[Any]) -> list[Any]:
            answers = getattr(lm, reqtype)([originals[id(one)] for one in missing])
            found = {id(one): said for one, said in zip(missing, answers, strict=True)}
            failures.update({number: said for number, said in found.items() if _failed(said)})
            return [None if number in failures else said for number, said in found.items()]

        answers = execute(self, SimpleNamespace(**{reqtype: answer}), reqtype, copies)
        return [failures.get(id(one), said) for one, said in zip(copies, answers, strict=True)]

    stamped_execute.knows_emorealm = True  # type: ignore[attr-defined]  # a mark on the replaced method
    return stamped_execute


def _stamps(lm: Any, requests: Iterable[Any]) -> list[str]:
    """A stamp for each request; "" for a foreign task asked of a foreign model."""
    from emorealm_tasks import readers
    from emorealm_tasks.readers import suite

    weights = getattr(lm, "fingerprint", "")
    ours = readers.TASK_NAMES.keys() | suite.TASK_NAMES.keys()
    stamps = []
    for request in requests:
        doc = None
        if request.task_name in ours:  # only of these is it known how a request is laid out
            doc_id, task, split = request.args[-3:]
            doc = lm.task_dict[task][split][doc_id]
        stamps.append(stamp(doc, weights))
    return stamps


def _behind(text: str, request: Any) -> Any:
    """A copy of a request that begins with `text`."""
    copied = copy.copy(request)
    copied.arguments = (text, *request.args)
    return copied


def _failed(answer: object) -> bool:
    """Whether a model's answer to a request says that there is none."""
    from emorealm_tasks.scoring import FAILURES

    text = getattr(answer, "text", answer)
    if isinstance(text, str):
        return text.startswith(FAILURES)
    return isinstance(text, list | tuple) and not math.isfinite(text[0])
