"""The description on a package index: README.md, whose links and pictures lead to the repository there."""

import re
from pathlib import Path

from setuptools import setup

REPOSITORY = "https://github.com/emorealm/emorealm"
PICTURES = "https://raw.githubusercontent.com/emorealm/emorealm/main"
LINK = re.compile(r"(?P<picture>!?)\[(?P<text>[^\]]*)\]\((?!https?://|#)(?P<path>[^)]+)\)")


def absolute(link: re.Match[str]) -> str:
    """A link of the README with the whole address of what it names."""
    base = PICTURES if link["picture"] else f"{REPOSITORY}/blob/main"
    return f"{link['picture']}[{link['text']}]({base}/{link['path']})"


README = Path(__file__).with_name("README.md").read_text(encoding="utf-8")
setup(long_description=LINK.sub(absolute, README), long_description_content_type="text/markdown")
