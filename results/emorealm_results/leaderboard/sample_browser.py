"""What the sample browser shows: questions with each run's answer, clips as a strip of frames and a spectrogram.

Everything comes from the saved records; question texts and clips are added where the benchmark's files are at hand.
"""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from matplotlib import colormaps

from emorealm_results.leaderboard.ranking import READING
from emorealm_results.rescore import scores
from emorealm_results.rescore.table import READINGS
from emorealm_results.runs import samples
from emorealm_tasks import media
from emorealm_tasks.benchmarks import emorealm
from emorealm_tasks.metrics import Record
from emorealm_tasks.settings import Settings

FRAMES, HEIGHT = 6, 96
POSTER = 180
"""Height of the picture that a player shows before it plays, in pixels, at most."""
SOUND_SIZE = (360, 110)
"""Width and height of the picture of the sound, in pixels: waveform above, spectrogram below."""
_FFT, _HOP, _TOP_HZ = 512, 128, 6000
_RAW = 2000
"""Characters of a reply that are shown."""


@dataclass(frozen=True)
class Source:
    """Where a benchmark's questions and clips are."""

    questions: Mapping[str, str]
    """Id of the question -> its wording."""
    files: Mapping[str, tuple[Path, Path]]
    """Clip -> the files of its picture and of its sound, which is mostly the same file."""
    remedy: str = ""
    """How to get clips that are not there."""


def source(benchmark: str, settings: Settings) -> Source:
    """The questions file and clips of "emorealm" or "emorealm_mini", as far as they are on this machine."""
    mini = benchmark == "emorealm_mini"
    questions = settings.mini / emorealm.HUB_FILE if mini else settings.json
    remedy = emorealm.where(benchmark, settings)[1]
    if questions is None or not Path(questions).is_file():
        return Source({}, {}, remedy)
    videos = settings.mini / "videos" if mini else settings.videos or Path()
    rows = emorealm.read_file(Path(questions), videos, None if mini else settings.audios)
    files = {row["clip"]: (Path(row["video"]), Path(row["audio"] or row["video"])) for row in rows}
    return Source({row["id"]: row["question"] for row in rows}, files, remedy)


def collect(runs: Sequence[samples.Run | None], sources: Mapping[str, Source]) -> list[dict[str, Any]]:
    """Questions that any run was asked in full, in the order of the tasks: ``benchmark, id, task, subtask, clip, gold,
    question, choices`` and ``answers``: number of the run -> ``raw, strict, right, error, media``; ``right``
    lists the readings in which the reply is right.
    """
    entries: dict[tuple[str, str], dict[str, Any]] = {}
    for number, run in enumerate(runs):
        for task in run.tasks if run else ():
            if task.part != samples.FULL:
                continue
            texts = sources[task.benchmark].questions
            for record in map(scores.reread, task.records):
                sample = entries.setdefault(
                    (task.benchmark, record["id"]),
                    {key: record[key] for key in ("id", "task", "subtask", "clip", "gold", "choices")}
                    | {"benchmark": task.benchmark, "answers": {}}
                    | {"question": texts.get(record["id"], record.get("question", ""))},
                )
                sample["answers"][str(number)] = {
                    "raw": str(record["raw"])[:_RAW],
                    "strict": record["strict"],
                    "right": [reading for reading in READINGS if _is_right(record, reading)],
                    "error": record["error"],
                    "media": _media_text(record.get("media")),
                }
    order = {task: place for place, task in enumerate(emorealm.TASKS)}
    return sorted(entries.values(), key=lambda sample: (sample["benchmark"], order[sample["task"]]))


def _is_right(record: Record, reading: str) -> bool:
    return record["strict"] == record["gold"] if reading == "strict" else bool(record[reading])  # type: ignore[literal-required]


def choose_clips(samples: Sequence[Mapping[str, Any]], most: int) -> list[tuple[str, str]]:
    """At most ``most`` clips (benchmark, clip) to draw: those of questions that the runs answer differently first, then
    those that all get wrong, then the rest; after each the clip that it is swapped with, where it is.
    """

    def interest(sample: Mapping[str, Any]) -> int:
        rights = {READING in answer["right"] for answer in sample["answers"].values()}
        return 0 if len(rights) > 1 else (1 if rights == {False} else 2)

    ordered = sorted(samples, key=interest)
    clips = ((sample["benchmark"], clip) for sample in ordered for clip in clips_of(sample))
    return list(dict.fromkeys(clips))[:most]


