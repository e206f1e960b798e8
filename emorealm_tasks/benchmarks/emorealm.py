"""EmoReAlM's published layout (and EmoReAlM-Mini's, which is the same) -> rows.

The file is a list of items like::

    {"id": "reasoning_basic_audio_12", "task": "reasoning_basic_audio", "video": "part_1/123.mp4",
     "question": "What in the sound supports anger?", "choices": ["(A) A raised voice", "(B) ..."], "answer": "A"}

An item may also carry `subtask` (which of the three stress-test kinds it is) and `emotion` (the clip's). Clips lie
under a folder of videos, 16 kHz wavs under a folder of their own or beside the mp4.
"""

import functools
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from emorealm_tasks.answers import task_names
from emorealm_tasks.answers.choices import split_choice, yes_no_letters
from emorealm_tasks.answers.task_names import SUBTASKS
from emorealm_tasks.benchmarks.rows import Row
from emorealm_tasks.errors import absent, stop
from emorealm_tasks.mini.build import record
from emorealm_tasks.settings import Settings
from emorealm_tasks.untrusted import brief, clean, inside, read_json

TASKS: dict[str, str] = dict(
    zip(
        task_names.TASKS,
        (
            "do picture and sound convey the same emotion? (yes/no)",
            "which audible cue supports the emotion? (multiple choice)",
            "which visible cue supports the emotion? (multiple choice)",
            "does this audible cue support the emotion? (yes/no; spurious and invented cues)",
            "does this visible cue support the emotion? (yes/no; spurious and invented cues)",
        ),
        strict=True,
    )
)
"""Name -> what it asks."""
YES_NO_TASKS = frozenset(task for task in TASKS if "basic" not in task)
PUBLISHED = {
    "modality_agreement": 456,
    "reasoning_basic_audio": 972,
    "reasoning_basic_video": 1024,
    "reasoning_stress_audio": 820,
    "reasoning_stress_video": 728,
}
"""Task -> questions, from the paper's Table 1."""
PUBLISHED_CLIPS = 2649
"""Unique clips of all tasks, from the same table."""
HUB_DATASET, HUB_FILE = "chaubeyG/EmoReAlM", "emorealm_v1.json"
HUB_SECONDS = 5  # to wait for the hub's first answer
HOW_TO_GET_CLIPS = (
    "The clips are DFEW's (https://dfew-dataset.github.io, on request); as released they are re-encoded to 24 fps mp4, "
    "with 16 kHz wavs. Set EMOREALM_VIDEOS to the folder that holds part_1 ... part_11 (and EMOREALM_AUDIOS to the "
    "wavs' folder, unless they lie beside the mp4 or the sound is in it)."
)
HOW_TO_GET_MINI = "Build it with: emorealm-mini build --out {folder} --split test"


def read(benchmark: str, settings: Settings, media: bool = True) -> list[Row]:
    """All rows of `emorealm` or `emorealm_mini`, in the file's order; see `read_file` for a row's fields.

    Without `media` the clips will not be opened, so that nobody needs to have them. Stops with the remedy when the
    questions or the videos' folder cannot be found.
    """
    if benchmark == "emorealm_mini":
        return read_file(mini_questions(settings.mini), settings.mini / "videos", None)
    if settings.videos is None and media:
        absent(f"EMOREALM_VIDEOS is not set, so there is nowhere to look for clips. {HOW_TO_GET_CLIPS}")
    return read_file(settings.json or _from_hub(settings.json_revision), settings.videos or Path(), settings.audios)


def mini_questions(folder: Path) -> Path:
    """The questions of a built world, which are written last and removed first.

    Stops where they are not there, or were changed: what else lies in the folder may be of two worlds.
    """
    questions = folder / HUB_FILE
    if not questions.is_file():
        absent(f"{questions}: the embedded benchmark is not built. {HOW_TO_GET_MINI.format(folder=folder)}")
    if record.changed(folder):
        stop(f"{folder}: {record.CHANGED}")
    return questions


def where(benchmark: str, settings: Settings) -> tuple[str, str]:
    """Where the clips of a benchmark are looked for, and how to get them: two phrases for a report."""
    if benchmark == "emorealm_mini":
        return f"{settings.mini / 'videos'}", HOW_TO_GET_MINI.format(folder=settings.mini)
    return f"{settings.videos} (wavs: {settings.audios or 'beside the mp4, else its own sound'})", HOW_TO_GET_CLIPS


def read_file(questions: Path, videos: Path, audios: Path | None) -> list[Row]:
    """Read and check the questions file.

    Clips are called as in "part_1/1.mp4". With `audios` given the wav is expected there; without, a wav beside the mp4
    is used if it exists. Stops at the first malformed item, naming its id and field.
    """
    try:
        state = questions.stat()
    except OSError as error:
        stop(f"{questions}: cannot be read ({error.strerror}); check EMOREALM_JSON")
    read_once = _read_file(questions, (state.st_mtime_ns, state.st_size), videos, audios)
    return [row.copy() for row in read_once]


@functools.lru_cache(maxsize=4)  # lmms-eval asks once a task: 15 times for `emorealm_mini` with its two floors
def _read_file(questions: Path, state: tuple[int, int], videos: Path, audios: Path | None) -> tuple[Row, ...]:
    """`read_file`, remembered while the file's time of change and size (`state`) stay the same."""
    items = read_json(questions, list, "it needs a list of items; check EMOREALM_JSON, or download it again")
    if not items:
        stop(f"{questions}: expected a list of items, found an empty list")
    rows, seen_ids = [], set()
    for position, item in enumerate(items):
        try:
            row = _row(item, videos, audios)
            if row["id"] in seen_ids:
                raise ValueError("field 'id': another item has the same id")
        except ValueError as error:
            name = brief(repr(item.get("id", "without id"))) if isinstance(item, Mapping) else "'not an object'"
            stop(f"{questions}: item {name} (number {position}): {error}")
        seen_ids.add(row["id"])
        rows.append(row)
    return tuple(rows)


