"""`external_worker`: one class for every model whose official code needs an environment of its own.

A worker script (a shipped one, see model_adapters/workers/README.md, or the user's) runs under the user's `python` and
answers one question at a time; each rank of a distributed run has a worker of its own, on that rank's GPU. A question
that a worker could not answer is sent to a new one. If that fails too, the answer is `[LMMS_EVAL_REQUEST_FAILED ...]`
and counts against `max_errors`, as it does for `avere`.
"""

import os
import shutil
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from lmms_eval.api.instance import GenerationResult, Instance
from lmms_eval.api.model import lmms
from loguru import logger
from tqdm import tqdm

from emorealm_tasks import files, media, settings
from emorealm_tasks.errors import stop
from emorealm_tasks.harness import request_settings, response_cache
from emorealm_tasks.sequences import nearest
from model_adapters.base import arguments, dry_run
from model_adapters.base.failures import ErrorBudget, cut
from model_adapters.base.fingerprint import of_files
from model_adapters.base.media_notes import MediaNotes
from model_adapters.base.requests import ClipQuestion, from_messages

from .client import Client
from .environment import SCRIPTS, worker_environment
from .modalities import what_to_give
from .process import Fault, WorkerProcess, WorkerRefused

_OWNER = "external_worker"


@dataclass(frozen=True)
class Arguments:
    """`--model_args` of `external_worker`."""

    worker: str | None = None
    """The name of a shipped script (videollama2, ola, ...) or the path of another one."""
    python: str | None = None
    """The interpreter of the environment that the model needs; default this one."""
    repo: str | None = None
    """The checkout of the official repository; the worker's working directory."""
    checkpoint: str | None = None
    """The weights, as the script says."""
    options: str | None = None
    """The script's own settings, NAME=VALUE;NAME=VALUE."""
    env: str | None = None
    """Names of environment variables to pass on beyond those every program needs, NAME;NAME."""
    timeout: float = 300.0
    """Seconds that an answer may take."""
    start_timeout: float = 1800.0
    """Seconds that the loading of the model may take."""
    retries: int = 1
    """How often a question is sent to a new worker after one died, was late or broke the protocol."""
    max_errors: float = 0.01
    """The share of requests, 0 to 1, that may fail."""
    log: str | None = None
    """A file for what the worker prints; default one that is deleted unless something went wrong."""
    batch_size: int | str = 1
    """Must be 1."""
    device: str | None = None
    """`cpu` hides the GPUs from the worker, cuda:N shows it one; default the rank's."""


class ExternalWorker(lmms):
    """Chat tasks, answered by a worker process. See `Arguments` for its arguments."""

    is_simple = False

    def __init__(self, **model_args: Any) -> None:
        super().__init__()
        chosen = arguments.parse(Arguments, model_args, _OWNER)
        if arguments.batch_size(chosen.batch_size, _OWNER) != 1:
            stop(f"{_OWNER}: batch_size={chosen.batch_size}: a worker answers one question at a time; leave it at 1")
        self.device = arguments.choose_device(chosen.device, _OWNER)  # where lmms-eval exchanges counts between ranks
        self.max_errors = arguments.number("max_errors", chosen.max_errors, 0.0, 1.0, _OWNER)
        self.options = _list(chosen.options)
        self._reported: set[str] = set()
        self._media_notes = MediaNotes()
        self.client = self._start(chosen)
        hello = self.client.hello
        files = [Path(path).expanduser() for path in (_script(chosen.worker), chosen.checkpoint) if path]
        self.fingerprint = str([hello, *map(of_files, files)])
        logger.info(f"{_OWNER}: {hello.model} takes {', '.join(hello.modalities)}; {hello.versions}")

    def _start(self, chosen: Arguments) -> Client:
        """The client of a worker that has loaded its model; stops where none starts."""
        timeout = arguments.number("timeout", chosen.timeout, 0.001, 1e6, _OWNER)
        start_timeout = arguments.number("start_timeout", chosen.start_timeout, 0.001, 1e6, _OWNER)
        retries = int(arguments.number("retries", chosen.retries, 0, 100, _OWNER))
        command = _command(chosen.worker, chosen.python, chosen.repo, chosen.checkpoint, self.options)
        environment = worker_environment(command[0], chosen.device, _list(chosen.env))
        dry_run.ends_here()
        self._log, self._keep_log = _log_file(chosen.log), bool(chosen.log)

        def start() -> WorkerProcess:
            return WorkerProcess(command, environment, self._log, start_timeout)

        try:
            return Client(start, timeout, retries)
        except (WorkerRefused, Fault, OSError) as error:
            self._give_up(error)

    def ways(self) -> dict[str, Any]:
        """What its script is told, for the run's record (`harness.request_settings`); the rest is its own."""
        return {"modalities": sorted(self.client.hello.modalities), "options": sorted(self.options)}

    def clean(self) -> None:
        """End the worker, and drop the log of one that had no fault."""
        self.client.close()
        if not self._keep_log and not self.client.faults and not self._reported:
            self._log.unlink(missing_ok=True)
        super().clean()

    def generate_until(self, requests: list[Instance]) -> list[GenerationResult]:
        """The worker's answer to each request, in order."""
        request_settings.note(self.ways())
        budget = ErrorBudget(
            _OWNER, self.max_errors, len(requests), self._reported, f" (the worker's log: {self._log})"
        )
        answers = []
        for request in tqdm(requests, disable=self.rank != 0, desc=_OWNER):
            to_messages, generation, doc_id, task, split = request.args[1:6]
            _refuse_sampling(generation, task)
            question = from_messages(to_messages(self.task_dict[task][split][doc_id]), task, _OWNER)
            reply = self._ask(question, generation)
            if reply.get("error"):
                answers.append(GenerationResult(budget.spend(reply["error"])))
                continue
            if facts := reply.get("media"):
                self._media_notes.add(question.clip, facts.get("frames", 0), [], facts.get("audio_seconds", 0.0))
            answers.append(GenerationResult(cut(reply["text"].strip(), generation.get("until"))))
            response_cache.keep(request, answers[-1])
        return answers

    def generate_until_multi_round(self, requests: list[Instance]) -> NoReturn:
        """Not offered: workers answer single turns."""
        stop(f"{_OWNER}: task {requests[0].task_name} is a dialogue of several rounds; workers answer single turns")

    def loglikelihood(self, requests: list[Instance]) -> NoReturn:
        """Not offered: workers answer in words."""
        stop(f"{_OWNER}: task {requests[0].task_name} asks for likelihoods; workers answer in words only")

    def _ask(self, question: ClipQuestion, generation: dict[str, Any]) -> dict[str, Any]:
        """The reply to one question; {"error": MESSAGE} where its clip cannot be used or no worker could answer."""
        try:
            clip_files = what_to_give(question.clip, self.client.hello.modalities)
            message = {"video": None, "audio": None, "prompt": question.text, "generation": dict(generation)}
            if clip_files.video:
                message["video"] = os.path.abspath(clip_files.video)
            if clip_files.audio:
                message["audio"] = os.path.abspath(media.separate_wav(clip_files.audio, settings.load().cache))
        except (media.MediaError, ValueError) as error:
            return {"error": str(error)}
        try:
            return self.client.ask(message)
        except (WorkerRefused, Fault, OSError) as error:
            self._give_up(error)

    def _give_up(self, error: Exception) -> NoReturn:
        stop(f"{_OWNER}: the worker does not start: {error}; its log: {self._log}")


