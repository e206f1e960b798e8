"""A worker script in a process of its own, against a stub of its official repository: its lines, and its calls."""

import json
import os
import subprocess
import sys
import wave
from pathlib import Path

import stub_repositories
from model_adapters.external_worker.environment import SCRIPTS

STUBS = Path(__file__).parent
PROMPT = "Why? (A) x (B) y"
OFFICIAL = {
    "videollama2": stub_repositories.VIDEOLLAMA2,
    "ola": stub_repositories.OLA,
    "vita": stub_repositories.VITA,
    "pandagpt": stub_repositories.PANDAGPT,
    "video_llama": stub_repositories.VIDEO_LLAMA,
    "onellm": stub_repositories.ONELLM,
    "emotion_llama_released": stub_repositories.EMOTION_LLAMA,
    "kimi_audio": stub_repositories.KIMI_AUDIO,
    "avere_official": stub_repositories.AVERE_OFFICIAL,
}
OPTIONS = {
    "pandagpt": ["vicuna=V", "imagebind=I"],
    "video_llama": ["llama=L", "imagebind=I", "audio_branch=A"],
    "emotion_llama_released": ["llama=L"],
}


class Session:
    """One run of a worker over some questions: its lines, its calls and how it ended."""

    def __init__(self, folder, name, kinds, options=(), checkpoint="weights", generation=None, prompt=PROMPT, files=()):
        self.repo, self.calls_file = folder / "repo", folder / "calls.jsonl"
        for path, source in (OFFICIAL.get(name, {}) | dict(files)).items():
            target = self.repo / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(source)
        self.repo.mkdir(exist_ok=True)
        (self.repo / ".git").mkdir(exist_ok=True)
        (self.repo / ".git" / "HEAD").write_text("ref: refs/heads/main\n")
        (self.repo / ".git" / "packed-refs").write_text("# pack-refs\n0123abcd refs/heads/main\n")
        self.wav = folder / "sound.wav"
        with wave.open(str(self.wav), "wb") as sound:
            sound.setnchannels(1)
            sound.setsampwidth(2)
            sound.setframerate(16000)
            sound.writeframes(bytes(2 * 16000 * 3))
        lines = [self._line(number, kind, generation, prompt) for number, kind in enumerate(kinds)]
        command = [sys.executable, str(SCRIPTS / f"{name}.py"), "--repo", str(self.repo)]
        command += ["--checkpoint", checkpoint] if checkpoint else []
        for option in [*OPTIONS.get(name, []), *options]:
            command += ["--option", option]
        environment = {"PATH": os.environ["PATH"], "STUB_CALLS": str(self.calls_file), "PYTHONPATH": str(STUBS)}
        done = subprocess.run(
            command, input="".join(lines), capture_output=True, text=True, env=environment, check=False, timeout=120
        )
        self.status, self.errors = done.returncode, done.stderr
        self.hello, *self.replies = [json.loads(line) for line in done.stdout.splitlines()]
        written = self.calls_file.read_text().splitlines() if self.calls_file.exists() else []
        self.calls = [json.loads(line) for line in written]

    def _line(self, number, kind, generation, prompt):
        has = {"both": (1, 1), "video": (1, 0), "audio": (0, 1), "blind": (0, 0), "broken": (1, 1)}[kind]
        audio = "/no/such.wav" if kind == "broken" else str(self.wav)
        request = {"id": number, "video": "/clips/v.mp4" if has[0] else None, "audio": audio if has[1] else None}
        request |= {"prompt": prompt, "generation": generation or {"max_new_tokens": 16, "temperature": 0}}
        return json.dumps(request) + "\n"

    def of(self, call):
        """The calls of one function, in order."""
        return [one for one in self.calls if one["call"] == call]

    def one(self, call):
        (found,) = self.of(call)
        return found
