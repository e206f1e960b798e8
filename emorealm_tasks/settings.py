"""Where the data and the weights are: the one settings place.

A setting comes from its environment variable, else from a YAML file (the file EMOREALM_SETTINGS names, else
./emorealm.yaml if there is one), else from its default. In the file the keys are the field names below::

    json: /data/emorealm_v1.json
    videos: /data/dfew/dfew_original_clips_24fps
    audios: /data/dfew/dfew_original_clips_16khz
"""

import dataclasses
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emorealm_tasks.errors import stop, warn_once
from emorealm_tasks.sequences import nearest
from emorealm_tasks.untrusted import Unreadable, brief, parse_yaml, read_text

AV_MODES = ("separate", "embedded", "source", "inline", "video")
DECODERS = ("pyav", "decord")
JUDGES = ("live", "batch", "later", "cues")
RAVDESS_CHANNELS = ("speech", "song", "both")
RAVDESS_MODALITIES = ("audiovisual", "video", "audio")
MINI = "test-800-clips-seed-0-v1"
"""Name of the folder of the embedded benchmark: what it was built with (`mini.build.split.folder_name`)."""
_CHOICES = {
    "av_mode": AV_MODES,
    "decoder": DECODERS,
    "judge": JUDGES,
    "ravdess_channel": RAVDESS_CHANNELS,
    "ravdess_modality": RAVDESS_MODALITIES,
}
_TEXTS = ("judge_model", "judge_base_url", "judge_key", "judge_price")
_KEY_NAME = re.compile(r"[A-Za-z_]*JUDGE[A-Za-z_0-9]*")
_FURTHER = ("EMOREALM_SETTINGS", "EMOREALM_MEDIA_LOG", "EMOREALM_JUDGE_API_KEY")
"""Variables of ours that are no field of the settings."""
_LEAST = {"judge_retries": 0, "decode_threads": 0}
_TRUE, _FALSE = {"1", "true", "yes", "on"}, {"0", "false", "no", "off", ""}


@dataclass(frozen=True)
class Settings:
    """Resolved settings; each field's environment variable is EMOREALM_ and its name in capitals."""

    json: Path | None = None
    """The released questions, emorealm_v1.json; None = fetched from the hub."""
    json_revision: str | None = None
    """Commit, tag or branch of the hub's data set that the questions are taken from; None = the newest."""
    videos: Path | None = None
    """Folder under which part_1/1.mp4 lies."""
    audios: Path | None = None
    """Folder under which part_1/1.wav lies; None = a wav beside its mp4, or else the sound in the mp4."""
    mini: Path = Path("~/.cache/emorealm/emorealm-mini", MINI)
    """Folder of a built EmoReAlM-Mini; `load` takes `standard_mini` where none is set."""
    cache: Path = Path("~/.cache/emorealm")
    """Where extracted sound and the results of probing clips are kept."""
    avere: Path | None = None
    """Folder of converted AVERE weights; None = the embedded avere-nano."""
    emotion_llama: Path | None = None
    """Folder of converted Emotion-LLaMA weights, of either version, or of adapters trained on them."""
    allow_missing: bool = False
    """Go on without clips that cannot be used; their counts stand beside the scores."""
    av_mode: str | None = None
    """How a chat model is handed the sound (`emorealm_tasks.harness.messages`); None = by model family."""
    decoder: str = "pyav"
    """What reads pictures: `pyav`, exact on every file, or `decord`, which the released code uses."""
    max_pixels: int = 36_000_000
    """Width times height up to which a picture is read; the default is a little above 8K."""
    max_seconds: int = 3600
    """Length up to which a clip is read."""
    max_frames: int = 500_000
    """Frames up to which a clip is read."""
    decode_threads: int = 0
    """Clips that AVERE has decoded at once, in evaluation and training; 0 = one a core, four at most."""
    face_towers: Path | None = None
    """Folder of the encoders of faces that Emotion-LLaMA's `features=faces` is computed by."""
    dfew: Path | None = None
    """Folder of DFEW as downloaded: the labels of its folds and its clips (clips may also lie under `videos`)."""
    dfew_fold: int = 1
    """Which of DFEW's five test folds; the paper's is the first."""
    ravdess: Path | None = None
    """Folder that holds RAVDESS's Actor_01 ... Actor_24."""
    ravdess_channel: str = "speech"
    """What the actors do: `speech` as in the paper, `song` or `both`."""
    ravdess_modality: str = "audiovisual"
    """Which files: `audiovisual` as in the paper, silent `video`, or `audio` without a picture."""
    mer2023: Path | None = None
    """Folder that holds MER2023's test3 clips and test_labels/test3-label.csv."""
    emer: Path | None = None
    """Folder of EMER (OV-MERD) as MER2025 publishes it: track3_train_ovmerd.csv and video/."""
    judge: str | None = None
    """How descriptions are judged: `live`; `batch` (submitted, collected later); `later` (not now); `cues` (against
    the true cues, embedded world only). None = cues there, live elsewhere."""
    judge_model: str = "gpt-4o"
    """The judge's name on its server; the paper's is the default."""
    judge_base_url: str | None = None
    """Any OpenAI-compatible server, ending in /v1; None = OPENAI_BASE_URL, else OpenAI's."""
    judge_key: str | None = None
    """The environment variable that holds the judge's key; None = EMOREALM_JUDGE_API_KEY, else OPENAI_API_KEY. A server
    that ./emorealm.yaml names gets no key but the one named beside it, whose name must hold JUDGE."""
    judge_repeats: int = 1
    """How often each description is judged; from 2 on the spread is reported."""
    judge_concurrency: int = 8
    """Most requests under way at once."""
    judge_timeout: int = 120
    """Seconds to wait for an answer."""
    judge_retries: int = 6
    """How often a request is sent again after 408, 409, 429, a server error, a time-out or a cut connection."""
    judge_price: str | None = None
    """US dollars for a million tokens in and out, as "2.5,10", for the estimate of a run's cost."""
    stranger: bool = dataclasses.field(default=False, metadata={"set": False})
    """Whether the judge's server is named by ./emorealm.yaml alone: whoever made that folder may have written it."""


