"""One self-contained HTML file from a template, its style, its script and data; text of models is only ever data.

The data goes in as JSON inside a script element of type application/json, and the page's own script puts every string
in place with textContent. In JSON the characters that could end the element are written as escapes.
"""

import json
from collections.abc import Sequence
from importlib.resources import files
from typing import Any

_ESCAPES = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:; media-src {media}"


def build(name: str, data: Any, scripts: Sequence[str], media: str = "data:") -> str:
    """``NAME/page.html`` with ``NAME/page.css``, the ``scripts`` NAME/*.js in their order and ``data`` put in.

    ``data`` is of plain JSON types. The page forbids itself every request (content security policy) but for sound and
    video from ``media``, so it works from disk and tells nobody.
    """
    parts = {
        "policy": _POLICY.format(media=media),
        "style": _read(f"{name}/page.css"),
        "script": "\n".join(_read(f"{name}/{script}.js") for script in scripts),
        "data": embed(data),
    }
    page = _read(f"{name}/page.html")
    for key in ("policy", "style", "script", "data"):  # data last: what it holds is never looked at again
        page = page.replace(f"@{key}@", parts[key], 1)
    return page


def embed(data: Any) -> str:
    """JSON that can stand inside a script element: no character of it can end the element or start a comment."""
    text = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for character, escape in _ESCAPES.items():
        text = text.replace(character, escape)
    return text


def _read(name: str) -> str:
    return (files("emorealm_results.pages") / name).read_text(encoding="utf-8")
