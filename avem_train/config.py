"""Recipes: YAML files and `key=value` arguments that fill a program's settings, which are nested frozen dataclasses."""

import dataclasses
import os
import types
import typing
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from emorealm_tasks import files, sequences
from emorealm_tasks.untrusted import Unreadable, parse_yaml, read_text

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Form = TypeVar("Form", bound="DataclassInstance")


class RecipeError(Exception):
    """A recipe that cannot be used; the message says which key and what would do."""


def shipped() -> dict[str, Path]:
    """Name -> file of the recipes that come with the package."""
    folder = Path(str(resources.files("avem_train.recipes")))
    return {path.stem: path for path in files.matching(folder, "*.yaml")}


def nearest(name: str, known: list[str]) -> str:
    """What to try in place of a name that is not known."""
    close = sequences.nearest(name, known)
    return f"did you mean {close!r}?" if close else f"known: {', '.join(sorted(known))}"


def find(recipe: str, known: Mapping[str, Path]) -> Path:
    """The file of a recipe, by its path or by its name in `known`. Raises RecipeError where there is none."""
    path = Path(recipe) if recipe.endswith((".yaml", ".yml")) else known.get(recipe)
    if path is None or not path.exists():
        raise RecipeError(f"no recipe {recipe!r}: {nearest(recipe, list(known))}")
    return path


def read(recipe: str, overrides: list[str], known: Mapping[str, Path] | None = None) -> dict[str, Any]:
    """A recipe's content, with `a.b=value` overrides (values are YAML) put in.

    recipe: path of a YAML file, or the name of a recipe in `known` (default: those that are shipped for training). A
    recipe that has `base: NAME` starts from that one; a path there counts from the recipe's own folder. Raises
    RecipeError for a missing recipe, broken YAML or an argument without "=".
    """
    path = find(recipe, shipped() if known is None else known)
    try:
        content = parse_yaml(read_text(path)) or {}
    except Unreadable as error:
        raise RecipeError(f"{path} is not valid YAML: {error}") from error
    if not isinstance(content, dict):
        raise RecipeError(f"{path} must hold keys and values")
    if base := content.pop("base", None):
        beside = path.parent / str(base)
        content = merged(read(str(beside) if beside.is_file() else str(base), [], known), content)
    return merged(content, changes(overrides))


def changes(overrides: Sequence[str]) -> dict[str, Any]:
    """`a.b=value` arguments as nested content. Raises RecipeError for one without "="."""
    content: dict[str, Any] = {}
    for override in overrides:
        key, equals, value = override.partition("=")
        if not equals:
            raise RecipeError(f"{override!r} is not key=value")
        try:
            nested: Any = parse_yaml(value)
        except Unreadable as error:
            raise RecipeError(f"{override!r}: {error}") from error
        for part in reversed(key.split(".")):
            nested = {part: nested}
        content = merged(content, nested)
    return content


def merged(under: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """`under` with the values of `over` put in, key by key at every depth."""
    combined = dict(under)
    for key, value in over.items():
        nested = isinstance(value, dict) and isinstance(combined.get(key), dict)
        combined[key] = merged(combined[key], value) if nested else value
    return combined


def from_mapping(settings: type[Form], content: dict[str, Any], where: str = "") -> Form:
    """An instance of the dataclass `settings` with the content's values; nested dataclasses are filled likewise.

    Raises RecipeError for an unknown key (naming the nearest known one), a missing one, or a value of the wrong type.
    """
    kinds = typing.get_type_hints(settings)
    fields = {field.name: field for field in dataclasses.fields(settings)}
    values = {}
    for key, value in content.items():
        if key not in fields:
            raise RecipeError(f"unknown key {where + str(key)!r}: {nearest(str(key), list(fields))}")
        kind = kinds[key]
        if isinstance(kind, type) and dataclasses.is_dataclass(kind):
            if not isinstance(value, dict):
                raise RecipeError(f"{where + key} must hold keys and values, got {value!r}")
            values[key] = from_mapping(kind, value, f"{where}{key}.")
        else:
            values[key] = _typed(kind, value, where + key)
    missing = [name for name, field in fields.items() if name not in values and _required(field)]
    if missing:
        raise RecipeError(f"{', '.join(where + name for name in missing)} must be given")
    try:
        return settings(**values)
    except ValueError as error:
        raise RecipeError(str(error)) from error


def decided(settings: "DataclassInstance") -> dict[str, Any]:
    """Settings as nested mappings, to tell one training from another.

    A field whose metadata says `added` came after the first trainings were kept, and is left out at its default: what
    was trained before there was such a setting is found again.
    """
    values: dict[str, Any] = {}
    for field in dataclasses.fields(settings):
        value = getattr(settings, field.name)
        if field.metadata.get("added") and value == _default(field):
            continue
        nested = dataclasses.is_dataclass(value) and not isinstance(value, type)
        values[field.name] = decided(value) if nested else value
    return values


def _default(field: dataclasses.Field[Any]) -> Any:
    return field.default if field.default_factory is dataclasses.MISSING else field.default_factory()


def _required(field: dataclasses.Field[Any]) -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def _typed(kind: Any, value: Any, key: str) -> Any:
    if typing.get_origin(kind) is types.UnionType and type(None) in typing.get_args(kind):
        if value is None:
            return None
        (kind,) = (one for one in typing.get_args(kind) if one is not type(None))
    if kind is float and isinstance(value, str | int) and not isinstance(value, bool):
        try:
            return float(value)  # YAML reads 1e-3 as text
        except ValueError as error:
            raise RecipeError(f"{key} must be a number, got {value!r}") from error
    if kind is str and value is None:  # `key=` on a command line
        return ""
    if kind is Path:
        if value is None:
            raise RecipeError(f"{key} must name a file or folder, got nothing")
        return Path(os.path.expanduser(str(value)))
    if kind is str and isinstance(value, str):
        return os.path.expanduser(value)  # of a path; nothing else begins with "~"
    plain = typing.get_origin(kind) or kind
    if plain is list and isinstance(value, str):  # one, as it is typed on a command line
        value = [value]
    if plain is list and isinstance(value, list):
        return [os.path.expanduser(one) if isinstance(one, str) else one for one in value]
    if isinstance(plain, type) and (not isinstance(value, plain) or (plain is int and isinstance(value, bool))):
        raise RecipeError(f"{key} must be of type {plain.__name__}, got {value!r}")
    return value
