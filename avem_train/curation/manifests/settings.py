"""Where the labelled clips of a recipe are."""

from dataclasses import dataclass
from pathlib import Path

from avem_train.curation.data import store


@dataclass(frozen=True)
class Manifest:
    """Where the labelled clips are."""

    reader: str
    """A dataset's layout: csv, mafw, mer2025, dfew, ravdess, or mini (the embedded world)."""
    path: str
    """Its file or folder; a CSV file may have an address (s3://, gs://, hf://, http://, ...)."""
    root: str = ""
    """The folder, or the address, that media paths count from; "" = beside the manifest."""
    split: str = ""
    """Only clips of that split; "" = all."""
    limit: int = 0
    """Only that many clips, the first; 0 = all."""

    @property
    def place(self) -> str:
        """The folder, or the address, that media paths count from."""
        root, path = store.plain(self.root), store.plain(self.path)
        if root:
            return root if store.is_address(root) else str(Path(root).expanduser())
        if store.is_address(path):
            return path.rpartition("/")[0]
        here = Path(path).expanduser()
        return str(here if here.is_dir() else here.parent)
