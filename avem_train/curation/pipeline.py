"""Runs the stages of a recipe, each from the files of earlier ones to a file of its own.

An output folder holds `STAGE.jsonl`, `STAGE.rejects.jsonl` and `STAGE.json` (counts, cost, and what the rows were made
from) of every stage, `STAGE.report.json` of those that have more to tell, and `replies/` and `spent.txt` beside them. A
stage whose inputs, settings, prompts and models are those of its files is not run again. Where anything ends a run,
replies that came are in the cache: the same command goes on and pays for none of them twice.
"""

import contextlib
import dataclasses
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from tqdm import tqdm

from avem_train.curation import manifests, reports, workers
from avem_train.curation.asking.spending import BudgetSpent
from avem_train.curation.data import row_files
from avem_train.curation.data.rows import Clip, Reject, Row
from avem_train.curation.engines import local, ray
from avem_train.curation.recipe import Recipe, absolute, content
from avem_train.curation.reports import Report
from avem_train.curation.stages import STAGES
from avem_train.curation.stages.base import Stage, clients
from avem_train.curation.stages.work import Result, RowWork, result
from emorealm_tasks import chat_batches, files
from emorealm_tasks.chat_client import ServerRefuses
from emorealm_tasks.errors import stop

MAKER = "emorealm curate"
MANIFEST = "manifest"
_FIRST_POLL, _LONGEST_POLL = 5.0, 300.0  # seconds between questions after batches; each time is twice the last
GIVE_UP = 12
"""Rows in a row whose requests failed, after which a server counts as gone."""


class Pending(Exception):
    """A stage waits for batches; the message says for which, and how to go on."""


def run(recipe: Recipe, names: Sequence[str] = (), wait: bool = False) -> list[Report]:
    """Run the named stages, or all of the recipe's, in order. Stops where a stage cannot be finished.

    Raises Pending where a stage needs batches that are under way; wait: wait for them instead.
    """
    unknown = [name for name in names if name not in recipe.stages]
    if unknown:
        stop(f"the recipe has no stage {unknown[0]!r}; it has {', '.join(recipe.stages) or 'none'}")
    files.claim(recipe.out, MAKER, "out=")
    with files.locked(recipe.out, "out="):
        files.sweep(recipe.out)
        write_manifest(recipe)
        try:
            return [_stage(recipe, STAGES[name], wait) for name in recipe.stages if not names or name in names]
        finally:
            ray.close()


def path(recipe: Recipe, stage: str) -> Path:
    """The file of a stage's rows; "" = the manifest's."""
    return recipe.out / f"{stage or MANIFEST}.{recipe.format}"


def rejects_path(recipe: Recipe, stage: str) -> Path:
    """The file of what a stage left out."""
    return recipe.out / f"{stage}.rejects.{recipe.format}"


def write_manifest(recipe: Recipe) -> None:
    """The clips of the recipe's dataset as rows, in the output folder. Stops where none can be read."""
    with row_files.writer(path(recipe, ""), Clip) as put:
        for clip in manifests.read(recipe.manifest, recipe.emotions):
            put(clip.model_dump())


def _stage(recipe: Recipe, stage: Stage, wait: bool) -> Report:
    """Run a stage, or find its files made already. Raises Pending."""
    sources = _sources(recipe, stage)
    asker = workers.asker(recipe, stage)
    context = recipe.context(stage)
    if stage.whole:
        context = dataclasses.replace(context, labels=_labels(recipe))
    made_from = reports.made_from(recipe, context, stage, asker, list(sources.values()))
    if report := _finished(recipe, stage, made_from):
        print(f"{stage.name}: made already, {reports.summary(report)}", file=sys.stderr)
        return report
    work = RowWork(stage, context, asker)
    started = time.monotonic()
    rows_in, kinds, count = _written(recipe, work, sources, wait)
    report = Report(
        stage.name,
        made_from,
        rows_in,
        count,
        dict(kinds),
        dataclasses.asdict(asker.tally.counts),
        round(time.monotonic() - started, 1),
        files.sha256(path(recipe, stage.name)),
        asker.tally.as_json()["used"],
    )
    reports.write(recipe.out, report)
    print(f"{stage.name}: {reports.summary(report)}", file=sys.stderr)
    return report


def _written(recipe: Recipe, work: RowWork, sources: Mapping[str, Path], wait: bool) -> tuple[int, Counter[str], int]:
    """As `_write`, once all that goes by batch is there. Raises Pending where it is not, unless it is to wait."""
    while True:
        try:
            _collect(work)
            return _write(recipe, work, sources)
        except Pending as pending:
            if not wait:
                raise
            print(f"emorealm: {pending}", file=sys.stderr, flush=True)
        seconds = _FIRST_POLL
        while not _collect(work):
            time.sleep(seconds)
            seconds = min(2 * seconds, _LONGEST_POLL)
        work.asker.start_over()


def _collect(work: RowWork) -> bool:
    """Keep the replies of finished batches; whether any was. Stops where that fails."""
    with _stopping(work):
        return work.asker.collect()


@contextlib.contextmanager
def _stopping(work: RowWork) -> Iterator[None]:
    """Stop, in one line, where nothing more can be asked."""
    try:
        yield
    except (BudgetSpent, ServerRefuses) as error:
        stop(f"{work.stage.name}: {error}")
    except row_files.BadFile as error:
        stop(str(error))
    except OSError as error:
        where = error.filename or work.asker.ledger.path.parent
        stop(f"{work.stage.name}: {where}: {error.strerror or error}; the same command goes on")


