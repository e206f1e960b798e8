"""Rows through a stage on a Ray cluster, or on a Ray of this machine: actors of Ray Data that hold the stage's clients.

What streams through Ray Data are references to parts of the row files, and what became of their rows; media stay where
they are. The workers see the output folder (a shared file system), where replies and what they cost are kept, so an
actor that is lost costs no row and no reply that had come: another does its part again, from the cache.
"""

import contextlib
import dataclasses
import io
import json
import logging
import os
import socket
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from avem_train.curation.asking.spending import BudgetSpent
from avem_train.curation.asking.tally import Tally
from avem_train.curation.data import row_files
from avem_train.curation.data.rows import Clip, Row
from avem_train.curation.engines import local
from avem_train.curation.stages import STAGES
from avem_train.curation.stages.work import Result, RowWork
from emorealm_tasks.chat_client import ServerRefuses
from emorealm_tasks.errors import stop

_LONGEST_PART = 16  # rows, for each thread of an actor: at a part's end some of its threads wait for the last
_PARTS = 4  # parts for each actor at least, where there are rows enough
_MEMORY = 512 << 20  # bytes of the object store of a Ray on this machine: references and results are small
_ENDINGS: Mapping[str, type[Exception]] = {
    one.__name__: one for one in (BudgetSpent, ServerRefuses, OSError, row_files.BadFile)
}
"""What ends a stage, from an actor too."""


@dataclasses.dataclass(frozen=True)
class Pool:
    """The actors that a stage runs on."""

    address: str
    """Of the cluster; "" = one on this machine."""
    actors: int
    """How many, 1 or more."""
    threads: int
    """Of each actor."""
    gpus: float
    """Of each actor."""


class _Actor:
    """Holds a stage and its clients in a worker's process, and does one part after another."""

    def __init__(self, build: Callable[[], RowWork], threads: int) -> None:
        self._build = build
        self._threads = threads
        self._work: RowWork | None = None

    def __call__(self, item: dict[str, str]) -> dict[str, str]:
        """What became of the rows of `item["part"]`, as JSON; what ended it, and the counts, with it."""
        results: list[dict[str, Any]] = []
        ending: list[str] = []
        try:
            work = self._ready()
            rows = _rows(json.loads(item["part"]), item["stage"])
            results += map(dataclasses.asdict, local.run(rows, work, self._threads))
        except tuple(_ENDINGS.values()) as error:
            name = next(name for name, kind in _ENDINGS.items() if isinstance(error, kind))
            ending = [name, str(error)]
        tally = (self._work.asker.taken() if self._work else Tally()).as_json()
        return {"done": json.dumps({"results": results, "ending": ending, "tally": tally})}

    def _ready(self) -> RowWork:
        """The stage, built at the first part. Raises ServerRefuses where that stops, for want of a key, say."""
        if self._work is None:
            messages = io.StringIO()
            try:
                with contextlib.redirect_stderr(messages):
                    self._work = self._build()
            except SystemExit:
                reason = messages.getvalue().strip().removeprefix("emorealm: ")
                raise ServerRefuses(f"a worker on {socket.gethostname()} cannot start: {reason}") from None
        return self._work


def run(sources: Mapping[str, Path], build: Callable[[], RowWork], tally: Tally, pool: Pool) -> Iterator[Result]:
    """The result of each row of the sources (stage -> its file), in order. Ends at the first exception of an actor.

    build: makes the stage in an actor; it is pickled, so it is a function of a module, or a partial of one. tally:
    those of the actors are added to it.
    """
    ray = start(pool)
    items = _items(sources, pool)
    if not items:
        return
    strategy = ray.data.ActorPoolStrategy(size=pool.actors, max_tasks_in_flight_per_actor=2)
    dataset = ray.data.from_items(items, override_num_blocks=len(items)).map(
        _Actor, fn_constructor_args=(build, pool.threads), compute=strategy, num_cpus=1, num_gpus=pool.gpus or None
    )
    stream = iter(dataset.iter_batches(batch_size=1, prefetch_batches=0, batch_format="numpy"))
    for batch in stream:
        done = json.loads(batch["done"][0])
        tally.add(Tally.from_json(done["tally"]))
        for one in done["results"]:
            yield Result(**one)
        if done["ending"]:
            name, message = done["ending"]
            raise _ENDINGS[name](message)


def start(pool: Pool) -> Any:
    """The module `ray`, connected; started on this machine where no address is given. Stops where that fails."""
    global _ours
    for name, value in (("RAY_USAGE_STATS_ENABLED", "0"), ("RAY_BACKEND_LOG_LEVEL", "fatal")):
        os.environ.setdefault(name, value)
    try:
        import ray
        import ray.data
    except ImportError:
        stop("engine=ray needs Ray: pip install 'emorealm[ray]'")
    if not ray.is_initialized():
        where: dict[str, Any] = {"address": pool.address}
        if not pool.address:
            where = {"address": "local", "num_cpus": pool.actors + 1, "object_store_memory": _MEMORY}
            where["include_dashboard"] = False
        try:
            with _quiet():
                ray.init(logging_level=logging.ERROR, log_to_driver=False, **where)
        except (ConnectionError, ValueError, RuntimeError) as error:
            stop(f"address: no Ray at {pool.address or 'this machine'} ({str(error).splitlines()[0]}); see ray status")
        _ours = True
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = context.print_on_execution_start = False
    context.execution_options.preserve_order = True
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    return ray


_ours = False


def close() -> None:
    """End the Ray that `run` started; one that was there before goes on.

    After Ctrl-C its processes have ended already, as all children have: nothing is left to do, or to wait for.
    """
    global _ours
    if _ours and not isinstance(sys.exception(), KeyboardInterrupt):
        import ray

        _ours = False
        with _quiet():
            ray.shutdown()


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Nothing on standard error, to which Ray's own processes and libraries write as well."""
    saved = os.dup(2)
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 2)
    try:
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(nothing)


def _items(sources: Mapping[str, Path], pool: Pool) -> list[dict[str, str]]:
    """References to the rows, in order: parts that are short enough for every actor to have some."""
    longest = _LONGEST_PART * pool.threads
    rows = sum(map(row_files.count, sources.values()))
    size = max(1, min(longest, rows // (_PARTS * pool.actors)))
    return [
        {"stage": stage, "part": json.dumps(dataclasses.asdict(part))}
        for stage, path in sources.items()
        for part in row_files.parts(path.absolute(), size)
    ]


def _rows(part: Mapping[str, Any], stage: str) -> Iterator[Row]:
    return row_files.read_part(row_files.Part(**part), STAGES[stage].model if stage else Clip)
