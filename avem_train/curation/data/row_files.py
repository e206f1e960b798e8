"""Files of rows: JSON Lines or Parquet, written whole or not at all, read one row at a time."""

import json
import typing
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from avem_train.curation.data.rows import Row
from emorealm_tasks import files
from emorealm_tasks.errors import stop
from emorealm_tasks.untrusted import Unreadable, brief, parse_json

_GROUP = 10_000  # rows of a Parquet row group
_COUNTED = 1 << 20  # rows of a part where only their number matters


class BadFile(Exception):
    """A file of rows that cannot be read; the message says where and why."""


@dataclass(frozen=True)
class Part:
    """Some of a file's rows, one after another."""

    path: str
    """The file that holds them."""
    start: int
    """Of JSON Lines: the byte at which the first row starts; of Parquet: the number of the first row, from 0."""
    rows: int
    """How many there are."""


def read(path: Path, model: type[BaseModel]) -> Iterator[Row]:
    """The rows of a file, in order, each checked against its model. Stops at a file or a row that does not fit."""
    try:
        yield from _checked(path, _values(path), model)
    except BadFile as error:
        stop(str(error))


def read_part(part: Part, model: type[BaseModel]) -> Iterator[Row]:
    """As `read`, of a part. Raises BadFile."""
    path = Path(part.path)
    values = _parquet(path, part.start) if path.suffix == ".parquet" else _lines(path, part.start)
    return _checked(path, islice(values, part.rows), model)


def parts(path: Path, rows: int) -> list[Part]:
    """A file's parts of at most so many rows, in order. Raises BadFile."""
    if path.suffix == ".parquet":
        import pyarrow
        from pyarrow import parquet

        try:
            count = parquet.read_metadata(path).num_rows
        except (OSError, pyarrow.ArrowException) as error:
            raise BadFile(f"{path}: cannot be read as Parquet ({brief(error)})") from None
        return [Part(str(path), start, min(rows, count - start)) for start in range(0, count, rows)]
    found: list[Part] = []
    start = position = count = 0
    try:
        with path.open("rb") as file:
            for line in file:
                position += len(line)
                count += bool(line.strip())
                if count == rows:
                    found.append(Part(str(path), start, count))
                    start, count = position, 0
    except OSError as error:
        raise BadFile(f"{path}: cannot be read ({error.strerror})") from None
    return [*found, Part(str(path), start, count)] if count else found


def count(path: Path) -> int:
    """How many rows a file has; they are not checked. Raises BadFile."""
    return sum(part.rows for part in parts(path, _COUNTED))


def _checked(path: Path, values: Iterable[Any], model: type[BaseModel]) -> Iterator[Row]:
    for number, value in enumerate(values, 1):
        try:
            yield model.model_validate(value).model_dump()
        except ValidationError as error:
            fault = error.errors()[0]
            place = ".".join(map(str, fault["loc"]))
            raise BadFile(
                f"{path}: row {number}: {place}: {brief(fault['msg'])}; make it anew, or mend the row"
            ) from None


def _values(path: Path) -> Iterator[Any]:
    return _parquet(path) if path.suffix == ".parquet" else _lines(path)


def _lines(path: Path, start: int = 0) -> Iterator[Any]:
    try:
        with path.open("rb") as file:
            file.seek(start)
            for number, line in enumerate(file, 1):
                if line.strip():
                    yield _parsed(line, f"{path}: line {number}")
    except OSError as error:
        raise BadFile(f"{path}: cannot be read ({error.strerror})") from None


def _parsed(line: bytes, where: str) -> Any:
    try:
        return parse_json(line)
    except Unreadable as error:
        raise BadFile(f"{where}: {error}; make the file anew") from None


def _parquet(path: Path, start: int = 0) -> Iterator[Any]:
    """The rows from that number on; groups of rows before it are not read."""
    import pyarrow
    from pyarrow import parquet

    try:
        with parquet.ParquetFile(path) as file:
            for group in range(file.num_row_groups):
                count = file.metadata.row_group(group).num_rows
                if start >= count:
                    start -= count
                    continue
                for batch in file.iter_batches(batch_size=1000, row_groups=[group]):
                    yield from batch.slice(min(start, len(batch))).to_pylist()
                    start -= min(start, len(batch))
    except (OSError, pyarrow.ArrowException) as error:
        raise BadFile(f"{path}: cannot be read as Parquet ({brief(error)})") from None


@contextmanager
def writer(path: Path, model: type[BaseModel]) -> Iterator[Callable[[Row], None]]:
    """A function that takes rows one by one; the file appears whole when the block ends without an error."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with files.draft(path) as draft:
        if path.suffix == ".parquet":
            with _parquet_writer(draft, model) as put:
                yield put
        else:
            with draft.open("w", encoding="utf-8") as file:

                def put_line(row: Row) -> None:
                    file.write(json.dumps(row, ensure_ascii=False) + "\n")

                yield put_line


@contextmanager
def _parquet_writer(path: Path, model: type[BaseModel]) -> Iterator[Callable[[Row], None]]:
    import pyarrow
    from pyarrow import parquet

    schema = pyarrow.schema([(name, arrow_type(field.annotation)) for name, field in model.model_fields.items()])
    with parquet.ParquetWriter(path, schema) as file:
        group: list[Row] = []

        def flush() -> None:
            file.write_table(pyarrow.Table.from_pylist(group, schema))
            group.clear()

        def put(row: Row) -> None:
            group.append(row)
            if len(group) >= _GROUP:
                flush()

        yield put
        if group:
            flush()


def arrow_type(annotation: Any) -> Any:
    """The Arrow type of a field of a row's model: text, numbers, truth values, lists and models of these."""
    import pyarrow

    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is list:
        return pyarrow.list_(arrow_type(arguments[0]))
    if type(None) in arguments:
        return arrow_type(next(one for one in arguments if one is not type(None)))
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return pyarrow.struct([(name, arrow_type(one.annotation)) for name, one in annotation.model_fields.items()])
    plain: dict[Any, Any] = {
        str: pyarrow.string(),
        int: pyarrow.int64(),
        float: pyarrow.float64(),
        bool: pyarrow.bool_(),
    }
    return pyarrow.string() if origin is typing.Literal else plain[annotation]