def clips_of(sample: Mapping[str, Any]) -> list[str]:
    """The clips that a sample shows: its own, and the one that it is swapped with."""
    return [sample["clip"], *([sample["swap"]["partner"]] if "swap" in sample else [])]


def draw(video: Path, audio: Path) -> dict[str, Any] | None:
    """``poster``, ``frames`` and ``sound`` as data URIs, the frames' ``times`` and the sound's ``seconds``.

    A part that cannot be decoded is absent; None where neither can be.
    """
    images: dict[str, Any] = {}
    try:
        pictures, times = media.read_frames(video, FRAMES)
        images |= {
            "poster": _poster(pictures),
            "frames": _strip(pictures),
            "times": [round(float(time), 2) for time in times],
        }
    except media.MediaError:
        images["no_frames"] = "the picture could not be decoded"
    try:
        wave = media.read_audio(audio)
        images |= {"sound": _uri(sound_picture(wave)), "seconds": round(len(wave) / media.AUDIO_RATE, 3)}
    except media.MediaError:
        images["no_sound"] = "no sound could be decoded"
    return images if {"frames", "sound"} & set(images) else None


def sound_picture(wave: np.ndarray) -> np.ndarray:
    """A waveform above its spectrogram (0 to 6 kHz, 80 dB), uint8 RGB of SOUND_SIZE; ``wave`` of 16 kHz in [-1, 1]."""
    width, height = SOUND_SIZE
    top = height // 3
    picture = np.full((height, width, 3), 255, np.uint8)
    blocks = np.array_split(np.pad(wave, (0, max(0, width - len(wave)))), width)
    for column, block in enumerate(blocks):
        low, high = ((1 - bound) / 2 * (top - 3) for bound in (float(block.max()), float(block.min())))
        picture[int(low) : int(high) + 1, column] = (42, 111, 176)
    padded = np.pad(wave, (0, max(0, _FFT - len(wave))))
    windows = np.lib.stride_tricks.sliding_window_view(padded, _FFT)[::_HOP] * np.hanning(_FFT)
    power = np.abs(np.fft.rfft(windows)).T[: int(_TOP_HZ / media.AUDIO_RATE * _FFT)] ** 2
    decibels = 10 * np.log10(power + 1e-10)
    scaled = np.clip((decibels - decibels.max() + 80) / 80, 0, 1)[::-1]
    colours = (colormaps["magma"](scaled)[..., :3] * 255).astype(np.uint8)
    picture[top:] = cv2.resize(colours, (width, height - top), interpolation=cv2.INTER_AREA)
    return picture


def _poster(pictures: np.ndarray) -> str:
    """The frame in the middle, at most POSTER pixels high."""
    frame = pictures[len(pictures) // 2]
    height, width = frame.shape[:2]
    shrink = min(1.0, POSTER / height)
    return _uri(cv2.resize(frame, (round(width * shrink), round(height * shrink)), interpolation=cv2.INTER_AREA))


def _strip(pictures: np.ndarray) -> str:
    width = round(HEIGHT * pictures.shape[2] / pictures.shape[1])
    return _uri(np.hstack([cv2.resize(one, (width, HEIGHT), interpolation=cv2.INTER_AREA) for one in pictures]))


def _uri(picture: np.ndarray) -> str:
    _, encoded = cv2.imencode(".jpg", picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 72])
    return f"data:image/jpeg;base64,{base64.b64encode(encoded.tobytes()).decode('ascii')}"


def _media_text(record: Any) -> str:
    """What the model was handed of the clip, in words."""
    if not isinstance(record, Mapping):
        return str(record or "unknown")
    parts = [f"{record['frames']} frames"] if record.get("frames") else []
    parts += [f"{record['audio_seconds']:.1f} s of sound"] if record.get("audio_seconds") else []
    return ", ".join(parts) or "nothing"