def load() -> Settings:
    """Read the settings. An unknown key, file or value stops with one line that names it and the nearest known."""
    file = _settings_file()
    values = _from_file(file)
    from_folder = file is not None and not os.environ.get("EMOREALM_SETTINGS")
    if from_folder and (name := values.get("judge_key")) and not _KEY_NAME.fullmatch(str(name)):
        stop(f"{file}: judge_key is {brief(name)!r}; in a file of the current folder its name must hold JUDGE")
    values["stranger"] = from_folder and "judge_base_url" in values and not os.environ.get("EMOREALM_JUDGE_BASE_URL")
    for field in _settable():
        variable = f"EMOREALM_{field.name.upper()}"
        if os.environ.get(variable):
            values[field.name] = _parse(field, os.environ[variable], variable)
    settings = Settings(**values)
    for name, near in unknown_variables(settings.judge_key).items():
        warn_once(name, f"{brief(name)} is set, and is no variable of ours; did you mean {near}?")
    cache = settings.cache.expanduser().resolve()
    settings = dataclasses.replace(settings, cache=cache)
    return settings if "mini" in values else dataclasses.replace(settings, mini=standard_mini(settings))


def standard_mini(settings: Settings) -> Path:
    """Where the embedded benchmark is built and looked for unless a place is named; other builds lie beside it."""
    return settings.cache / "emorealm-mini" / MINI


def _settable() -> list[dataclasses.Field[Any]]:
    return [field for field in dataclasses.fields(Settings) if field.metadata.get("set", True)]


def unknown_variables(judge_key: str | None) -> dict[str, str]:
    """Variables of the environment that begin as ours and are none -> the nearest that is one.

    judge_key: the variable that holds the judge's key, which may have any name.
    """
    known = [*_FURTHER, *(f"EMOREALM_{field.name.upper()}" for field in _settable())]
    unknown = [name for name in os.environ if name.startswith("EMOREALM_") and name not in (*known, judge_key)]
    return {name: nearest(name, known, cutoff=0.0) for name in unknown}


def _settings_file() -> Path | None:
    variable = os.environ.get("EMOREALM_SETTINGS")
    if variable:
        try:
            path = Path(variable).expanduser()
            is_file = path.is_file()
        except (OSError, RuntimeError) as error:  # a name too long, ~ of nobody
            stop(f"EMOREALM_SETTINGS is {brief(variable)!r}, which is no path ({brief(error)}); name a file")
        if not is_file:
            stop(f"{path}: no such settings file; EMOREALM_SETTINGS names it")
        return path
    default = Path("emorealm.yaml")
    return default if default.is_file() else None


def _from_file(path: Path | None) -> dict[str, Any]:
    """The file's values, parsed; relative paths are taken from the file's own folder."""
    if path is None:
        return {}
    try:
        content = parse_yaml(read_text(path)) or {}
    except Unreadable as error:
        stop(f"{path}: not readable as YAML ({error})")
    if not isinstance(content, Mapping):
        stop(f"{path}: expected lines like `videos: /data/clips`, found a {type(content).__name__}")
    fields = {field.name: field for field in _settable()}
    for key in content:
        if key not in fields:
            near = nearest(str(key), fields, cutoff=0.0)
            stop(f"{path}: unknown key {key!r}; did you mean {near!r}? Known: {', '.join(fields)}")
    non_empty = {key: value for key, value in content.items() if value is not None}
    return {key: _parse(fields[key], value, f"{path}: {key}", path.parent) for key, value in non_empty.items()}


def _parse(field: dataclasses.Field[Any], value: object, where: str, base: Path = Path()) -> bool | int | str | Path:
    text = str(value).strip()
    if field.name == "allow_missing":
        if text.lower() not in _TRUE | _FALSE:
            stop(f"{where} is {brief(text)!r}; use 1 or 0")
        return text.lower() in _TRUE
    if field.name in _CHOICES:
        if text not in _CHOICES[field.name]:
            stop(f"{where} is {brief(text)!r}; use one of {', '.join(_CHOICES[field.name])}")
        return text
    if field.type is int:
        if not (text.isdecimal() and len(text) < 10) or int(text) < _LEAST.get(field.name, 1):
            stop(f"{where} is {brief(text)!r}; use a whole number from {_LEAST.get(field.name, 1)} on")
        return int(text)
    if field.name in _TEXTS:
        return text
    try:
        return (base / Path(text).expanduser()).resolve()
    except (OSError, RuntimeError, ValueError) as error:  # a name too long, ~ of nobody, a NUL byte
        stop(f"{where} is no path: {brief(getattr(error, 'strerror', None) or error)}; name a file or folder")
