"""What the host does for a batch before its step, while the device is still at the step before."""

from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import Any, Generic, TypeVar

Made = TypeVar("Made")


class Ahead(Generic[Made]):
    """What can be done for a batch before its step: each once, when first asked for."""

    def __init__(self, read: Callable[[], None], make: Callable[[], Made]) -> None:
        """read: starts reading the batch's media. make: what of its inputs can be made before these are encoded."""
        self.read, self.made = cache(read), cache(make)
        self.following: Ahead[Any] | None = None
        """That of the batch collated next, once there is one (`InOrder`)."""

    def now(self) -> Made:
        """All of it at once, for a batch without a step before it."""
        self.read()
        return self.made()

    def collated(self) -> Iterator["Ahead[Any]"]:
        """It and those collated since."""
        one: Ahead[Any] | None = self
        while one:
            yield one
            one = one.following


class InOrder:
    """A collator whose batches, each with an `Ahead` as "ahead", know which one comes next.

    transformers collates all batches of an update at once, and right after it has waited for the last update: what took
    long there would keep the device waiting too. So a batch holds what is to be done, and that is done behind the step
    before; for batches that a resumed training skips it never is. The first batch of an epoch has none before it.
    """

    def __init__(self, collate: Callable[[Sequence[Any]], dict[str, Any]]) -> None:
        self._collate = collate
        self._last: Ahead[Any] | None = None

    def __call__(self, samples: Sequence[Any]) -> dict[str, Any]:
        """The batch, linked to the one before."""
        batch = self._collate(samples)
        if self._last:
            self._last.following = batch["ahead"]
        self._last = batch["ahead"]
        return batch
