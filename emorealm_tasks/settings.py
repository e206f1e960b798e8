"""Where the data and the weights are: the one settings place.

A setting comes from its environment variable, else from a YAML file (the file EMOREALM_SETTINGS names, else
./emorealm.yaml if there is one), else from its default. In the file the keys are the field names below::

    json: /data/emorealm_v1.json
    videos: /data/dfew/dfew_original_clips_24fps
    audios: /data/dfew/dfew_original_clips_16khz
"""

import dataclasses
import difflib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from emorealm_tasks.errors import stop

AV_MODES = ("separate", "embedded", "source", "inline", "video")
_TRUE, _FALSE = {"1", "true", "yes", "on"}, {"0", "false", "no", "off", ""}


@dataclass(frozen=True)
class Settings:
    """Resolved settings; each field's environment variable is EMOREALM_ and its name in capitals."""

    json: Path | None = None
    """The released questions, emorealm_v1.json; None = fetched from the hub."""
    videos: Path | None = None
    """Folder under which part_1/1.mp4 lies."""
    audios: Path | None = None
    """Folder under which part_1/1.wav lies; None = a wav beside its mp4, or else the sound in the mp4."""
    mini: Path | None = None
    """Folder of a built EmoReAlM-Mini; after `load` never None (default: <cache>/emorealm-mini/test)."""
    cache: Path = Path("~/.cache/emorealm")
    """Where extracted sound and the results of probing clips are kept."""
    avere: Path | None = None
    """Folder of converted AVERE weights; None = the embedded avere-nano."""
    allow_missing: bool = False
    """Go on without clips that cannot be used; their counts stand beside the scores."""
    av_mode: str | None = None
    """Overrides how a chat model is handed the sound (see `emorealm_tasks.messages`); None = by model family."""


def load() -> Settings:
    """Read the settings. An unknown key, file or value stops with one line that names it and the nearest known."""
    values = _from_file(_settings_file())
    for field in dataclasses.fields(Settings):
        variable = f"EMOREALM_{field.name.upper()}"
        if os.environ.get(variable):
            values[field.name] = _parse(field, os.environ[variable], variable)
    settings = Settings(**values)
    cache = settings.cache.expanduser().resolve()
    return dataclasses.replace(settings, cache=cache, mini=settings.mini or cache / "emorealm-mini" / "test")


def _settings_file() -> Path | None:
    named = os.environ.get("EMOREALM_SETTINGS")
    if named:
        path = Path(named).expanduser()
        if not path.is_file():
            stop(f"{path}: no such settings file; EMOREALM_SETTINGS names it")
        return path
    here = Path("emorealm.yaml")
    return here if here.is_file() else None


def _from_file(path: Path | None) -> dict[str, object]:
    """The file's values, parsed; relative paths are taken from the file's own folder."""
    if path is None:
        return {}
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        stop(f"{path}: not readable as YAML ({str(error).splitlines()[0]})")
    if not isinstance(content, Mapping):
        stop(f"{path}: expected lines like `videos: /data/clips`, found a {type(content).__name__}")
    fields = {field.name: field for field in dataclasses.fields(Settings)}
    for key in content:
        if key not in fields:
            nearest = difflib.get_close_matches(str(key), fields, n=1, cutoff=0.0)[0]
            stop(f"{path}: unknown key {key!r}; did you mean {nearest!r}? Known: {', '.join(fields)}")
    given = {key: value for key, value in content.items() if value is not None}
    return {key: _parse(fields[key], value, f"{path}: {key}", path.parent) for key, value in given.items()}


def _parse(field: dataclasses.Field, value: object, where: str, base: Path = Path()) -> object:
    text = str(value).strip()
    if field.name == "allow_missing":
        if text.lower() not in _TRUE | _FALSE:
            stop(f"{where} is {text!r}; use 1 or 0")
        return text.lower() in _TRUE
    if field.name == "av_mode":
        if text not in AV_MODES:
            stop(f"{where} is {text!r}; use one of {', '.join(AV_MODES)}")
        return text
    return (base / Path(text).expanduser()).resolve()
