"""Where a training's data and weights lie, for its record and for its recipe."""

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from avem_train.data import hub_files
from emorealm_tasks import files
from emorealm_tasks.mini.build import record
from emorealm_tasks.settings import load

if TYPE_CHECKING:
    from avem_train.dpo.settings import TrainingSettings


def data(settings: "TrainingSettings") -> dict[str, str]:
    """Which data there are: their files, and the sha256 of the file, or of those of several."""
    hashes = [files.sha256(file) for file in settings.files]
    together = hashes[0] if len(hashes) == 1 else hashlib.sha256(" ".join(hashes).encode()).hexdigest()
    names = str(settings.files[0]) if len(hashes) == 1 else ", ".join(file.name for file in settings.files)
    further = {"held_out_sha256": str(settings.evaluation.file or "")}
    if start := getattr(settings, "start", ""):
        further["start_sha256"] = str(Path(start).expanduser() / "adapter_model.safetensors")
    if any(benchmark.endswith("_mini") for benchmark in settings.evaluation.benchmarks):
        further["benchmark_sha256"] = str(load().mini / record.QUESTIONS)
    there = {name: Path(path).expanduser() for name, path in further.items() if path}
    return {"file": names, "sha256": together} | {
        name: files.sha256(path) for name, path in there.items() if path.is_file()
    }


def anywhere(settings: Any) -> Any:
    """The settings with paths that mean the same whatever folder the command is given in."""

    def absolute(path: str | Path) -> str:
        return hub_files.name(path) or (str(Path(path).absolute()) if path else "")

    model, running, evaluation = settings.model, settings.running, settings.evaluation
    if reference := getattr(running, "reference", ""):
        running = replace(running, reference=absolute(reference))
    further = {"start": absolute(settings.start)} if hasattr(settings, "start") else {}
    return replace(
        settings,
        data=[absolute(one) for one in settings.data] if isinstance(settings.data, list) else absolute(settings.data),
        out=settings.out.absolute(),
        root=absolute(settings.root),
        model=absolute(model) if Path(model).is_dir() else model,
        running=running,
        evaluation=replace(evaluation, data=absolute(evaluation.data), root=absolute(evaluation.root)),
        **further,
    )