def reads(recipe: Recipe, stage: Stage) -> list[str]:
    """The stages of the recipe (or "", the manifest) whose rows a stage reads."""
    return [stage.reads] if isinstance(stage.reads, str) else [name for name in stage.reads if name in recipe.stages]


def _sources(recipe: Recipe, stage: Stage) -> dict[str, Path]:
    """Stage (or "", the manifest) -> the file of its rows that this one reads. Stops where one is not there."""
    names = reads(recipe, stage)
    if not names:
        stop(f"{stage.name} reads the rows of {' or '.join(stage.reads)}; the recipe has none of these stages")
    sources = {name: path(recipe, name) for name in names}
    for name, source in sources.items():
        if not source.exists():
            stop(f"{source}: is not there; run the stage {name!r} first")
    return sources


def _rows(sources: Mapping[str, Path]) -> Iterator[Row]:
    """The rows of all sources, one after another."""
    for name, source in sources.items():
        yield from row_files.read(source, STAGES[name].model if name else Clip)


def _write(recipe: Recipe, work: RowWork, sources: Mapping[str, Path]) -> tuple[int, Counter[str], int]:
    """Write a stage's rows and rejects. Returns the rows read, rejects by kind, and rows written."""
    stage = work.stage
    rejects = rejects_path(recipe, stage.name)
    kinds: Counter[str] = Counter()
    rows_in, written = 0, 0
    gathered: list[Row] = []
    with row_files.writer(path(recipe, stage.name), stage.model) as put, row_files.writer(rejects, Reject) as put_away:

        def take(one: Result) -> None:
            nonlocal written
            for row in one.rows:
                put(row)
            for reject in one.rejects:
                put_away(reject)
                kinds[reject["kind"]] += 1
            written += len(one.rows)

        for one in _results(recipe, work, sources):
            rows_in += 1
            if stage.whole:
                gathered += one.rows
                one = Result([], one.rejects)
            take(one)
        if stage.whole:
            outcome = stage.whole(gathered, work.context)
            take(result(stage, outcome, []))
            if outcome.report:
                files.write_json(recipe.out / f"{stage.name}.report.json", outcome.report)
    return rows_in, kinds, written


def _results(recipe: Recipe, work: RowWork, sources: Mapping[str, Path]) -> Iterator[Result]:
    """Each row's result, with a bar; stops where rows could not be asked about, or nothing can be asked."""
    failures: list[str] = []
    in_a_row = waiting = 0
    with _stopping(work):
        total = sum(map(row_files.count, sources.values()))
        bar = tqdm(_engine(recipe, work, sources), desc=work.stage.name, unit="row", total=total, disable=None)
        try:
            for one in bar:
                bar.set_postfix_str(f"${work.asker.ledger.dollars:.2f}", refresh=False)
                in_a_row = in_a_row + 1 if one.failure else 0
                if one.failure:
                    failures.append(one.failure)
                waiting += one.waiting
                if in_a_row >= GIVE_UP:
                    stop(
                        f"{work.stage.name}: {in_a_row} rows in a row could not be asked about; the last: {one.failure}"
                    )
                yield _failed(recipe, work.stage, one) if one.failure else one
        except BudgetSpent:
            _go_by_batch(work, waiting)  # what is under way may cost less than was reserved for it
            raise
        _go_by_batch(work, waiting)
    if failures and recipe.failed == "stop":
        stop(
            f"{work.stage.name}: {len(failures)} rows could not be asked about; the last: {failures[-1]}. The same "
            "command asks these again; failed=reject goes on without them"
        )


def _go_by_batch(work: RowWork, rows: int) -> None:
    """Submit what rows wait for. Raises Pending where batches are under way, and as `Asker.submit`."""
    if under_way := work.asker.submit():
        stage, window = work.stage.name, chat_batches.WINDOW
        raise Pending(
            f"{stage}: {rows} rows wait for batches: {', '.join(under_way)}; each is finished within {window}. Run the "
            "same again to collect them, or with --wait"
        )


def _engine(recipe: Recipe, work: RowWork, sources: Mapping[str, Path]) -> Iterator[Result]:
    names = clients(recipe.stages[work.stage.name])
    threads = max((recipe.clients[name].concurrency for name in names), default=1)
    if recipe.engine == "ray":
        build = partial(workers.row_work, content(absolute(recipe)), work.stage.name)
        pool = ray.Pool(recipe.address, recipe.workers, threads, recipe.worker_gpus)
        return ray.run(sources, build, work.asker.tally, pool)
    return local.run(_rows(sources), work, threads)


def _failed(recipe: Recipe, stage: Stage, one: Result) -> Result:
    """A failed row as a reject, where the recipe goes on without such rows."""
    if recipe.failed != "reject":
        return Result()
    name, _, reason = one.failure.partition(": ")
    return Result([], [{"stage": stage.name, "id": name, "kind": "failed", "reason": reason, "row": "{}"}])


def _labels(recipe: Recipe) -> Mapping[str, int]:
    """Label -> clips of the manifest."""
    return Counter(row["emotion"] for row in row_files.read(path(recipe, ""), Clip))


def _finished(recipe: Recipe, stage: Stage, made_from: Mapping[str, Any]) -> Report | None:
    """The report of a stage whose files were made from the same and are still what was written."""
    report = reports.read(recipe.out, stage.name)
    rows = path(recipe, stage.name)
    same = report is not None and report.made_from == made_from and rows.exists()
    return report if report and same and files.sha256(rows) == report.output else None
