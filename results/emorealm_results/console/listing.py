"""Names with a line each, in the terminal's width; whole lines where the output is no terminal."""

import shutil
import textwrap

_ENDLESS = 10_000


def line(name: str, text: str, indent: int) -> str:
    """`name`, and from column `indent` on `text`, which goes on below itself where the terminal ends."""
    width = max(shutil.get_terminal_size((_ENDLESS, 24)).columns, indent + 20)
    parts = textwrap.wrap(text, width - indent, break_on_hyphens=False)
    return f"{name:<{indent}}" + ("\n" + " " * indent).join(parts)
