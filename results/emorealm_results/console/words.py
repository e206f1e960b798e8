"""Numbers and places in words, the same wherever they are shown."""

from pathlib import Path


def counted(number: int, noun: str) -> str:
    """A number with its noun, which gets an s unless it is one: "1 run", "2,000 runs"."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def place(path: Path) -> str:
    """A path for pages that are passed on: from the working directory where it lies below, else its last name."""
    path = Path(path)
    if not path.is_absolute() and ".." not in path.parts:
        return str(path)
    full = path.resolve()
    return str(full.relative_to(Path.cwd())) if full.is_relative_to(Path.cwd()) else full.name