def _row(item: object, videos: Path, audios: Path | None) -> Row:
    if not isinstance(item, Mapping):
        raise ValueError(f"an item is an object with id, task, video, ...; found {type(item).__name__}")
    task, clip = _text(item, "task"), _text(item, "video")
    if task not in TASKS:
        raise ValueError(f"field 'task': unknown task {task!r}; known: {', '.join(TASKS)}")
    choices = _choices(item, task)
    letters = [split_choice(choice)[0] for choice in choices]
    answer = _text(item, "answer").strip().strip("()").upper()
    if answer not in letters:
        raise ValueError(f"field 'answer': {item['answer']!r} is none of the choices' letters {', '.join(letters)}")
    video = inside(videos, clip)
    clip = video.relative_to(videos.absolute()).as_posix()
    return {
        "id": _identity(item),
        "task": task,
        "clip": clip,
        "video": str(video),
        "audio": _wav(clip, video, audios),
        "question": _text(item, "question"),
        "choices": choices,
        "answer": answer,
        "subtask": _subtask(item),
        "emotion": clean(str(item.get("emotion") or "")),
    }


def notes(rows: Sequence[Row]) -> list[str]:
    """How the public benchmark's file differs from the paper's Table 1, and what it lacks; a line each."""
    questions, clips = Counter(row["task"] for row in rows), len({row["clip"] for row in rows})
    differences = [f"{task} {questions[task]} instead of {count}" for task, count in PUBLISHED.items()
                 if questions[task] != count]  # fmt: skip
    differences += [f"{clips} clips instead of {PUBLISHED_CLIPS}"] if clips != PUBLISHED_CLIPS else []
    finding = (
        f"differs from the paper's Table 1: {', '.join(differences)}" if differences else "as in the paper's Table 1"
    )
    lines = [f"emorealm: {finding}"]
    stress = [row for row in rows if "stress" in row["task"]]
    unnamed = sum(not row["subtask"] for row in stress)
    if unnamed:
        lines.append(
            f"emorealm: {unnamed} of {len(stress)} stress-test questions do not say their sub-task, so its scores are "
            f"left out; name it in the field subtask: {', '.join(SUBTASKS)}"
        )
    return lines


def _wav(clip: str, video: Path, audios: Path | None) -> str:
    if audios is not None:
        return str(inside(audios, str(PurePosixPath(clip).with_suffix(".wav"))))
    beside = video.with_suffix(".wav")
    return str(beside) if beside.is_file() else ""


def _text(item: Mapping[str, Any], field: str) -> str:
    value = item.get(field)
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"field {field!r}: expected text, found {brief(repr(value))}")
    return clean(value)


def _identity(item: Mapping[str, Any]) -> str:
    value = item.get("id")
    if isinstance(value, bool) or not isinstance(value, str | int) or value == "":
        raise ValueError(f"field 'id': expected text or a number, found {brief(repr(value))}")
    return clean(str(value))


def _choices(item: Mapping[str, Any], task: str) -> list[str]:
    choices = item.get("choices")
    if not isinstance(choices, list) or len(choices) < 2 or not all(isinstance(choice, str) for choice in choices):
        raise ValueError(f"field 'choices': expected a list of at least two texts, found {brief(repr(choices))}")
    choices = list(map(clean, choices))
    try:
        letters = [split_choice(choice)[0] for choice in choices]
    except ValueError as error:
        raise ValueError(f"field 'choices': {error}") from error
    if len(set(letters)) != len(letters):
        raise ValueError(f"field 'choices': two choices share a letter: {', '.join(letters)}")
    if task in YES_NO_TASKS and not yes_no_letters(choices):
        raise ValueError(f"field 'choices': {task} needs one choice Yes and one No, found {choices!r}")
    return choices


def _subtask(item: Mapping[str, Any]) -> str:
    """The stress-test kind where the data says so; the public file's spelling is not documented, so be lenient."""
    subtask_text = str(item.get("subtask") or item.get("sub_task") or "").lower().replace("-", "_").replace(" ", "_")
    for name in SUBTASKS:  # "no_hallucination" before "hallucination", which it contains
        if name in subtask_text:
            return name
    return ""


def _from_hub(revision: str | None) -> Path:
    """The questions from the Hugging Face hub at a revision, or its local copy of them when the hub does not answer."""
    from huggingface_hub import HfApi, hf_hub_download, try_to_load_from_cache

    at = f"{HUB_DATASET} at {revision}" if revision else HUB_DATASET
    try:
        # says no at once; a download retries for 20 s first
        HfApi().dataset_info(HUB_DATASET, revision=revision, timeout=HUB_SECONDS)
        return Path(hf_hub_download(HUB_DATASET, HUB_FILE, repo_type="dataset", revision=revision))
    except Exception as error:  # whichever HTTP library the client uses, the meaning is: not reachable
        cached = try_to_load_from_cache(HUB_DATASET, HUB_FILE, revision=revision, repo_type="dataset")
        if isinstance(cached, str):
            return Path(cached)
        absent(
            f"EMOREALM_JSON is not set and {at} cannot be fetched from the hub ({error}). Download {HUB_FILE} "
            f"from https://huggingface.co/datasets/{HUB_DATASET} and set EMOREALM_JSON to it."
        )
