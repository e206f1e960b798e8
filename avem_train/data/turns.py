"""What trainers' layouts have in common: turns of a conversation, and the files beside it."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from emorealm_tasks.untrusted import brief, inside

KINDS = {"video": "video", "image": "video", "audio": "audio"}
"""What a tag, a block or a column can be of -> which medium that is."""
_ROLES = {"human": "user", "user": "user", "gpt": "assistant", "assistant": "assistant", "system": "system"}


def turns(listed: object) -> Iterator[tuple[str, str]]:
    """Role (user, assistant, system) and text of every turn of a list. Raises ValueError."""
    if not isinstance(listed, list):
        raise ValueError("it has no list conversations or messages, nor prompt and completion or response")
    for turn in listed:
        role = (turn.get("from") or turn.get("role")) if isinstance(turn, Mapping) else None
        if not isinstance(role, str) or role not in _ROLES:
            raise ValueError(f"a turn is of {', '.join(_ROLES)}; found {brief(repr(role or turn))}")
        yield _ROLES[role], _text(turn["value"] if "value" in turn else turn.get("content"))


def _text(content: Any) -> str:
    """A turn's text; blocks of media become tags. Raises ValueError."""
    if isinstance(content, list):
        parts: list[Any] = []
        for block in content:
            kind = block.get("type") if isinstance(block, Mapping) else None
            parts.append(f"<{kind}>" if kind in KINDS else block.get("text") if kind == "text" else None)
        content = "".join(parts) if all(isinstance(part, str) for part in parts) else None
    if not isinstance(content, str):
        raise ValueError("a turn's text is neither text nor a list of blocks of text, video, image and audio")
    return content


def files(item: Mapping[str, Any], root: Path) -> dict[str, str]:
    """The files of picture and sound that an item names, "" for none. Raises ValueError."""
    found: dict[str, list[str]] = {"video": [], "audio": []}
    for name, kind in KINDS.items():
        given = [item[name]] if item.get(name) else []
        several = item.get(f"{name}s") or []
        for path in [*given, *(several if isinstance(several, list) else [several])]:
            if not isinstance(path, str):
                raise ValueError(f"field {name!r}: expected a path, found {brief(repr(path))}")
            found[kind].append(str(inside(root, path, name)))
    for kind, paths in found.items():
        if len(set(paths)) > 1:
            raise ValueError(f"{len(set(paths))} files of {kind}: one of a kind is trained on")
    return {kind: paths[0] if paths else "" for kind, paths in found.items()}
