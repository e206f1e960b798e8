"""Files of rows: JSON Lines or Parquet, written whole or not at all, read one row at a time."""

import json
import typing
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from avem_train.curation.data.rows import Row
from emorealm_tasks import files
from emorealm_tasks.errors import stop
from emorealm_tasks.untrusted import Unreadable, brief, parse_json

_GROUP = 10_000  # rows of a Parquet row group


def read(path: Path, model: type[BaseModel]) -> Iterator[Row]:
    """The rows of a file, in order, each checked against its model. Stops at a file or a row that does not fit."""
    for number, value in enumerate(_values(path), 1):
        try:
            yield model.model_validate(value).model_dump()
        except ValidationError as error:
            fault = error.errors()[0]
            place = ".".join(map(str, fault["loc"]))
            stop(f"{path}: row {number}: {place}: {brief(fault['msg'])}; make it anew, or mend the row")


def _values(path: Path) -> Iterator[Any]:
    if path.suffix == ".parquet":
        yield from _parquet(path)
        return
    try:
        with path.open(encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    try:
                        yield parse_json(line)
                    except Unreadable as error:
                        stop(f"{path}: line {number}: {error}; make the file anew")
    except (OSError, UnicodeError) as error:
        stop(f"{path}: cannot be read ({getattr(error, 'strerror', None) or error})")


def _parquet(path: Path) -> Iterator[Any]:
    import pyarrow
    from pyarrow import parquet

    try:
        with parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=1000):
                yield from batch.to_pylist()
    except (OSError, pyarrow.ArrowException) as error:
        stop(f"{path}: cannot be read as Parquet ({brief(error)})")


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
