"""lmms-eval's response cache (`--use_cache`), told about media and weights, filled as answers come, free of failures.

Its keys hold the task, the question's number and text, the generation settings and the model arguments: nothing of the
clips and nothing of what stands behind the arguments. So the same question about other clips (another build of the
embedded world, files encoded anew, another `av_mode`) would be given the old answer, and so would other weights in the
same folder. Since a key also holds the texts that a request begins with, requests are looked up with a stamp of both in
front. Failures would be kept as answers and never be tried or counted again; they are hidden from the cache.

lmms-eval stores answers when a model has given all of them, and looks only into what runs that ended well have left.
So a run that was killed would ask everything again: adapters hand each answer to `keep` as it comes, and a run begins
with what broken-off ones have kept. A cache that cannot be read or written is told once, and the run goes on.
"""

import contextlib
import copy
import functools
import json
import math
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from emorealm_tasks import settings
from emorealm_tasks.benchmarks.rows import Row
from emorealm_tasks.errors import warn_once
from emorealm_tasks.harness import request_settings
from emorealm_tasks.harness.failures import is_failure

_FAULTS = (OSError, sqlite3.Error)
"""What a folder or database that cannot be used raises."""
_keeper: Callable[[Any, object], None] | None = None


def register() -> None:
    """Extend lmms-eval's ResponseCache, once a process; idempotent."""
    from lmms_eval.caching.response_cache import ResponseCache

    if getattr(ResponseCache.execute, "knows_emorealm", False):
        return
    ResponseCache.execute = _stamping(ResponseCache.execute)
    ResponseCache.create = classmethod(_helping(_recovering(ResponseCache.create.__func__)))
    for method in ("_lookup", "_store", "_log_to_audit", "finalize"):
        setattr(ResponseCache, method, _helping(getattr(ResponseCache, method)))


def keep(request: Any, answer: object) -> None:
    """Store an answer at once, where the run has a cache; failures are passed over.

    Adapters call it for each answer to a request of lmms-eval's, in the thread in which they were asked.
    """
    if _keeper is not None and not _failed(answer):
        _keeper(request, answer)


def stamp(doc: Row | None, weights: str) -> str:
    """What an answer depends on and lmms-eval's key does not hold.

    `doc` is one of our rows, of which the files' names, sizes and times of change count; None for a foreign task.
    `weights` identifies what a model computes with, "" where its adapter does not say. "" when nothing is known.
    """
    from emorealm_tasks.benchmarks import (
        availability,  # imported here: it takes the decoders along, and plugin imports this module
    )

    if doc is None:
        return weights
    files = [[path, availability.stamp(path)] for path in (doc["video"], doc["audio"]) if path]
    return json.dumps([weights, settings.load().av_mode, files])


def _stamping(execute: Callable[..., Any]) -> Callable[..., Any]:
    """ResponseCache.execute, which sees stamped copies of the requests while the model sees the requests."""
    from lmms_eval.caching.response_cache import extract_gen_kwargs, is_deterministic

    @functools.wraps(execute)
    def stamped_execute(self: Any, lm: Any, reqtype: str, requests: Sequence[Any]) -> list[Any]:
        """Answers in order: from the cache, else the model's; failures are the model's every time."""
        request_settings.note_of(lm)
        copies = [_behind(text, request) for text, request in zip(_stamps(lm, requests), requests, strict=True)]
        originals = {id(one): request for one, request in zip(copies, requests, strict=True)}
        stamped = {id(request): one for one, request in zip(copies, requests, strict=True)}
        failures = {}

        def store(request: Any, answer: object) -> None:
            if is_deterministic(reqtype, extract_gen_kwargs(request)):
                misses = self._misses
                execute(self, SimpleNamespace(**{reqtype: lambda _requests: [answer]}), reqtype, [stamped[id(request)]])
                self._misses = misses  # it was counted when it was looked up

        def answer(missing: Sequence[Any]) -> list[Any]:
            with _storing_by(store):
                answers = getattr(lm, reqtype)([originals[id(one)] for one in missing])
            answer_of = {id(one): text for one, text in zip(missing, answers, strict=True)}
            failures.update({number: text for number, text in answer_of.items() if _failed(text)})
            return [None if number in failures else text for number, text in answer_of.items()]

        answers = execute(self, SimpleNamespace(**{reqtype: answer}), reqtype, copies)
        return [failures.get(id(one), reply) for one, reply in zip(copies, answers, strict=True)]

    stamped_execute.knows_emorealm = True  # type: ignore[attr-defined]  # a mark on the replaced method
    return stamped_execute


@contextlib.contextmanager
def _storing_by(store: Callable[[Any, object], None]) -> Iterator[None]:
    """While the block runs, `keep` stores by `store`."""
    global _keeper
    previous, _keeper = _keeper, store
    try:
        yield
    finally:
        _keeper = previous


def _recovering(create: Callable[..., Any]) -> Callable[..., Any]:
    """ResponseCache.create, with the answers of runs that were broken off where those of whole runs are."""

    @functools.wraps(create)
    def recovering_create(cls: Any, cache_root: str, **about: Any) -> Any:
        root = Path(cache_root).absolute()
        root = root.parent if root.suffix == ".db" else root  # as lmms-eval reads it
        unmerged = [file for file in root.glob("runs/*/rank_*.db") if not (file.parent / ".merged").exists()]
        readable = [str(file) for file in sorted(unmerged) if _helping(_is_readable)(file)]
        if readable:
            _helping(cls.merge_shards)(readable, str(root / "cache.db"))
        return create(cls, cache_root, **about)

    return recovering_create


def _is_readable(database: Path) -> bool:
    """Whether a database can be merged; one that cannot would leave what it is merged into open, and all others out.

    A run that was killed as it began left a database without tables.
    """
    with contextlib.closing(sqlite3.connect(database)) as connection:
        whole = connection.execute("PRAGMA quick_check(1)").fetchone() == ("ok",)
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        return bool(whole and tables >= {"responses", "meta"})


def _helping(method: Callable[..., Any]) -> Callable[..., Any]:
    """A method of the cache that returns None where the cache cannot be used, which is told once."""

    @functools.wraps(method)
    def helping(*args: Any, **kwargs: Any) -> Any:
        try:
            return method(*args, **kwargs)
        except _FAULTS as error:
            warn_once(
                "--use_cache", f"--use_cache: it cannot be used ({error}); the run goes on, and asks again next time"
            )
            return None

    return helping


def _stamps(lm: Any, requests: Iterable[Any]) -> list[str]:
    """A stamp for each request; "" for a foreign task asked of a foreign model."""
    from emorealm_tasks.benchmarks import registry, suite

    weights = getattr(lm, "fingerprint", "")
    known_tasks = registry.TASK_NAMES.keys() | suite.TASK_NAMES.keys()
    stamps = []
    for request in requests:
        doc = None
        if request.task_name in known_tasks:  # only of these is it known how a request is laid out
            doc_id, task, split = request.args[-3:]
            doc = lm.task_dict[task][split][doc_id]
        stamps.append(stamp(doc, weights))
    return stamps


def _behind(text: str, request: Any) -> Any:
    """A copy of a request that begins with `text`, if there is any."""
    copied = copy.copy(request)
    copied.arguments = (text, *request.args) if text else request.args
    return copied


def _failed(answer: object) -> bool:
    """Whether a model's answer to a request says that there is none."""
    text = getattr(answer, "text", answer)
    if isinstance(text, str):
        return is_failure(text)
    return isinstance(text, list | tuple) and not math.isfinite(text[0])
