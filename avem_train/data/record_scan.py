"""A file of preference records in any layout -> records, one at a time."""

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

from avem_train.data import pairs, record_files
from avem_train.data.records import Preference, Problem, of_item


def scan(path: Path, root: Path, names: Counter[str]) -> Iterator[Preference | Problem]:
    """What the items of a file are, in order: records, or why one is none. names: counts the fields of the records.

    Pairs of other trainers' layouts (`pairs`) are joined to records. Stops where the file cannot be read at all.
    """
    return pairs.joined(_scan(path, root, names))


def _scan(path: Path, root: Path, names: Counter[str]) -> Iterator[tuple[Preference | Problem, bool]]:
    """What each item is, and whether it is a pair."""
    for where, row in record_files.items(path):
        try:
            item = record_files.content(row)
            if not isinstance(item, Mapping):
                raise ValueError(f"a record is an object with id, video, prompt, ...; found {type(item).__name__}")
            is_pair = pairs.is_pair(item)
            if is_pair:
                item = pairs.ours(item, root)
            record = of_item(item, where, root)
            names.update(list(item))
        except ValueError as error:
            yield Problem(where, "unreadable", str(error)), False
        else:
            yield record, is_pair
