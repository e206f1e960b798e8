"""What a stage is: a pure function from a row to rows, given a way to ask; and the result for one row."""

import dataclasses
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from avem_train.curation.asking.asker import Ask, Rejected
from avem_train.curation.data.rows import Row
from avem_train.curation.data.store import Store
from emorealm_tasks.media import MediaError
from emorealm_tasks.untrusted import Unreadable, inside


@dataclass(frozen=True)
class Dropped:
    """Something that a stage leaves out, with the reason."""

    id: str
    """Of the row."""
    kind: str
    """Short name of the reason, the same for all that share it."""
    reason: str
    """One line, in words."""
    row: Row
    """What is left out, as far as it had come."""


@dataclass(frozen=True)
class Outcome:
    """What became of one row, or of all of them."""

    rows: Sequence[Row] = ()
    """What goes to the next stage; one row may give several, or none."""
    dropped: Sequence[Dropped] = ()
    """What does not, with the reasons."""
    report: Mapping[str, Any] = field(default_factory=dict)
    """What `whole` has to tell of its rows, as JSON: `STAGE.report.json`; {} = nothing."""


@dataclass(frozen=True)
class Expected:
    """Requests of a stage for one row, for the estimate."""

    client: str
    """Its name in the recipe."""
    tokens_in: int
    """Of the prompt and the media, by a rule of thumb."""
    tokens_out: int
    """Of the reply."""
    count: float = 1.0
    """How many such requests a row takes on average."""


@dataclass(frozen=True)
class Context:
    """What a stage knows beside its row."""

    root: Path
    """The folder that media paths count from."""
    emotions: tuple[str, ...]
    """The labels there are."""
    seed: int
    """The recipe's."""
    settings: Any
    """The stage's own."""
    labels: Mapping[str, int] = field(default_factory=dict)
    """Label -> clips of the manifest, for `whole`."""
    store: Store | None = None
    """Where media lie that are not on disk: what a row needs of them is fetched to `root`; None = all lie below it."""

    @contextmanager
    def for_row(self) -> Iterator["Context"]:
        """The context for one row; what was fetched for it is deleted when it is done."""
        if self.store is None:
            yield self
            return
        with tempfile.TemporaryDirectory(prefix="emorealm-clip-", ignore_cleanup_errors=True) as folder:
            yield dataclasses.replace(self, root=Path(folder))

    def shown(self, message: str) -> str:
        """A message with the addresses of files that were fetched in the place of their copies."""
        if self.store:
            for field in ("video", "audio"):
                message = message.replace(str(self.root / field), self.store.root.rstrip("/"))
        return message

    def file(self, row: Row, medium: str) -> Path | None:
        """The file of a row's "video" or "audio"; None where it has none.

        Raises Rejected for one outside `root`, or that its store lacks; RequestFailed and ServerRefuses as `Store`.
        """
        field = medium if row.get(medium) else "video"
        named = row.get(field)
        if not named:
            return None
        try:
            return self.store.fetch(named, field, self.root) if self.store else inside(self.root, named, field)
        except MediaError as error:
            raise Rejected("unreadable clip", str(error)) from None
        except Unreadable as error:
            raise Rejected(
                "bad path", f"{error}: name the folder that all media lie below with manifest.root="
            ) from None


@dataclass(frozen=True)
class Stage:
    """One step of the pipeline.

    `each` is pure but for what it asks: the same row and the same replies give the same rows, in any order and on any
    machine. `whole`, where a stage has one, sees the rows that `each` gave, all of them in order.
    """

    name: str
    """Its name in the recipe, and of its file."""
    reads: str | tuple[str, ...]
    """The stage whose rows it takes; "" = the manifest. Of several, those that the recipe has, one after another: their
    rows say what they are (`row["is_a"]`)."""
    model: type[BaseModel]
    """Of its rows."""
    settings: type
    """A frozen dataclass, filled from the recipe's `stages.NAME`."""
    each: Callable[[Row, Ask, Context], Outcome]
    """What became of a row. A `Rejected` that `ask` raises drops the row."""
    prompts: tuple[str, ...] = ()
    """Names of the prompts it asks with."""
    whole: Callable[[Sequence[Row], Context], Outcome] | None = None
    """What becomes of all rows together: those that balance or split need each other. None = nothing more."""
    expected: Callable[[Any], Sequence[Expected]] = lambda settings: ()
    """The stage's settings -> the requests for each row."""
    yields: float = 1.0
    """Rows that one row gives on average, for the estimate."""
    version: int = 1
    """Raised when the same replies would give other rows."""
    reads_clips: bool = False
    """Whether it opens the files of clips (`Context.file`)."""


def clients(settings: Any) -> set[str]:
    """The names of clients that a stage's settings hold: its fields whose metadata say `client`."""
    names: set[str] = set()
    for one in dataclasses.fields(settings):
        if one.metadata.get("client"):
            value = getattr(settings, one.name)
            names.update([value] if isinstance(value, str) else value)
    return names - {""}


def client(default: Any = "") -> Any:
    """A field that names a client, or several (a list)."""
    if isinstance(default, str):
        return field(default=default, metadata={"client": True})
    return field(default_factory=lambda: list(default), metadata={"client": True})
