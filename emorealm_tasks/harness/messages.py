"""Row -> what a model is handed: the one place where prompts and media items are put together.

The prompt is the released one: question, a space, the choices joined by spaces (a description has no choices); no
subtitle, nothing else. A row without `video` or with `silent` hands over only its sound or only its picture. Where
picture and sound of a row are of different clips (`swapped`), a way that takes the sound out of the mp4 gets an mp4
made of both.

How the sound travels depends on the adapter, so a task's `lmms_eval_specific_kwargs` hold per model family:

- `av_mode`, for chat models: `separate` (default) a video item and an audio item that is a wav; `embedded` a video
  item only, whose own sound the model takes; `source` a video item and an audio item naming the file that holds the
  sound, be it the mp4; `inline` as separate, with the wav as a data URI, which servers accept; `video` no sound at
  all, for models without ears.
- `simple`, for simple models: `embedded` (default) the mp4's path; `separate` also a wav's path; `source` also a wav's
  path where the sound is not in the mp4; `audio` only the sound, as {"array", "sampling_rate"}; `both` that and the
  mp4's path.
"""

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from emorealm_tasks import media
from emorealm_tasks.answers.choices import split_choice
from emorealm_tasks.benchmarks.rows import Row
from emorealm_tasks.settings import load

_NO_FILE = " (its new sound could not be put to it)"


def doc_to_text(doc: Row, lmms_eval_specific_kwargs: Mapping[str, Any] | None = None) -> str:
    """The prompt: question, a space, the choices joined by spaces."""
    return " ".join([doc["question"], *doc["choices"]])


def doc_to_choice(doc: Row) -> list[str]:
    """The options' letters, for scoring by likelihood: the prompt already spells the options out."""
    return [split_choice(choice)[0] for choice in doc["choices"]]


def doc_to_visual(doc: Row, lmms_eval_specific_kwargs: Mapping[str, Any] | None = None) -> list[Any]:
    """What a simple model gets besides the text; [] for a blind question."""
    carries = (lmms_eval_specific_kwargs or {}).get("simple", "embedded")
    if not doc["video"]:
        return _sound_alone(doc, carries)
    if doc.get("silent"):
        return [] if carries == "audio" else [doc["video"]]
    if carries == "audio":
        return [_waveform(doc)]
    if carries == "both":
        return [_waveform(doc), doc["video"]]
    if carries == "separate" or (carries == "source" and doc["audio"]):
        return [doc["video"], _sound(doc, carries)]
    return [_whole(doc)]


def doc_to_messages(doc: Row, lmms_eval_specific_kwargs: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
    """What a chat model gets: one user turn of a video item, an audio item and the text."""
    mode = load().av_mode or (lmms_eval_specific_kwargs or {}).get("av_mode", "separate")
    content = []
    if doc["video"]:
        content.append({"type": "video", "url": _whole(doc) if mode == "embedded" else doc["video"]})
    needs_sound = mode not in ("embedded", "video") and doc["video"] and not doc.get("silent")
    if needs_sound or (mode != "video" and not doc["video"] and doc["audio"]):
        content.append({"type": "audio", "url": _sound(doc, mode)})
    return [{"role": "user", "content": [*content, {"type": "text", "text": doc_to_text(doc)}]}]


def _sound_alone(doc: Row, carries: str) -> list[Any]:
    """The sound of a row without a picture, [] where there is none either."""
    if not doc["audio"]:
        return []
    return [_waveform(doc) if carries in ("audio", "both") else doc["audio"]]


def _whole(doc: Row) -> str:
    """The file that is both seen and heard."""
    if not doc.get("swapped"):
        return doc["video"]
    try:
        return str(media.joined(doc["video"], doc["audio"], load().cache))
    except media.MediaError:
        return doc["video"] + _NO_FILE  # never the picture's own sound: the model reports a file that is not there


def _sound(doc: Row, mode: str) -> str:
    if doc.get("swapped"):
        try:
            doc = {**doc, "audio": str(media.as_wav(doc["audio"], load().cache))}
        except media.MediaError:
            return doc["audio"]
    if mode == "source":
        return doc["audio"] or doc["video"]
    try:
        wav = doc["audio"] or str(media.separate_wav(doc["video"], load().cache))
    except media.MediaError:
        return str(doc["video"])  # who reads it there finds the same fault, and it costs this question alone
    if mode == "inline":
        wav = str(media.as_wav(wav, load().cache))
        return "data:audio/wav;base64," + base64.b64encode(Path(wav).read_bytes()).decode()
    return wav


def _waveform(doc: Row) -> dict[str, Any]:
    array = media.read_audio(doc["audio"] or doc["video"])
    return {"array": array, "sampling_rate": media.AUDIO_RATE, "type": "audio"}
