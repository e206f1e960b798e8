"""The environment variables that a worker process gets: what programs need to run, and no secrets.

Only the names below are passed on. Left out are keys and tokens, the variables of this Python (the worker runs under
another one), and those of this launcher (each worker is a job of its own). `env=` passes further names on.
"""

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from emorealm_tasks.errors import stop

# fmt: off
_PASSED_ON = frozenset((
    "PATH", "HOME", "USER", "LOGNAME", "LANG", "LANGUAGE", "TZ", "TMPDIR", "TEMP", "TMP", "LD_LIBRARY_PATH",
    "XDG_CACHE_HOME", "HF_HOME", "HF_HUB_CACHE", "HF_HUB_OFFLINE", "HF_ENDPOINT", "TRANSFORMERS_CACHE",
    "TRANSFORMERS_OFFLINE", "TORCH_HOME", "TRITON_CACHE_DIR", "TOKENIZERS_PARALLELISM", "OMP_NUM_THREADS",
    "MKL_NUM_THREADS", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE",
))
# fmt: on
_KEPT_PREFIXES = ("LC_", "CUDA_", "NVIDIA_", "PYTORCH_")
_SECRET = re.compile("KEY|TOKEN|SECRET|PASS|AUTH|CREDENTIAL")  # NVIDIA_API_KEY begins as NVIDIA's settings do
_NO_TOKEN_FILE = "HF_HUB_DISABLE_IMPLICIT_TOKEN"  # huggingface_hub would find a token that was saved at login
_GPUS = "CUDA_VISIBLE_DEVICES"
SCRIPTS = Path(__file__).resolve().parents[1] / "workers"


def worker_environment(
    python: str, device: str | None, added: Sequence[str], environ: Mapping[str, str] = os.environ
) -> dict[str, str]:
    """The environment for a worker that `python` runs on `device` (None, auto, cpu, cuda or cuda:N).

    A script finds the protocol.py of SCRIPTS wherever it lies itself, and programs beside `python` (its own ffmpeg,
    say) are found before others. `added` names further variables to pass on; stops where one of them is not set. Under
    a launcher each rank's worker gets the GPU of that rank.
    """
    missing = [name for name in added if name not in environ]
    if missing:
        stop(f"external_worker: env={missing[0]}: this variable is not set here, so it cannot be passed on")
    passed = {name: value for name, value in environ.items() if name in added or _passes(name)}
    passed["PYTHONPATH"] = str(SCRIPTS)
    passed["PATH"] = os.pathsep.join(filter(None, [str(Path(python).parent), passed.get("PATH")]))
    if "HF_TOKEN" not in added:
        passed[_NO_TOKEN_FILE] = "1"
    gpus = _visible_gpus(device, environ)
    return passed if gpus is None else passed | {_GPUS: gpus}


def _passes(name: str) -> bool:
    return name in _PASSED_ON or (name.startswith(_KEPT_PREFIXES) and not _SECRET.search(name))


def _visible_gpus(device: str | None, environ: Mapping[str, str]) -> str | None:
    """The value of CUDA_VISIBLE_DEVICES for the worker; None leaves it as it is."""
    if device == "cpu":
        return ""
    gpu = device.partition(":")[2] if device else ""
    gpu = gpu or environ.get("LOCAL_RANK", "")
    if not gpu:
        return None
    visible = environ.get(_GPUS)
    if visible is None:
        return gpu
    gpus = visible.split(",") if visible else []
    if gpus and int(gpu) >= len(gpus):
        stop(
            f"external_worker: there is no GPU number {gpu} among {_GPUS}={visible}; start at most {len(gpus)} "
            "processes, one a GPU"
        )
    return gpus[int(gpu)] if gpus else ""
