"""`transformers serve` as a process of its own: an OpenAI-compatible server for weights that see and hear."""

import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import openai
import pytest
from lmms_eval.protocol import ChatMessages

import tiny_models
from emorealm_tasks.harness import messages

_BLOCKS = {kind: f"<|vision_bos|><|{kind.upper()}|><|vision_eos|>" for kind in ("image", "video")}
_BLOCKS["audio"] = "<|audio_bos|><|AUDIO|><|audio_eos|>"


class Server(NamedTuple):
    """A running server, its base URL, and what its model is called."""

    process: subprocess.Popen
    url: str
    model: str


def skip_without_transformers_serve() -> None:
    """Skip the test where what `transformers serve` needs beside transformers is not installed."""
    for name in ("fastapi", "uvicorn", "soxr"):
        pytest.importorskip(name, reason=f"transformers serve needs {name}")


def start(weights: Path, folder: Path) -> Server:
    """Serve a copy of Qwen2.5-Omni's weights that knows pictures too; returns once it listens."""
    copy = shutil.copytree(weights, folder / "served")
    (copy / "chat_template.jinja").write_text(tiny_models.chat_template(**_BLOCKS))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    program = str(Path(sys.executable).with_name("transformers"))
    command = [sys.executable, program, "serve", str(copy), "--device", "cpu", "--port", str(port)]
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "CUDA_VISIBLE_DEVICES": ""}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for _ in range(1500):
        with socket.socket() as knock:
            if knock.connect_ex(("127.0.0.1", port)) == 0:
                return Server(process, f"http://127.0.0.1:{port}/v1", str(copy))
        if process.poll() is not None:
            break
        time.sleep(0.2)
    process.kill()
    raise RuntimeError("transformers serve did not start")


def stop(server: Server) -> None:
    """End the server, and wait until it is gone."""
    server.process.terminate()
    server.process.wait(timeout=60)


def ask(server: Server, clip: str, mode: str) -> str:
    """The reply to a clip as lmms-eval's chat class for servers sends it, the sound handed over as `mode` says."""
    doc = {"video": clip, "audio": "", "question": "What is felt?", "choices": []}
    asked = ChatMessages(messages=messages.doc_to_messages(doc, {"av_mode": mode}))
    chat = asked.to_openai_messages(video_kwargs={"nframes": 2})
    with openai.OpenAI(base_url=server.url, api_key="none", timeout=300) as client:
        reply = client.chat.completions.create(model=server.model, messages=chat, max_tokens=8, temperature=0)
    return reply.choices[0].message.content
