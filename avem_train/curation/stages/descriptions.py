"""Stage 5a: the emotion and what tells of it, described from both captions and from each alone (C.2, Fig. 36)."""

from dataclasses import dataclass

from avem_train.curation.stages.base import client


@dataclass(frozen=True)
class Settings:
    """Settings of the stage."""

    client: str = client()
    """The client that describes."""
    alone: bool = True
    """Also from each caption alone, beside both."""
