"""Log-probabilities of the frozen model, computed once and cached: the reference's, and the text prior's.

Both are the model before training (adapters off), with media or without, so one cache holds both, response by
response. A value's key covers all that it depends on: weights, tokenizer and feature extractor, precision, prompt
template, the files (a sample of their content, size, time of change; not their paths) or the noise on them, prompt
and response. After any change of these the key differs, and the value is computed. A sweep over losses, seeds or
learning rates uses the cache again, and so does a training whose files were moved.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from avem_train.backbones.base import Backbone
from avem_train.data.responses import Response
from avem_train.dpo import logprobs
from emorealm_tasks.benchmarks import availability
from emorealm_tasks.errors import stop
from emorealm_tasks.untrusted import Unreadable, lines, parse_json, read_bytes
from model_adapters.base.fingerprint import fingerprint, of_processor, sample


class CachedLogps:
    """A folder of values: `<key of model and template>/<process>.jsonl`, a response a line.

    Every process writes a file of its own and reads all; a line cut short by a kill is left out.
    """

    def __init__(self, folder: Path, backbone: Backbone, precision: str, process: int = 0) -> None:
        about = [fingerprint(backbone.folder), of_processor(backbone.folder), precision, backbone.template]
        self.folder = folder / _digest(about)
        self.process = process
        self._file = self.folder / f"{process}.jsonl"
        self._values: dict[str, float] = {}
        self._keys: dict[Response, str] = {}
        self._stamps: dict[str, list[int | str]] = {}
        for path in sorted(self.folder.glob("*.jsonl")):
            self._values |= dict(_whole_lines(path))

    def __contains__(self, response: Response) -> bool:
        return self._key(response) in self._values

    def __getitem__(self, response: Response) -> float:
        return self._values[self._key(response)]

    def add(self, values: dict[Response, float]) -> None:
        """Add values, on disk too."""
        lines = {self._key(response): value for response, value in values.items()}
        self.merge(lines)
        text = "".join(json.dumps([key, value]) + "\n" for key, value in lines.items())
        self._append("\n" + text if _cut_short(self._file) else text)

    def check_writable(self) -> None:
        """Stop where nothing can be cached, before anything is computed."""
        self._append("")

    def _append(self, text: str) -> None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with self._file.open("a", encoding="utf-8") as file:
                file.write(text)
        except (OSError, ValueError) as error:  # ValueError: a NUL byte in the path
            why = getattr(error, "strerror", None) or error
            stop(
                f"{self.folder}: the frozen model's values cannot be cached there ({why}); name another folder with "
                "running.reference=, or compute them again at every step with running.keep_reference=false"
            )

    def merge(self, values: dict[str, float]) -> None:
        """Add values by key, in memory only: what another process computed and wrote."""
        self._values |= values

    def by_key(self, responses: Iterable[Response]) -> dict[str, float]:
        """Values by key, to hand to other processes."""
        return {self._key(response): self[response] for response in responses}

    def _key(self, response: Response) -> str:
        if response not in self._keys:
            media = [[source.kind, str(source.noise), *self._stamp(source.path)] for source in response.sources]
            self._keys[response] = _digest([media, response.prompt, response.text])
        return self._keys[response]

    def _stamp(self, path: str) -> list[int | str]:
        """What tells a file from another, wherever it lies; looked at once."""
        if path not in self._stamps:
            stamp = availability.stamp(path)
            if stamp is None:
                raise FileNotFoundError(f"{path}: no such file any more")
            self._stamps[path] = [*stamp, sample(Path(path))]
        return self._stamps[path]


def compute_missing(
    cached: CachedLogps, backbone: Backbone, groups: Sequence[Sequence[Response]], batch: int, packed: bool
) -> int:
    """Compute what is not cached yet; returns how many values that was.

    groups: the responses of each record, which share media. batch: records at once; the same ones in every run, so that
    one that was stopped goes on to the same values in the last digit. The first process shows a bar of its own share.
    """
    chunks = [groups[start : start + batch] for start in range(0, len(groups), batch)]
    missing_chunks = [
        [r for r in dict.fromkeys(r for group in chunk for r in group) if r not in cached] for chunk in chunks
    ]
    missing_chunks = [chunk for chunk in missing_chunks if chunk]
    if missing_chunks:
        cached.check_writable()
    hidden = not missing_chunks or cached.process > 0
    bar = tqdm(total=sum(map(len, missing_chunks)), desc="reference", unit="response", disable=hidden, mininterval=1)
    for number, chunk in enumerate(missing_chunks):
        for ahead in missing_chunks[number : number + 2]:
            backbone.prefetch([source for response in ahead for source in response.sources])
        # apart: in one batch, prompts without media would be padded to the length of the others
        for alike in ([one for one in chunk if one.sources], [one for one in chunk if not one.sources]):
            if not alike:
                continue
            with torch.no_grad():
                total = logprobs.score(backbone.model, backbone, alike, packed).total
            cached.add(dict(zip(alike, total.tolist(), strict=True)))
        bar.update(len(chunk))
    bar.close()
    return sum(map(len, missing_chunks))


def _digest(about: list[Any]) -> str:
    return hashlib.sha256(json.dumps(about).encode()).hexdigest()[:24]


def _whole_lines(path: Path) -> Iterator[tuple[str, float]]:
    try:
        text = read_bytes(path).decode(errors="replace")
    except Unreadable:  # no file, say: the cache is a help, and computed again
        return
    for _, line in lines(text):
        try:
            key, value = parse_json(line)
        except (ValueError, TypeError):  # of a kill, or a whole value of another kind
            continue
        if isinstance(key, str) and isinstance(value, int | float):
            yield key, value


def _cut_short(path: Path) -> bool:
    """Whether a file ends inside a line."""
    if not path.exists() or not path.stat().st_size:
        return False
    with path.open("rb") as file:
        file.seek(-1, 2)
        return file.read() != b"\n"
