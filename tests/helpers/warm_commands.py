"""Commands run in forks of one process that has imported lmms-eval's libraries: five seconds sooner.

The command line, the environment, the folder and the exit are those of a process of its own. Use it where a file starts
several evaluations; test_interrupted.py starts cold, and so do the first evaluations of test_harness.py,
test_killed_run.py and test_main_job.py.
"""

import atexit
import functools
import gc
import json
import os
import runpy
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import forks

OF_TRAINING = ("torch._dynamo", "accelerate", "peft", "transformers.pipelines")
LIBRARIES = (*OF_TRAINING, "evaluate", "lmms_eval.tasks", "aiohttp", "av", "nltk", "pytablewriter")
"""Loaded before the fork: nearly all that lmms-eval imports, and of lmms-eval what does not import us."""
FREE = ("EMOREALM_", "PYTEST_", "OPENAI_", "GIT_", "TMPDIR", "FAKE_", "PYTHONPATH")
"""What the variables begin with that no library reads when it is imported, or that a fork reads anew."""
LEFT = ("KMP_DUPLICATE_LIB_OK", "KMP_INIT_AT_FORK", "RAY_CLIENT_MODE", "TRANSFORMERS_VERBOSITY", "VERBOSITY")
"""Variables that libraries, and commands that tests call, leave in this process; a user's shell has none of them."""
OFFLINE = {"HF_HUB_OFFLINE": "1", "CUDA_VISIBLE_DEVICES": ""}
"""Of every command here, unless it says otherwise: so that those of several files share the process."""


def run(line: Sequence[Any], env: Mapping[str, str], cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """As `subprocess.run` with text captured, for a console script, or python with -m MODULE, -c CODE or a script.

    The interpreter is the one that lies beside the command.
    """
    env = OFFLINE | {name: value for name, value in env.items() if name not in LEFT}
    given = {name: value for name, value in env.items() if not name.startswith(FREE)}
    with tempfile.TemporaryDirectory() as folder:
        outputs = [str(Path(folder, name)) for name in ("stdout", "stderr")]
        request = {"line": [str(word) for word in line], "env": dict(env), "cwd": str(cwd or Path.cwd())}
        python = str(Path(line[0]).with_name(Path(sys.executable).name))
        returncode = _ask(python, given, request | {"outputs": outputs})
        stdout, stderr = (Path(path).read_text(encoding="utf-8") for path in outputs)
    return subprocess.CompletedProcess(line, returncode, stdout, stderr)


_running: dict[frozenset[tuple[str, str]], subprocess.Popen[str]] = {}


def _ask(python: str, env: dict[str, str], request: Mapping[str, Any]) -> int:
    """The exit status of one command. There is a process for each interpreter and environment, until the tests end."""
    key = frozenset([("", python), *env.items()])
    if key not in _running:
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
        _running[key] = subprocess.Popen([python, str(Path(__file__))], env=env, text=True, **pipes)
    process = _running[key]
    print(json.dumps(request), file=process.stdin, flush=True)
    answer = process.stdout.readline()
    if not answer:
        del _running[key]  # the next command starts another
        raise RuntimeError("the process that forks commands has ended")
    return int(answer)


@atexit.register
def _end() -> None:
    while _running:
        process = _running.popitem()[1]
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()


def _serve() -> None:
    """Fork for each request on standard input, and answer with the exit status; a fork goes on in `_become`."""
    replies = os.dup(1)
    os.dup2(2, 1)
    for name in LIBRARIES:
        __import__(name)
    gc.freeze()  # a collection in a fork would copy all of it
    while request := sys.stdin.readline():
        pid = os.fork()
        if not pid:
            os.close(replies)
            forks.end_with(functools.partial(_become, **json.loads(request)))
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        os.write(replies, f"{status}\n".encode())


def _become(line: list[str], env: dict[str, str], cwd: str, outputs: list[str]) -> None:
    """Run a command line in this process."""
    for number, path in enumerate([os.devnull, *outputs]):
        file = os.open(path, os.O_RDONLY if not number else os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(file, number)
        os.close(file)
    os.environ.clear()
    os.environ.update(env)
    tempfile.tempdir = None  # TMPDIR may be another
    os.chdir(cwd)
    sys.path[1:1] = filter(None, env.get("PYTHONPATH", "").split(os.pathsep))
    if line[1:2] == ["-m"]:
        sys.path[0] = cwd
        sys.argv = line[2:]
        runpy.run_module(line[2], run_name="__main__", alter_sys=True)
    elif line[1:2] == ["-c"]:
        sys.path[0] = cwd
        sys.argv = ["-c", *line[3:]]
        exec(compile(line[2], "<string>", "exec"), {"__name__": "__main__"})
    else:
        script = line[1:] if Path(line[0]).name == Path(sys.executable).name else line
        sys.path[0] = str(Path(script[0]).parent)
        sys.argv = script
        runpy.run_path(script[0], run_name="__main__")


if __name__ == "__main__":
    _serve()
