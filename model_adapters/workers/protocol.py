"""What every worker script shares: questions and answers as JSON lines over stdin and stdout.

A worker runs in the environment of one official repository, so this file needs the standard library and Python 3.8,
nothing else, and imports nothing of emorealm. A script subclasses `Worker` and calls `run`. The lines:

hello, once the model is loaded (`error` is not null where it cannot be, and then the worker ends):
    {"protocol": 1, "model": NAME, "versions": {PACKAGE: VERSION}, "modalities": ["video+audio", ...], "error": null}
request, one at a time (`audio`: a 16 kHz mono wav; null where the question has no picture or no sound):
    {"id": N, "video": PATH|null, "audio": PATH|null, "prompt": TEXT, "generation": {"max_new_tokens": N, ...}}
reply (exactly one of `text` and `error`; `media`, optional, says what the model was given):
    {"id": N, "text": TEXT|null, "error": MESSAGE|null, "media": {"frames": N, "audio_seconds": S}}

The end of stdin is the end of the worker. Whatever the repository prints goes to stderr.
"""

from __future__ import annotations

import abc
import argparse
import difflib
import json
import os
import platform
import random
import sys
import traceback
import wave
from importlib import metadata
from typing import IO, Any, ClassVar

VERSION = 1
FATAL_EXIT = 4  # the device is lost for this process; a fresh one may still answer


class Refusal(Exception):
    """The worker cannot serve; the message says what is missing and what to do."""


class Request:
    """One question: `video`, `audio` (paths or None), `prompt`, `generation` (settings as lmms-eval names them)."""

    def __init__(self, line: dict[str, Any]) -> None:
        self.id: int = line["id"]
        self.video: str | None = line["video"]
        self.audio: str | None = line["audio"]
        self.prompt: str = line["prompt"]
        self.generation: dict[str, Any] = line["generation"]

    @property
    def max_new_tokens(self) -> int:
        """New tokens allowed, at least 1."""
        return max(1, int(self.generation.get("max_new_tokens") or 512))

    def media(self, frames: int = 0, at_most: float = float("inf")) -> dict[str, float]:
        """What to report of a question: frames its picture was sampled to, seconds of its sound (`at_most` are taken).

        Raises ValueError where the sound cannot be read.
        """
        seconds = min(wav_seconds(self.audio), at_most) if self.audio else 0.0
        return {"frames": frames if self.video else 0, "audio_seconds": seconds}


class Worker(abc.ABC):
    """One model. A subclass names it, loads it in `load` and answers in `answer`.

    `options` holds what the user set.
    """

    model: str = ""
    """Name of the model, as it stands in the hello line."""
    modalities: tuple[str, ...] = ()
    """Combinations it takes, of "video", "audio", "video+audio" and "text"; `load` may narrow them."""
    packages: tuple[str, ...] = ()
    """Distributions whose versions stand in the hello line."""
    defaults: ClassVar[dict[str, str | None]] = {}
    """Options a user may set; None stands for "must be given"."""

    def __init__(self, repo: str | None, checkpoint: str | None, options: dict[str, str]) -> None:
        self.repo = repo
        self.checkpoint = checkpoint
        self.options = options

    @abc.abstractmethod
    def load(self) -> None:
        """Load the model with the repository's own functions. Raises Refusal, or whatever those raise."""

    @abc.abstractmethod
    def answer(self, request: Request) -> str | tuple[str, dict[str, float]]:
        """The answer to one Request: its text, or (its text, what the model was given)."""

    def needs_checkpoint(self, what: str) -> str:
        """The checkpoint given on the command line; refuses, saying `what` it is, where there is none."""
        if not self.checkpoint:
            raise Refusal(f"name the weights with checkpoint=: {what}")
        return self.checkpoint


def run(worker_class: type[Worker]) -> int:
    """Serve one worker over stdin and stdout until stdin ends. Returns the exit status."""
    given = _arguments(worker_class)  # before stdout is taken: --help goes there, and ends here
    requests, replies = _take_channels()
    try:
        worker = _start(worker_class, given)
        worker.load()
    except (Exception, SystemExit) as error:
        traceback.print_exc()
        message = str(error) if isinstance(error, Refusal) else _describe(error)
        _send(replies, _hello(worker_class, {}, message))
        return 3
    _send(replies, _hello(worker, _versions(worker), None))
    for line in requests:
        if line.strip() and _reply(worker, line, replies):
            return FATAL_EXIT
    return 0


def greedy(model: Any) -> None:
    """Make every `generate` of a transformers model greedy, where the repository's own code asks for sampling."""
    generate = model.generate

    def generate_greedily(*arguments: object, **settings: object) -> object:
        for name in ("temperature", "top_p", "top_k"):
            settings.pop(name, None)
        settings["do_sample"] = False
        return generate(*arguments, **settings)

    model.generate = generate_greedily


def seed() -> None:
    """Draw the same numbers for every question, whatever was asked before it: crops drawn at random stay the same."""
    random.seed(0)
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed(0)
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(0)


def wav_seconds(path: str) -> float:
    """Length of a wav file. Raises ValueError where it cannot be read or holds no sample."""
    try:
        with wave.open(path) as sound:
            seconds = sound.getnframes() / float(sound.getframerate())
    except (OSError, EOFError, wave.Error) as error:
        raise ValueError(f"{path}: not a readable wav file ({error})") from error
    if not seconds:
        raise ValueError(f"{path}: there is no sound in it")
    return seconds


