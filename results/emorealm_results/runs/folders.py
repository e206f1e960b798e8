"""Where the runs below a folder lie, and what they are called."""

import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from emorealm_results.runs.headers import read_header
from emorealm_tasks import files

_RESULTS = "*_results.json"


def named(places: Sequence[Path]) -> list[tuple[str, Path]]:
    """Name and folder of each run at some places; a name that comes twice is the folder's whole path."""
    found = [run for place in places for run in runs(place)]
    names = Counter(name for name, _ in found)
    return [(name if names[name] == 1 else str(folder), folder) for name, folder in found]


def runs(place: Path) -> Iterator[tuple[str, Path]]:
    """Name and folder of each run: of one --output_path one, of a folder of several all of them."""
    homes = sorted({path.parent for path in files.matching(place, f"**/{_RESULTS}")})
    if place in homes or not homes:
        yield place.resolve().name, place
        return
    outputs = [_output(home) for home in homes]
    runs_in = Counter(outputs)
    for home, output in zip(homes, outputs, strict=True):
        folder = output if runs_in[output] == 1 else home  # several models may have been given one --output_path
        yield str(folder.relative_to(place)) if folder != place else place.resolve().name, folder
    for folder in sorted(place.iterdir()):
        if folder.is_dir() and not any(home.is_relative_to(folder) for home in homes):
            print(f"emorealm: {folder}: no {_RESULTS} of lmms-eval, left out", file=sys.stderr)


def _output(home: Path) -> Path:
    """The --output_path that results lie in: lmms-eval adds a folder with the model's name, where it has one."""
    header = read_header(files.matching(home, _RESULTS)[0])
    return home.parent if home.name == header["model_folder"] else home