def _command(
    worker: str | None, python: str | None, repo: str | None, checkpoint: str | None, options: Sequence[str]
) -> list[str]:
    """The worker's command line, everything in it looked at first."""
    script = _script(worker)
    interpreter = shutil.which(os.path.expanduser(python)) if python else sys.executable
    if interpreter is None:
        stop(f"{_OWNER}: python={python}: no such program; name the python of the model's own environment")
    command = [os.path.abspath(interpreter), str(script)]
    if repo:
        folder = Path(repo).expanduser()
        if not folder.is_dir():
            stop(f"{_OWNER}: repo={repo}: there is no such folder; clone the model's repository there")
        command += ["--repo", str(folder.resolve())]
    if checkpoint:
        command += ["--checkpoint", os.path.expanduser(str(checkpoint))]
    for option in options:
        if "=" not in option:
            stop(f"{_OWNER}: options={option}: write NAME=VALUE, several with ; between them")
        command += ["--option", option]
    return command


def _script(worker: str | None) -> Path:
    """The script that `worker` names."""
    shipped = sorted(path.stem for path in files.matching(SCRIPTS, "*.py") if path.stem not in ("__init__", "protocol"))
    if worker in shipped:
        return SCRIPTS / f"{worker}.py"
    path = Path(worker or "").expanduser()
    if worker and path.is_file():
        return path.resolve()
    near = nearest(worker or "", shipped)
    hint = f"did you mean {near!r}?" if near else f"shipped are {', '.join(shipped)}; any other by its path"
    stop(f"{_OWNER}: worker={worker or ''}: no such script; {hint}")


def _list(value: str | None) -> list[str]:
    """`a;b` as its parts."""
    return [part.strip() for part in str(value or "").split(";") if part.strip()]


def _log_file(log: str | None) -> Path:
    """Where the worker's stderr goes: the named file, one a rank, else a fresh one. Stops where it cannot be made."""
    try:
        if not log:
            handle, temporary = tempfile.mkstemp(prefix="emorealm-worker-", suffix=".log")
            os.close(handle)
            return Path(temporary)
        path = Path(log).expanduser()
        rank = arguments.launched("RANK", 0, _OWNER)
        path = path.with_name(f"{path.stem}.{rank}{path.suffix}") if rank else path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.open("a").close()
    except OSError as error:
        stop(f"{_OWNER}: no log can be written ({error}); name a file with log=..., or set TMPDIR")
    return path


def _refuse_sampling(generation: dict[str, Any], task: str) -> None:
    if generation.get("do_sample") or (generation.get("temperature") or 0) > 0:
        stop(f"{_OWNER}: task {task} asks for sampling; workers decode greedily (temperature=0)")
