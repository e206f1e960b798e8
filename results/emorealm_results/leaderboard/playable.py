"""Where the page plays clips from: links relative to the page, and copies of clips that go with it."""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import quote

from emorealm_tasks import files
from emorealm_tasks.errors import stop
from emorealm_tasks.untrusted import brief

MAKER = "emorealm leaderboard"
FOLDER = "leaderboard_clips"
"""Of copies, beside the page, where --clips names no other."""
_MEGABYTE = 10**6

Clip = tuple[str, str]
"""Benchmark and clip, as samples name them."""
Files = tuple[Path, Path]
"""A clip's picture and its sound, which is mostly the same file."""


@dataclass(frozen=True)
class Copied:
    """What copying clips came to."""

    folder: Path
    """Where the copies lie."""
    count: int
    """Files in it that the page needs."""
    size: int
    """Their bytes."""
    left_out: int
    """Clips that the limit left out."""

    def __str__(self) -> str:
        omission = f"; {self.left_out} clips left out by the limit, raise --copy-clips" if self.left_out else ""
        return f"{self.folder.name}: {self.count} files of clips, {self.size / _MEGABYTE:.1f} MB{omission}"


def linked(clips: Mapping[Clip, Files], page: Path) -> dict[str, dict[str, str]]:
    """Clips played where they lie: ``BENCHMARK/CLIP`` -> ``video``, a link from the page's folder, and ``audio`` where
    the sound is another file. Only files that are there.
    """
    return {
        "/".join(clip): {name: _link(path, page) for name, path in _parts(paths).items()}
        for clip, paths in clips.items()
        if all(path.is_file() for path in paths)
    }


def within(folder: Path, clips: Mapping[Clip, Files]) -> dict[Clip, Files]:
    """The same clips as they are called in ``folder``: BENCHMARK/CLIP; the sound beside it where it is another file.

    A clip whose name leads out of the folder is left out.
    """
    paths = {}
    for (benchmark, clip), (video, audio) in clips.items():
        name = PurePosixPath(clip)
        if not name.is_absolute() and ".." not in name.parts:
            video_path = folder / benchmark / name
            paths[benchmark, clip] = (
                video_path,
                (video_path if audio == video else video_path.with_suffix(audio.suffix)),
            )
    return paths


def copy(clips: Mapping[Clip, Files], order: Iterable[Clip], folder: Path, most: int) -> Copied:
    """Copy clips into ``folder`` in that order, until a clip would make them more than ``most`` megabytes.

    What is there with the same size stays as it is. Stops where the folder holds what another command made, or where
    it cannot be written.
    """
    files.claim(folder, MAKER, "--clips")
    places = within(folder, clips)
    count = size = left_out = 0
    for clip in order:
        pairs = [
            (source, target)
            for source, target in dict(zip(clips.get(clip, ()), places.get(clip, ()), strict=False)).items()
            if source.is_file()
        ]
        clip_size = sum(source.stat().st_size for source, _ in pairs)
        if size + clip_size > most * _MEGABYTE:
            left_out += 1
            continue
        for source, target in pairs:
            _copy(source, target)
        count, size = count + len(pairs), size + clip_size
    return Copied(folder, count, size, left_out)


def _copy(source: Path, target: Path) -> None:
    try:
        files.copy(source, target)
    except OSError as error:
        stop(f"{target}: a clip cannot be copied there ({brief(error.strerror or str(error))}); see --clips")


def _parts(paths: Files) -> dict[str, Path]:
    video, audio = paths
    return {"video": video} if audio == video else {"video": video, "audio": audio}


def _link(path: Path, page: Path) -> str:
    try:
        return quote(Path(os.path.relpath(path.resolve(), page.resolve().parent)).as_posix())
    except ValueError:  # another drive
        return path.resolve().as_uri()
