"""A row's files, as a layout names them."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from avem_train.curation.data.rows import Row
from emorealm_tasks.media import has_sound
from emorealm_tasks.untrusted import inside


@dataclass(frozen=True)
class Media:
    """A row's files, absolute."""

    video: Path | None
    """The file with the picture; None = sound alone."""
    audio: Path | None
    """A file of its own; None = the video's own sound, if it has one."""
    sounds: bool
    """Whether there is a sound, in whichever file."""

    @property
    def sound(self) -> Path | None:
        """The file that holds the sound."""
        return (self.audio or self.video) if self.sounds else None


def finder(root: Path) -> Callable[[Row], Media]:
    """A function from rows to their files below `root`; each video is looked into once.

    It raises Unreadable for a path that leads outside.
    """
    heard: dict[Path, bool] = {}

    def find(row: Row) -> Media:
        video, audio = (inside(root, row[name], name) if row[name] else None for name in ("video", "audio"))
        if video is not None and audio is None and video not in heard:
            heard[video] = has_sound(video, unreadable=False)
        return Media(video, audio, audio is not None or (video is not None and heard[video]))

    return find


def tags(media: Media) -> str:
    """`<video>` and `<audio>`, as far as there are such."""
    return "".join(tag for tag, there in (("<video>", media.video), ("<audio>", media.sound)) if there)


def lists(media: Media) -> dict[str, list[str]]:
    """Paths by kind, in the tags' order."""
    return {
        "videos": [str(media.video)] if media.video else [],
        "audios": [str(media.sound)] if media.sound else [],
    }
