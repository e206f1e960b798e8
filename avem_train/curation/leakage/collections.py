"""The clips and questions of a dataset: of a recipe, of a benchmark in EmoReAlM's layout, or of a folder of clips."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePath

from avem_train.config import RecipeError
from avem_train.curation import pipeline, recipe
from avem_train.curation.data import row_files
from avem_train.curation.data.rows import Clip, Filtered
from avem_train.curation.leakage.prints import ClipFiles
from avem_train.curation.recipe import Recipe
from emorealm_tasks import files
from emorealm_tasks.benchmarks import emorealm
from emorealm_tasks.errors import stop
from emorealm_tasks.untrusted import Unreadable, inside

_VIDEOS = (".mp4", ".avi", ".mkv", ".mov", ".webm", ".m4v")
_SOUNDS = (".wav", ".flac", ".mp3", ".m4a", ".ogg")


@dataclass(frozen=True)
class Collection:
    """What is compared."""

    clips: Mapping[str, ClipFiles]
    """Name -> files."""
    names: Mapping[str, frozenset[str]]
    """Name -> whatever the clip is called: its id, its path without ending, its file's name unless that is a number."""
    questions: Mapping[str, str] = field(default_factory=dict)
    """Id -> question and choices."""


def read(path: Path, clips: Path | None = None) -> Collection:
    """The dataset at a path: a recipe (.yaml), questions (.json, whose clips lie below `clips`, by default `videos`
    beside it), or a folder, of which all videos and sounds count.

    Stops where there is nothing to compare.
    """
    if path.suffix in (".yaml", ".yml"):
        try:
            return of_recipe(recipe.load(str(path), []))
        except RecipeError as error:
            stop(str(error))
    if path.is_dir():
        return _of_folder(path)
    if path.suffix == ".json":
        return _of_benchmark(path, clips or path.parent / "videos")
    stop(f"{path}: is neither a recipe (.yaml), nor questions (.json), nor a folder of clips")


def of_recipe(chosen: Recipe) -> Collection:
    """The clips of a recipe's manifest, and its questions as far as it has them."""
    if not pipeline.path(chosen, "").exists():
        pipeline.write_manifest(chosen)
    root = chosen.root
    clips, names = {}, {}
    for row in row_files.read(pipeline.path(chosen, ""), Clip):
        places = [_inside(root, row[name], name) if row[name] else None for name in ("video", "audio")]
        clips[row["id"]] = ClipFiles(*places)
        names[row["id"]] = _named(PurePath(row["video"] or row["audio"]).with_suffix("")) | {row["id"]}
    source = pipeline.path(chosen, "filter")
    rows = row_files.read(source, Filtered) if source.exists() else ()
    return Collection(clips, names, {row["id"]: _text(row["question"], row["choices"]) for row in rows})


def _of_benchmark(path: Path, folder: Path) -> Collection:
    rows = emorealm.read_file(path, folder, None)
    clips = {row["clip"]: ClipFiles(Path(row["video"]), Path(row["audio"]) if row["audio"] else None) for row in rows}
    questions = {row["id"]: _text(row["question"], row["choices"]) for row in rows}
    return Collection(clips, {clip: _named(PurePath(clip).with_suffix("")) for clip in clips}, questions)


def _of_folder(folder: Path) -> Collection:
    """A sound beside a video of its name is the video's."""
    found = {file: file.suffix.lower() for file in files.matching(folder, "**/*") if file.is_file()}
    videos = {file.with_suffix(""): file for file, kind in found.items() if kind in _VIDEOS}
    sounds = {file.with_suffix(""): file for file, kind in found.items() if kind in _SOUNDS}
    clips = {
        place.relative_to(folder).as_posix(): ClipFiles(videos.get(place), sounds.get(place))
        for place in sorted({*videos, *sounds})
    }
    if not clips:
        stop(f"{folder}: holds no videos ({', '.join(_VIDEOS)}) or sounds ({', '.join(_SOUNDS)})")
    return Collection(clips, {clip: _named(PurePath(clip)) for clip in clips})


def _named(place: PurePath) -> frozenset[str]:
    """What a path without ending calls a clip; a mere number says which it is only with its folder."""
    return frozenset({place.as_posix()} | (set() if place.name.isdigit() else {place.name}))


def _inside(root: Path, name: str, medium: str) -> Path:
    try:
        return inside(root, name, medium)
    except Unreadable as error:
        stop(f"{error}: name the folder that all media lie below with manifest.root=")


def _text(question: str, choices: list[str]) -> str:
    return " ".join([question, *choices])
