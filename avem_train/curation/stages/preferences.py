"""Stage 5b: chosen and rejected responses to every question and description (Sections 4.1, 4.3, C.2, Table 12)."""

from dataclasses import dataclass

from avem_train.curation.stages.base import client


@dataclass(frozen=True)
class Settings:
    """Settings of the stage."""

    client: str = client()
    """The client that writes variations."""
    letters: float = 0.4
    """Share of the questions answered by letter, without a client: formats that training never sees decay."""
    irrelevant: bool = False
    """Also a response that has nothing to do with the clip (Table 18)."""
    length_factor: float = 2.0
    """A rejected response that is so many times longer or shorter than the chosen one, in words, is dropped."""
