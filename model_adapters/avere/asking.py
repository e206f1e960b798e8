"""What lmms-eval hands over -> what AVERE is asked: one text about at most one video and one sound."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from emorealm_tasks import media
from emorealm_tasks.errors import stop

from .clips import Clip

_SOUND_SUFFIXES = {".wav", ".mp3", ".m4a", ".aac", ".flac", ".ogg", ".opus"}


class Ask(NamedTuple):
    """One question and the clip it is about."""

    clip: Clip
    text: str


def from_messages(messages: Sequence[dict], task: str) -> Ask:
    """A chat request: one user turn of video, audio and text items, each medium given by path.

    Sound is heard only through an audio item (whose url may be the mp4 itself): a video item alone is silent. Stops the
    run with one line naming `task` when the turn holds what AVERE cannot take.
    """
    if [message["role"] for message in messages] != ["user"]:
        stop(f"avere: task {task} sends a dialogue; avere answers single user turns only")
    found: dict[str, list[str]] = {"video": [], "audio": [], "text": []}
    for item in messages[0]["content"]:
        if item["type"] not in found:
            stop(f"avere: task {task} sends an item of type {item['type']!r}; avere takes video, audio and text")
        found[item["type"]].append(item["text"] if item["type"] == "text" else _path(item["url"], task))
    return Ask(_clip(found["video"], found["audio"], task), "\n".join(found["text"]))


def from_visuals(context: str, visuals: Sequence[Any] | None, task: str) -> Ask:
    """A simple request: the text and a flat list of paths.

    A path with a sound suffix is the sound, another one the video; a video given alone is heard too if it has a sound
    track, since a simple task has no other way to hand that over.
    """
    paths = [_path(visual, task) for visual in visuals or []]
    sounds = [path for path in paths if Path(path).suffix.lower() in _SOUND_SUFFIXES]
    videos = [path for path in paths if path not in sounds]
    clip = _clip(videos, sounds, task)
    if clip.video and not clip.audio and _has_sound(clip.video):
        clip = clip._replace(audio=clip.video)
    return Ask(clip, context)


@cache
def _has_sound(path: str) -> bool:
    """Whether a video can be heard; an unreadable one is left to the decoder, which reports it with its remedy."""
    try:
        return media.probe(path).has_audio
    except media.MediaError:
        return False


def _path(value: Any, task: str) -> str:
    if not isinstance(value, str | Path):
        stop(f"avere: task {task} sends a medium as {type(value).__name__}; avere reads media from paths")
    return str(value)


def _clip(videos: list[str], sounds: list[str], task: str) -> Clip:
    if len(videos) > 1 or len(sounds) > 1:
        stop(f"avere: task {task} sends {len(videos)} videos and {len(sounds)} sounds; avere takes at most one of each")
    return Clip(video=next(iter(videos), None), audio=next(iter(sounds), None))
