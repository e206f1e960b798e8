"""The folder of a training: what it was, how far it is, and the result in a form that the harness loads.

    adapter_config.json, adapter_model.safetensors   the adapters; adapter_config.json names the weights they belong to;
                      whole weights where no adapters were trained
    README.md         the model card
    recipe.yaml       every setting; `avem-train run DIR/recipe.yaml` does the same again
    training.json     what it depends on (weights, data, size and precision of an update), the machine, versions, time,
                      the last metrics; `answering`, how the harness must ask a model trained on another prompt than
                      the harness asks by default; `held_out`, the scores of held-out records
    log.jsonl         a line a logged step; tensorboard/ the same
    checkpoints/      while it runs
With `merge` the whole weights lie here and the adapters in adapter/.
"""

import contextlib
import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
import yaml

from avem_train import config
from avem_train.backbones import loading
from avem_train.data import hub_files
from avem_train.data.bad_records import BAD_RECORDS
from avem_train.dpo import model_card, places
from avem_train.dpo.arguments import update_records
from emorealm_tasks import files
from emorealm_tasks.errors import stop
from emorealm_tasks.untrusted import Unreadable, lines, parse_json, read_bytes, read_json, typed
from model_adapters.base import lora_folders
from model_adapters.base.fingerprint import fingerprint

if TYPE_CHECKING:
    from transformers import Trainer, TrainingArguments

    from avem_train.dpo.settings import TrainingSettings

_PACKAGES = ("emorealm", "torch", "transformers", "peft", "accelerate")
_DIVIDING = ("batch", "accumulation")
"""Settings of the optimiser that divide an update; times the processes they are its size, and that is compared."""
_PLACES = {"settings": ("data", "root", "model", "start"), "model": ("folder", "revision"), "data": ("file",)}
_OUTSIDE = ("running", "out", "push_to_hub", "push_base", "push_public")
"""Settings that make no other training of it."""
_HELD_OUT_PLACES = ("data", "root")
_REMEDY = {"update": "keep its precision and its records (processes x batch x accumulation), and running.by_length, "}


def claim(out: Path, option: str = "out=", writes: bool = True) -> None:
    """Make `out` the folder of a training, or stop where another's files lie in it. writes: see `RunFolder.writes`."""
    (files.claim if writes else files.check)(out, "avem-train", option, _left_by_earlier)


def _left_by_earlier(out: Path) -> bool:
    """Whether an earlier version, which left no mark, trained here, or was stopped before it did."""
    names = {path.name for path in files.entries(out)}
    if names <= {BAD_RECORDS, "output.txt", "video_tower.pt", "audio_tower.pt"}:
        return True
    try:
        found = parse_json(read_bytes(out / "training.json"))
    except Unreadable:
        return any(name.startswith("examined-") for name in names)
    return isinstance(found, dict) and isinstance(found.get("settings"), dict)


