"""What the scripted model does wrong, how often, and how a reply notes it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import TypeVar

import numpy as np

from avem_train.curation.data.draws import draw, shuffled

T = TypeVar("T")
_NOTE = re.compile(r"\[planted: (.*)\]")


@dataclass(frozen=True)
class Mistakes:
    """Rates, each from 0 to 1 and by itself: chances that a reply (of a cue: that the cue) has this mistake."""

    missed: float = 0.0
    """A cue that is there is not named."""
    invented: float = 0.0
    """A caption names a cue of the emotion that is not there."""
    invented_scene: float = 0.0
    """A caption names an object, clothes or a sound that is not there."""
    flipped: float = 0.0
    """A cue is said to tell of the emotion where it does not, or the other way round."""
    guess: float = 0.0
    """Another emotion is guessed from a caption."""
    leak: float = 0.0
    """A Basic question names the emotion."""
    present: float = 0.0
    """A cue that is there is offered as hallucinated."""
    keyed: float = 0.0
    """The right option of a Basic question names a cue that explains nothing."""
    guessable: float = 0.0
    """The right option of a Basic question is the longest by far."""
    misclaimed: float = 0.0
    """A rejected response is wrong in another way than it is to be."""
    overlooked: float = 0.0
    """The checker overlooks that a statement speaks of a cue."""
    overzealous: float = 0.0
    """The checker says that a statement speaks of a cue, which it does not."""
    broken: float = 0.0
    """A reply is no JSON, the second attempt is."""
    broken_twice: float = 0.0
    """Neither attempt is JSON."""

    def __post_init__(self) -> None:
        for one in fields(self):
            if not 0 <= getattr(self, one.name) <= 1:
                raise ValueError(f"{one.name} must be from 0 to 1, got {getattr(self, one.name)}")


@dataclass(frozen=True)
class Chance:
    """Draws for one reply, the same for the same seed and request."""

    seed: int
    """Of the scripted model."""
    request: str
    """What is asked, its media included."""

    def happens(self, rate: float, *names: object) -> bool:
        """Whether something of that chance happens."""
        return draw(self.seed, self.request, *names) < rate

    def pick(self, items: Sequence[T], *names: object) -> T:
        """One of the items."""
        return items[int(draw(self.seed, self.request, "pick", *names) * len(items))]

    def order(self, items: Sequence[T], *names: object) -> list[T]:
        """The items in a drawn order."""
        return shuffled(items, self.seed, self.request, "order", *names)

    def generator(self, *names: object) -> np.random.Generator:
        """For the world's own language, which draws with numpy."""
        return np.random.default_rng(int(draw(self.seed, self.request, "generator", *names) * 2**48))


def noted(planted: Sequence[str], reply: str) -> str:
    """A reply with a note of its mistakes before it, where readers of JSON do not look."""
    return f"[planted: {', '.join(planted)}]\n{reply}" if planted else reply


def planted(text: str) -> list[str]:
    """The mistakes that a reply notes: names, with details behind a colon."""
    found = _NOTE.match(text)
    return found[1].split(", ") if found else []
