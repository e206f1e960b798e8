"""What a recipe can set, as text: each setting's name, its value, and the words that stand below it in the source."""

import argparse
import ast
import dataclasses
import inspect
import textwrap
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import pairwise
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

_WIDTH = 100


class HelpAction(argparse.Action):
    """`--help`, which also lists what the recipe named before it can set; without one, what the usual recipe can."""

    def __init__(
        self, option_strings: list[str], dest: str, *, settings: Callable[[str], Iterable[str]], usual: str, **more: Any
    ) -> None:
        """settings: a recipe's lines, which stops where it cannot be read. usual: the recipe to show without one."""
        super().__init__(option_strings, dest, **more)
        self._settings, self._usual = settings, usual

    def __call__(self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, *unused: Any) -> None:
        """Print both, and leave."""
        parser.print_help()
        recipe = getattr(namespace, "recipe", None) or self._usual
        found = "\n".join(self._settings(recipe))
        print(f"\nsettings of {recipe} (another recipe's: {parser.prog} RECIPE --help):\n{found}")
        parser.exit()


def lines(
    settings: "type[DataclassInstance]",
    content: Mapping[str, Any],
    where: str = "",
    named: "Mapping[str, Mapping[str, type[DataclassInstance]]] | None" = None,
) -> Iterator[str]:
    """A line for each setting of a dataclass and of those nested in it, the words about it below; `content` goes
    before the defaults, as a recipe does. named: field -> the dataclasses of its entries, of fields that are mappings.
    """
    kinds, words = typing.get_type_hints(settings), _words(settings)
    for field in dataclasses.fields(settings):
        kind, given = kinds[field.name], content.get(field.name)
        if named and field.name in named:
            for name, of_entry in named[field.name].items():
                yield from lines(of_entry, (given or {}).get(name) or {}, f"{where}{field.name}.{name}.")
            continue
        if isinstance(kind, type) and dataclasses.is_dataclass(kind):
            yield from lines(kind, given if isinstance(given, Mapping) else {}, f"{where}{field.name}.")
            continue
        value = given if field.name in content else _default(field)
        yield f"  {where}{field.name}={value}"
        yield from textwrap.wrap(words.get(field.name, ""), _WIDTH, initial_indent="      ", subsequent_indent="      ")


def _default(field: "dataclasses.Field[Any]") -> Any:
    """A field's default as it is typed on a command line; "(must be given)" where there is none."""
    if field.default is not dataclasses.MISSING:
        return field.default
    return "(must be given)" if field.default_factory is dataclasses.MISSING else field.default_factory()


def _words(settings: type) -> dict[str, str]:
    """Field -> the string that stands below it in the class, or in the one that it comes from."""
    found: dict[str, str] = {}
    for base in reversed(settings.__mro__):
        if dataclasses.is_dataclass(base):
            found |= _own_words(base)
    return found


def _own_words(settings: type) -> dict[str, str]:
    (class_,) = ast.parse(textwrap.dedent(inspect.getsource(settings))).body
    body = class_.body if isinstance(class_, ast.ClassDef) else []
    found = {}
    for field, below in pairwise(body):
        text = below.value if isinstance(below, ast.Expr) else None
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and isinstance(text, ast.Constant):
            found[field.target.id] = " ".join(str(text.value).split())
    return found
