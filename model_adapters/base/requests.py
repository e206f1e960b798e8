"""A request of lmms-eval -> the question to a model: one text about at most one video and one sound.

`owner` is the adapter's name, with which the lines that stop a run begin.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from emorealm_tasks import media
from emorealm_tasks.errors import stop
from model_adapters.base.media_refs import ClipFiles

_SOUND_SUFFIXES = {".wav", ".mp3", ".m4a", ".aac", ".flac", ".ogg", ".opus"}


class ClipQuestion(NamedTuple):
    """One question and the clip it is about."""

    clip: ClipFiles
    """Files of the clip."""
    text: str
    """The question."""


def from_messages(messages: Sequence[dict[str, Any]], task: str, owner: str) -> ClipQuestion:
    """A chat request: one user turn of video, audio and text items, each medium given by path.

    Sound is heard only through an audio item (whose url may be the mp4 itself): a video item alone is silent. Stops the
    run with one line naming `task` when the turn holds anything else.
    """
    if [message["role"] for message in messages] != ["user"]:
        stop(f"{owner}: task {task} sends a dialogue; {owner} answers single user turns only")
    items: dict[str, list[str]] = {"video": [], "audio": [], "text": []}
    for item in messages[0]["content"]:
        if item["type"] not in items:
            stop(f"{owner}: task {task} sends an item of type {item['type']!r}; it takes video, audio and text")
        items[item["type"]].append(item["text"] if item["type"] == "text" else _path(item["url"], task, owner))
    return ClipQuestion(_clip(items["video"], items["audio"], task, owner), "\n".join(items["text"]))


def from_visuals(context: str, visuals: Sequence[Any] | None, task: str, owner: str) -> ClipQuestion:
    """A simple request: the text and a flat list of paths.

    A path with a sound suffix is the sound, another one the video; a video given alone is heard too if it has a sound
    track, since a simple task has no other way to hand that over.
    """
    paths = [_path(visual, task, owner) for visual in visuals or []]
    sounds = [path for path in paths if Path(path).suffix.lower() in _SOUND_SUFFIXES]
    videos = [path for path in paths if path not in sounds]
    clip = _clip(videos, sounds, task, owner)
    if clip.video and not clip.audio and media.has_sound(clip.video, unreadable=False):
        clip = clip._replace(audio=clip.video)
    return ClipQuestion(clip, context)


def _path(value: Any, task: str, owner: str) -> str:
    if not isinstance(value, str | Path):
        stop(f"{owner}: task {task} sends a medium as {type(value).__name__}; {owner} reads media from paths")
    return str(value)


def _clip(videos: list[str], sounds: list[str], task: str, owner: str) -> ClipFiles:
    if len(videos) > 1 or len(sounds) > 1:
        stop(f"{owner}: task {task} sends {len(videos)} videos and {len(sounds)} sounds; it takes at most one of each")
    return ClipFiles(video=next(iter(videos), None), audio=next(iter(sounds), None))