def _take_channels() -> tuple[IO[str], IO[str]]:
    """Keep stdin and stdout for the protocol: prints of the repository go to stderr, its reads find nothing."""
    sys.stdout.flush()
    requests, replies = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return os.fdopen(requests, "r", encoding="utf-8"), os.fdopen(replies, "w", encoding="ascii")


def _arguments(worker_class: type[Worker]) -> argparse.Namespace:
    """The command line; prints the help and ends where that is asked for."""
    parser = argparse.ArgumentParser(description=sys.modules[worker_class.__module__].__doc__)
    parser.add_argument("--repo", help="checkout of the official repository")
    parser.add_argument("--checkpoint", help="weights: a folder, a file or a hub id")
    parser.add_argument("--option", action="append", default=[], metavar="NAME=VALUE")
    return parser.parse_args()


def _start(worker_class: type[Worker], given: argparse.Namespace) -> Worker:
    """The worker of the command line, inside its repository: paths there are relative to its root."""
    options = _options(worker_class, given.option)
    checkpoint = _absolute(given.checkpoint)
    here = os.path.dirname(os.path.abspath(__file__))
    os.environ.pop("PYTHONPATH", None)  # it led here, and is not for programs that the repository starts
    _refuse_pickles()
    sys.path[:] = [entry for entry in sys.path if os.path.abspath(entry) != here]  # `ola` is the repository's
    if given.repo:
        if not os.path.isdir(given.repo):
            raise Refusal(f"repo={given.repo}: there is no such folder; clone the repository there")
        sys.path.insert(0, os.path.abspath(given.repo))
        os.chdir(given.repo)
    return worker_class(given.repo and os.getcwd(), checkpoint, options)


def _refuse_pickles() -> None:
    """Let torch.load, the repository's calls too, take tensors and plain values only, whatever its version's default.

    Whoever wrote a checkpoint could run any program otherwise. torch knows the variable from 1.13 on.
    """
    if not os.environ.get("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"):
        os.environ["TORCH_FORCE_WEIGHTS_ONLY_LOAD"] = "1"


def _options(worker_class: type[Worker], items: list[str]) -> dict[str, str]:
    """The worker's options, defaults filled in. Raises Refusal for one that is unknown or missing."""
    options: dict[str, str | None] = dict(worker_class.defaults)
    for item in items:
        name, _, value = item.partition("=")
        if name not in options:
            near = difflib.get_close_matches(name, list(options), 1)
            hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(options) or 'none'}"
            raise Refusal(f"unknown option {name!r}; {hint}")
        options[name] = _absolute(value)
    missing = [name for name, value in options.items() if value is None]
    if missing:
        raise Refusal(f"not given: options={';'.join(name + '=...' for name in missing)}")
    return {name: value for name, value in options.items() if value is not None}


def _absolute(value: str | None) -> str | None:
    """A path that exists, made absolute before the working directory changes; anything else as it is."""
    return os.path.abspath(value) if value and os.path.exists(value) else value


def _reply(worker: Worker, line: str, replies: IO[str]) -> bool:
    """Answer one line. Returns whether the device is lost, so that only a fresh process can go on."""
    request = Request(json.loads(line))
    reply: dict[str, Any] = {"id": request.id, "text": None, "error": None}
    lost = False
    try:
        seed()
        answer = worker.answer(request)
        reply["text"], media = answer if isinstance(answer, tuple) else (answer, None)
        if media:
            reply["media"] = media
    except Exception as error:
        traceback.print_exc()
        reply["error"] = _describe(error)
        lost = isinstance(error, MemoryError) or "CUDA error" in str(error)
    _send(replies, reply)
    return lost


def _send(replies: IO[str], message: dict[str, Any]) -> None:
    replies.write(json.dumps(message) + "\n")
    replies.flush()


def _hello(worker: Worker | type[Worker], versions: dict[str, str | None], error: str | None) -> dict[str, Any]:
    return {
        "protocol": VERSION,
        "model": worker.model,
        "versions": versions,
        "modalities": list(worker.modalities),
        "error": error,
    }


def _versions(worker: Worker) -> dict[str, str | None]:
    """Python, the packages that matter, and the commit of the checkout."""
    versions: dict[str, str | None] = {"python": platform.python_version()}
    for name in worker.packages:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = None
    if worker.repo:
        versions["commit"] = _commit(os.path.join(worker.repo, ".git"))
    return versions


def _commit(git: str) -> str | None:
    """The commit that a checkout is at, read without git; None where it is unknown."""
    try:
        head = _text(os.path.join(git, "HEAD"))
        if not head.startswith("ref: "):
            return head
        branch = head[5:]
        if os.path.exists(os.path.join(git, branch)):
            return _text(os.path.join(git, branch))
        packed = _text(os.path.join(git, "packed-refs")).splitlines()
        return next((line.split()[0] for line in packed if line.endswith(" " + branch)), None)
    except OSError:
        return None


def _text(path: str) -> str:
    with open(path, encoding="utf-8") as file:
        return file.read().strip()


def _describe(error: BaseException) -> str:
    return f"{type(error).__name__}: {str(error) or 'no message'}"
