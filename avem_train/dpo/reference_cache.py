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
from functools import lru_cache
from itertools import chain, pairwise
from pathlib import Path
from typing import Any, overload

import torch
from tqdm import tqdm

from avem_train.backbones.base import Backbone
from avem_train.data.responses import Response, Responses
from avem_train.dpo import logprobs
from avem_train.dpo.value_store import ValueStore
from avem_train.packing.tree import Packing
from emorealm_tasks import files
from emorealm_tasks.benchmarks import availability
from emorealm_tasks.errors import stop
from emorealm_tasks.untrusted import parse_json
from model_adapters.base.fingerprint import fingerprint, of_processor, sample

_KEYS = 1 << 14
"""Keys of responses that are in memory: those of the last batches."""


class CachedLogps:
    """A folder of values: `<key of model and template>/<process>.jsonl`, a response a line.

    Every process writes a file of its own and reads all; a line cut short by a kill is left out.
    """

    def __init__(self, folder: Path, backbone: Backbone, precision: str, process: int = 0) -> None:
        about = [fingerprint(backbone.folder), of_processor(backbone.folder), precision, backbone.template]
        self.folder = folder / _digest(about)
        self.process = process
        self._file = self.folder / f"{process}.jsonl"
        self._values = ValueStore()
        self._key = lru_cache(_KEYS)(self._key_of)
        self._stamps: dict[str, list[int | str]] = {}
        for path in files.matching(self.folder, "*.jsonl"):
            self._values.add(_whole_lines(path))

    def __contains__(self, response: Response) -> bool:
        return self._values.get(self._key(response)) is not None

    def __getitem__(self, response: Response) -> float:
        value = self._values.get(self._key(response))
        if value is None:
            raise KeyError(response)
        return value

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
        """Add values by key, for this process only: what another one computed and wrote."""
        self._values.add(values.items())

    def by_key(self, responses: Iterable[Response]) -> dict[str, float]:
        """Values by key, to hand to other processes."""
        return {self._key(response): self[response] for response in responses}

    def _key_of(self, response: Response) -> str:
        media = [[source.kind, str(source.noise), *self._stamp(source.path)] for source in response.sources]
        return _digest([media, response.prompt, response.text])

    def _stamp(self, path: str) -> list[int | str]:
        """What tells a file from another, wherever it lies; looked at once."""
        if path not in self._stamps:
            stamp = availability.stamp(path)
            if stamp is None:
                raise FileNotFoundError(f"{path}: no such file any more")
            self._stamps[path] = [*stamp, sample(Path(path))]
        return self._stamps[path]


class Groups(Sequence[list[Response]]):
    """What the frozen model is asked of each record, of every `step`-th one from `first` on; made when asked for."""

    def __init__(self, plan: Sequence[Responses], first: int, step: int) -> None:
        self._plan, self._numbers = plan, range(first, len(plan), step)

    def __len__(self) -> int:
        return len(self._numbers)

    @overload
    def __getitem__(self, number: int) -> list[Response]: ...
    @overload
    def __getitem__(self, number: slice) -> list[list[Response]]: ...
    def __getitem__(self, number: int | slice) -> list[Response] | list[list[Response]]:
        if isinstance(number, int):
            return self._plan[self._numbers[number]].all
        some = self._numbers[number]
        return [one.all for one in self._plan[some.start : some.stop : some.step]]


def compute_missing(
    cached: CachedLogps, backbone: Backbone, groups: Sequence[Sequence[Response]], batch: int, packing: Packing
) -> int:
    """Compute what is not cached yet; returns how many values that was.

    groups: the responses of each record, which share media; they are gone through twice. batch: records at once; the
    same ones in every run, so that one that was stopped goes on to the same values in the last digit. The first process
    shows a bar of its own share.
    """
    # which responses of each chunk, as bits: what is computed first for one chunk is computed again for the others
    missing = [sum(1 << n for n, one in enumerate(chunk) if one not in cached) for chunk in _chunks(groups, batch)]
    count = sum(mask.bit_count() for mask in missing)
    if not count:
        return 0
    cached.check_writable()
    bar = tqdm(total=count, desc="reference", unit="response", disable=cached.process > 0, mininterval=1)
    masked = zip(_chunks(groups, batch), missing, strict=True)
    chunks = ([one for n, one in enumerate(chunk) if mask >> n & 1] for chunk, mask in masked if mask)
    for chunk, ahead in pairwise(chain(chunks, [[]])):
        for soon in (chunk, ahead):
            backbone.prefetch([source for response in soon for source in response.sources])
        # apart: in one batch, prompts without media would be padded to the length of the others
        for alike in ([one for one in chunk if one.sources], [one for one in chunk if not one.sources]):
            if not alike:
                continue
            with torch.no_grad():
                total = logprobs.score(backbone.model, backbone, alike, packing).total
            cached.add(dict(zip(alike, total.tolist(), strict=True)))
        bar.update(len(chunk))
    bar.close()
    return count


def _chunks(groups: Sequence[Sequence[Response]], batch: int) -> Iterator[dict[Response, None]]:
    """Every `batch` groups' responses, each once, in order."""
    for start in range(0, len(groups), batch):
        yield dict.fromkeys(response for group in groups[start : start + batch] for response in group)


def _digest(about: list[Any]) -> str:
    return hashlib.sha256(json.dumps(about).encode()).hexdigest()[:24]


def _whole_lines(path: Path) -> Iterator[tuple[str, float]]:
    try:
        with path.open(encoding="utf-8", errors="replace", newline="\n") as lines:
            for line in lines:
                try:
                    key, value = parse_json(line)
                except (ValueError, TypeError):  # of a kill, or a whole value of another kind
                    continue
                if isinstance(key, str) and isinstance(value, int | float):
                    yield key, value
    except OSError:  # no file, say: the cache is a help, and computed again
        return


def _cut_short(path: Path) -> bool:
    """Whether a file ends inside a line."""
    if not path.exists() or not path.stat().st_size:
        return False
    with path.open("rb") as file:
        file.seek(-1, 2)
        return file.read() != b"\n"
