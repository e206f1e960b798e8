"""What a model thought before it answered, taken out of what it wrote."""

import re

from emorealm_tasks.untrusted import Unreadable, parse_json

_TAG = re.compile(r"[<\[◁](/?)(?:think|thinking|thought|reasoning|seed:think)[>\]▷]", re.IGNORECASE)


def without(text: str) -> str:
    """The text without what stands between tags of thinking, as `<think>`.

    A closing tag without its opening one ends thoughts that began with the text (the template had the opening one); an
    opening tag without its closing one begins thoughts that were cut off. A text that is JSON as it stands may speak of
    such tags.
    """
    if not _TAG.search(text) or _is_json(text):
        return text
    outside: list[str] = []
    depth = place = 0
    for tag in _TAG.finditer(text):
        if tag[1]:
            outside = outside if depth else []
            depth = max(0, depth - 1)
        else:
            outside += [] if depth else [text[place : tag.start()]]
            depth += 1
        place = tag.end()
    return " ".join(outside if depth else [*outside, text[place:]])


def are_all(text: str) -> bool:
    """Whether nothing was written beside thoughts that were brought to their end."""
    tags = [tag[1] for tag in _TAG.finditer(text)]
    return bool(tags) and tags[-1] == "/" and not without(text).strip()


def _is_json(text: str) -> bool:
    if not text.lstrip().startswith("{"):
        return False
    try:
        parse_json(text)
    except Unreadable:
        return False
    return True
