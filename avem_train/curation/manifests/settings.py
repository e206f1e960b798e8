"""Where the labelled clips of a recipe are."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Manifest:
    """Where the labelled clips are."""

    reader: str
    """A dataset's layout: see `avem_train.curation.manifests.READERS`."""
    path: str
    """Its file or folder."""
    root: str = ""
    """The folder that media paths count from; "" = beside the manifest."""
    split: str = ""
    """Only clips of that split; "" = all."""
    limit: int = 0
    """Only that many clips, the first; 0 = all."""
