"""Conversations about a clip: the record of supervised training, and the file layouts that it is read from.

A file is JSON Lines or a JSON list, either also as .gz; every item says in its own layout what was asked and answered:

- ours and LLaVA's: `conversations`, a list of {"from": "human" or "gpt", "value"}, with `video`, `audio` or `image`;
- ShareGPT's as LLaMA-Factory reads it: the same with `videos`, `audios`, `images`;
- ms-swift's: `messages`, a list of {"role": "user" or "assistant", "content"}, with `videos`, `audios`, `images`;
- TRL's: `prompt` and `completion`, two lists of messages, or two texts;
- the embedded world's: `prompt` and `response`, two texts, with `video`.

Tags in the first question (`<video>`, `<image>`, `<audio>`) say which media are given; `<audio>` without a file is the
video's own sound. Without a tag all files are given, and a video brings its sound along. A picture is a video of one
frame. Texts of the system are left out: a model is trained as the harness asks it. Paths count from the file's folder.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from avem_train.data import record_files, turns
from avem_train.data.model_facts import ModelFacts
from avem_train.data.records import TAG, Problem
from avem_train.data.responses import Source
from emorealm_tasks import media


@dataclass(frozen=True)
class Conversation:
    """Questions about a clip, and the answers that are learned."""

    id: str
    """Its name in messages."""
    video: str
    """The clip's file; "" = no picture."""
    audio: str
    """The sound's file; "" = none of its own."""
    own_sound: bool
    """Whether the video's own sound is heard where there is one."""
    prompts: tuple[str, ...]
    """What is asked, without media tags, in turn."""
    responses: tuple[str, ...]
    """What is answered, as many."""

    @property
    def sources(self) -> tuple[Source, ...]:
        """What the encoders read: the picture, then the sound."""
        found = [Source("video", self.video)] if self.video else []
        sound = self.audio
        if not sound and self.own_sound and media.has_sound(Path(self.video), unreadable=True):
            sound = self.video
        return (*found, Source("audio", sound)) if sound else tuple(found)

    @property
    def files(self) -> dict[str, str]:
        """The file that "video" and "audio" are to be in, where there is one."""
        return {kind: path for kind, path in (("video", self.video), ("audio", self.audio)) if path}


def read(path: Path, root: Path | None, model: ModelFacts) -> Iterator[Conversation | Problem]:
    """What each item of a file is, in order: a conversation with the media that the model takes, or why it is none.

    root: where paths start; None = the file's folder. Stops where the file cannot be read.
    """
    for where, item in record_files.items(path):
        name = where
        try:
            content = record_files.content(item)
            if not isinstance(content, Mapping):
                raise ValueError(f"a record is an object, found {type(content).__name__}")
            name = str(content["id"]) if content.get("id") not in (None, "") else where
            conversation = taken(_conversation(content, name, root or path.parent), model.media)
            _check_marks(conversation, model)
        except ValueError as error:
            yield Problem(name, "unreadable", str(error))
        else:
            yield conversation


def _conversation(item: Mapping[str, Any], name: str, root: Path) -> Conversation:
    """The conversation of an item. Raises ValueError."""
    spoken = [(role, text) for role, text in _turns(item) if role != "system"]
    if not spoken or len(spoken) % 2 or any(role != ("user", "assistant")[i % 2] for i, (role, _) in enumerate(spoken)):
        raise ValueError("questions and answers must take turns, a question first and an answer last")
    tags = {turns.KINDS[tag.strip("<>")] for tag in TAG.findall(spoken[0][1])}
    prompts = [TAG.sub("", spoken[0][1]).strip(), *(text.strip() for _, text in spoken[2::2])]
    responses = [text.strip() for _, text in spoken[1::2]]
    if any(TAG.search(text) for text in (*prompts, *responses)):
        raise ValueError("media tags stand in the first question only")
    if not all((*prompts, *responses)):
        raise ValueError("a question or an answer is empty")
    files = turns.files(item, root)
    if "video" in tags and not files["video"]:
        raise ValueError("a tag stands for a picture, and there is no file of one")
    if "audio" in tags and not any(files.values()):
        raise ValueError("a tag stands for a sound, and there is no file of one")
    own_sound = bool(files["video"]) and not files["audio"] and (not tags or "audio" in tags)
    if tags and "audio" not in tags:
        files["audio"] = ""
    if tags == {"audio"}:  # the sound alone, perhaps a video's
        files, own_sound = {"video": "", "audio": files["audio"] or files["video"]}, False
    return Conversation(name, files["video"], files["audio"], own_sound, tuple(prompts), tuple(responses))


def taken(conversation: Conversation, kinds: tuple[str, ...]) -> Conversation:
    """The conversation with the media of some kinds alone. Raises ValueError where it has only others."""
    left = conversation
    if "video" not in kinds:
        sound = left.audio or (left.video if left.own_sound else "")
        left = replace(left, video="", audio=sound, own_sound=False)
    if "audio" not in kinds:
        left = replace(left, audio="", own_sound=False)
    if conversation.files and not left.files:
        raise ValueError(f"the model takes {kinds[0]} alone, and the conversation has none")
    return left


def _turns(item: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Role and text of every turn. Raises ValueError."""
    listed = item.get("conversations") or item.get("messages")
    asked, answered = item.get("prompt"), item.get("completion") or item.get("response")
    if listed is None and isinstance(asked, list) and isinstance(answered, list):
        listed = [*asked, *answered]
    elif listed is None and isinstance(asked, str) and isinstance(answered, str):
        listed = [{"role": "user", "content": asked}, {"role": "assistant", "content": answered}]
    return turns.turns(listed)


def _check_marks(conversation: Conversation, model: ModelFacts) -> None:
    """Raises ValueError where a text holds a mark of the model."""
    for text in (*conversation.prompts, *conversation.responses):
        for token in model.special:
            if token in text:
                raise ValueError(f"a text holds {token!r}, which the model reads as its own mark; take it out")