class RunFolder:
    """`settings.out` of one training on a number of records. dtype: of the model's weights."""

    def __init__(
        self,
        settings: "TrainingSettings",
        model_folder: Path,
        records: int,
        arguments: "TrainingArguments",
        dtype: torch.dtype,
    ) -> None:
        self.settings = settings
        self.model_folder = model_folder
        self.path = settings.out
        self.writes = arguments.should_save
        fields: Any = settings  # of a dataclass, which a protocol cannot say
        base_model, revision = model_card.of_base(model_folder)
        chosen = {name: value for name, value in config.decided(fields).items() if name not in _OUTSIDE}
        if name := hub_files.name(str(chosen["data"])):  # a Path has one of its slashes
            chosen["data"] = name
        self.about = _plain(
            {
                "settings": chosen,
                "model": {"folder": base_model, "revision": revision, "fingerprint": fingerprint(model_folder)},
                "data": places.data(settings) | {"records": records},
                "update": ({"quantised": settings.running.quantise} if settings.running.quantise else {})
                | ({"by_length": True} if settings.running.by_length else {})
                | {
                    "records": update_records(arguments),
                    "dtype": str(dtype).removeprefix("torch."),
                    "mixed": arguments.bf16 and dtype == torch.float32,
                },
                "machine": {"processes": arguments.world_size, "device": arguments.device.type},
            }
        )

    @property
    def _file(self) -> Path:
        return self.path / "training.json"

    def finished(self) -> int | None:
        """Steps of a finished training in this folder, None if there is none.

        Stops where the folder holds a different training. An update may be divided differently into processes, batches
        and accumulated batches, as long as it has as many records.
        """
        if not self._file.is_file():
            return None
        saved_record = read_json(self._file, dict, "it is not what a training writes; name another out")
        steps = saved_record.get("steps")
        for part in ("settings", "model", "data", "update"):
            saved, current = _deciding(saved_record, part), _deciding(self.about, part)
            if part == "settings" and not isinstance(steps, int):
                saved = self._lowered(saved, current, saved_record)
            if part == "update" and saved is None:
                continue  # written before it was recorded
            if saved != current:
                stop(
                    f"{self.path} holds another training: its {part} differ ({_difference(saved, current)}); "
                    f"{_REMEDY.get(part, '')}name another out, or delete that folder"
                )
        return steps if isinstance(steps, int) else None

    def _lowered(self, saved: Any, current: Any, saved_record: Mapping[str, Any]) -> Any:
        """The saved settings, with the current learning rate if it is lower, which may help after an overflow.

        The change and its step are added to the record of this training.
        """
        earlier = saved_record.get("lowered")
        if isinstance(earlier, list):
            self.about["lowered"] = earlier
        try:
            former, rate = saved["optimiser"]["learning_rate"], current["optimiser"]["learning_rate"]
            lower = rate < former
        except (KeyError, TypeError):
            return saved
        if not lower:
            return saved
        change = {"after_step": self.last_checkpoint()[0], "from": former, "to": rate}
        self.about["lowered"] = [*self.about.get("lowered", []), change]
        return saved | {"optimiser": saved["optimiser"] | {"learning_rate": rate}}

    def begin(self) -> None:
        """Write down what is about to be trained."""
        if self.writes:
            claim(self.path)
            recipe = {"program": self.settings.PROGRAM, **_plain(asdict(places.anywhere(self.settings)))}
            files.write(self.path / "recipe.yaml", yaml.safe_dump(recipe, sort_keys=False))
            self._write({})

    def note_answering(self, answering: Mapping[str, Any]) -> None:
        """Write down how the harness must ask this model, before a checkpoint is saved that could be evaluated."""
        if answering:
            self.about["answering"] = dict(answering)
            if self.writes:
                self._write({})

    def last_checkpoint(self) -> tuple[int, str | None]:
        """See `last_checkpoint`."""
        return last_checkpoint(self.path)

    def save(self, trainer: "Trainer") -> None:
        """Write what was trained, on every process (a sharded model is gathered)."""
        place = self.path / "adapter" if self.settings.merge else self.path
        trainer.save_model(str(place))
        if self.writes:
            (place / "training_args.bin").unlink(missing_ok=True)

    def merge(self, dtype: torch.dtype) -> None:
        """Write whole weights of a dtype: the model's, loaded again, with the adapters added."""
        backbone = loading.load(self.model_folder, torch.device("cpu"), dtype, 0)
        backbone.close()
        lora_folders.merge("avem-train", backbone.model, self.path / "adapter").save_pretrained(self.path)
        backbone.processor.save_pretrained(self.path)
        files.readable(self.path)

    def finish(self, seconds: float, held_out: Mapping[str, float]) -> int:
        """Write down the result and the scores of held-out records, drop the checkpoints; returns the steps."""
        lines = self.log()
        steps = max((line["step"] for line in lines), default=0)
        if self.writes:
            versions = {package: version(package) for package in _PACKAGES}
            result = {"seconds": round(seconds, 1), "metrics": self.last_metrics(), "versions": versions}
            result |= {"held_out": dict(held_out)} if held_out else {}
            self._write({"steps": steps} | result)
            model_card.write(self.path, self.about | {"steps": steps} | result, self.model_folder)
            self._drop_checkpoints(held_out.get("step"))
        return steps

    def _drop_checkpoints(self, result: float | None) -> None:
        """Remove the checkpoints that are not kept, and their folder if nothing else lies in it.

        result: the step whose state is the result, where that is known; its checkpoint is kept before others.
        """
        found = [(path, path.name.rpartition("-")[2]) for path in (self.path / "checkpoints").glob("checkpoint-*")]
        steps = {path: int(number) for path, number in found if number.isdecimal()}
        newest_last = sorted(steps, key=lambda path: (steps[path] == result, steps[path]))
        for path in newest_last[: max(0, len(steps) - self.settings.running.keep)]:
            shutil.rmtree(path, ignore_errors=True)
        with contextlib.suppress(OSError):
            (self.path / "checkpoints").rmdir()

    def last_metrics(self) -> dict[str, float]:
        """The last logged line of a step."""
        return next((line for line in reversed(self.log()) if "loss" in line), {})

    def log(self) -> list[dict[str, Any]]:
        """The lines of log.jsonl."""
        return read_log(self.path / "log.jsonl")

    def _write(self, more: dict[str, Any]) -> None:
        files.write_json(self._file, self.about | more)


def last_checkpoint(out: Path) -> tuple[int, str | None]:
    """Steps and folder of the last complete checkpoint of a training; 0 and None without one.

    `trainer_state.json` is written last, so a save that was killed lacks it.
    """
    complete: list[tuple[int, str | None]] = [(0, None)]
    for path in (out / "checkpoints").glob("checkpoint-*"):
        with contextlib.suppress(Unreadable):
            state = typed(parse_json(read_bytes(path / "trainer_state.json")), dict)
            if isinstance(state.get("global_step"), int):
                complete.append((state["global_step"], str(path)))
    return max(complete, key=lambda found: found[0])


def read_log(path: Path) -> list[dict[str, Any]]:
    """The lines of a log.jsonl, without one that a kill cut short."""
    entries = []
    try:
        text = read_bytes(path).decode(errors="replace")
    except Unreadable:
        return []
    for _, line in lines(text):
        with contextlib.suppress(ValueError):
            entries.append(typed(parse_json(line), dict))
    return entries


def _deciding(about: dict[str, Any], part: str) -> Any:
    """A part of a training.json without what may differ between two runs of one training; None if it is not there.

    Where data and weights lie may: their hashes say what they are.
    """
    content = about.get(part)
    if not isinstance(content, dict):
        return content
    content = {name: value for name, value in content.items() if name not in _PLACES.get(part, ())}
    for section, names in (("optimiser", _DIVIDING), ("evaluation", _HELD_OUT_PLACES)):
        if isinstance(content.get(section), dict):
            kept = {name: value for name, value in content[section].items() if name not in names}
            content = content | {section: kept}
    return content


def _plain(content: Any) -> Any:
    """As it comes back from JSON; paths as text."""
    return json.loads(json.dumps(content, default=str))


def _difference(saved: Any, expected: Any, name: str = "") -> str:
    """The first key that differs, with both values."""
    if isinstance(saved, dict) and isinstance(expected, dict):
        for key in sorted({*saved, *expected}):
            if saved.get(key) != expected.get(key):
                return _difference(saved.get(key), expected.get(key), f"{name}.{key}" if name else key)
    return f"{name}: {saved!r} there, {expected!r} here"
