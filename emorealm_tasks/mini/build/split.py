"""Builds a split of EmoReAlM-Mini: plans it, renders its clips, writes its questions, cues and text-only floor.

The folder: `emorealm_v1.json` (released layout, with `subtask` and `emotion`), `videos/part_1/N.mp4`, `cues.json` (the
truth about every clip), `floor.json` and the layouts of the other benchmarks
(`emorealm_tasks.mini.build.published_layouts`); for the training split `instructions.json` (video, prompt, response)
instead of the last two, or `preferences.jsonl` (`emorealm_tasks.mini.language.preferences`) about other clips of the
same world.
"""

import functools
import os
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

from tqdm import tqdm

from emorealm_tasks.files import write_json
from emorealm_tasks.interruption import follow_parent
from emorealm_tasks.mini.build import clip_pool, ownership, published_layouts, record, text_floor
from emorealm_tasks.mini.build.plan import CHANCE, plan
from emorealm_tasks.mini.language import one_cue as one_cue_clips
from emorealm_tasks.mini.language import preferences
from emorealm_tasks.mini.language.instructions import KINDS, instructions
from emorealm_tasks.mini.language.questions import Question, item
from emorealm_tasks.mini.render.encode import write_clip
from emorealm_tasks.mini.world.sampling import SPLITS, TEST_CLIPS, Clip, cue_records, generator, sample_clip

VERSION = 1
"""Raised whenever the same seed would give other clips or questions."""
FLOOR_CLIPS = 4000
"""Clips planned (never rendered) to fit the text-only classifier on."""


def folder_name(split: str, clips: int, seed: int, letters: float | None = None, one_cue: bool = False) -> str:
    """The name of the folder of a build that is given none: all that decides its content.

    The hash of its questions is no part of it (`record`).
    """
    records = "" if letters is None else f"-preferences-{letters:g}{'-one-cue' * one_cue}"
    return f"{split}-{clips}-clips-seed-{seed}-v{VERSION}{records}"


def build_arguments(
    split: str, clips: int, seed: int, letters: float | None = None, one_cue: bool = False
) -> dict[str, Any]:
    """What `record.built_with` says of a folder that was built with these."""
    about = {"version": VERSION, "split": split, "clips": clips, "seed": seed, "letters": letters}
    about["one_cue"] = one_cue or None
    return {key: value for key, value in about.items() if value is not None}


def name(number: int) -> str:
    """Path of a clip below the folder of videos, in DFEW's manner."""
    return f"part_1/{number + 1}.mp4"


def planned(split: str, clips: int, seed: int) -> list[tuple[Clip, list[Question]]]:
    """The clips of a split with their questions. The training split is confounded and has no benchmark questions."""
    rng = generator(split, seed)
    if split == "train":
        return [(sample_clip(rng, confounded=True), []) for _ in range(clips)]
    return plan(rng, clips)


def items(clips: list[tuple[Clip, list[Question]]]) -> list[dict[str, Any]]:
    """Questions of planned clips in the released layout, numbered within their task, in the tasks' order."""
    rows, counts = [], Counter[str]()
    for number, (_, questions) in enumerate(clips):
        for question in questions:
            counts[question.task] += 1
            rows.append(item(question, f"mini_{question.task}_{counts[question.task]:04d}", name(number)))
    return sorted(rows, key=lambda row: row["id"])


@functools.cache
def _others(split: str, seed: int) -> list[dict[str, Any]]:
    """Questions of the split's generator about other clips, which the text floor is fitted to."""
    return items(plan(generator(split, seed + 1), FLOOR_CLIPS))


def _render(clips: list[Clip], videos: Path) -> None:
    """Render all clips, one process a core."""
    paths = [videos / name(number) for number in range(len(clips))]
    with ProcessPoolExecutor(os.cpu_count(), initializer=follow_parent) as pool:
        done = pool.map(write_clip, clips, paths, chunksize=8)
        for _ in tqdm(done, total=len(clips), desc="rendering clips", unit="clip"):
            pass


def complete(out: Path) -> bool:
    """Whether a folder holds a whole split; one that an earlier version built may lack the layouts."""
    if not (out / record.QUESTIONS).exists():
        return False
    split = record.built_with(out).get("split")
    return split is not None and (split == "train" or published_layouts.complete(out))


def build(
    out: Path,
    split: str = "test",
    clips: int = TEST_CLIPS,
    seed: int = 0,
    letters: float | None = None,
    one_cue: bool = False,
) -> dict[str, int]:
    """Write a split to `out`. Same arguments, same clips and questions. Returns the number of questions by task.

    letters: None, or for the training split the share (0 to 1) of preference records answered by letter: then the
    folder holds preference records (counted by form), about clips that are in no other set. one_cue: those of them
    whose answer depends on one cue bring a rejected clip that differs in it (`language.one_cue`).
    `emorealm_v1.json` and build.json are written last: where both are, the folder is complete.
    Raises ValueError for an unknown split, too few clips, or `letters` and `one_cue` that do not fit. Stops where `out`
    holds anything that no build made.
    """
    if split not in SPLITS:
        raise ValueError(f"unknown split {split!r}: one of {', '.join(SPLITS)}")
    if letters is not None and (split != "train" or not 0 <= letters <= 1):
        raise ValueError(f"preference records need the split train and a share of letters from 0 to 1, not {letters}")
    if one_cue and letters is None:
        raise ValueError("clips that differ in one cue are for preference records")
    content = planned(split, clips, seed) if letters is None else preferences.planned(clips, seed)
    questions = items(content)
    records: list[dict[str, Any]] = []
    further: list[Clip] = []
    if letters is not None:
        records, further = _preferences([clip for clip, _ in content], seed, letters, one_cue)
    ownership.claim(out, len(content) + len(further))
    for told in (record.FILE, record.QUESTIONS):
        (out / told).unlink(missing_ok=True)
    _render([*(clip for clip, _ in content), *further], out / "videos")
    _write_cues(out, [*(clip for clip, _ in content), *further])
    counts = Counter(row["task"] for row in questions)
    if split == "train":
        counts = _write_training(out, [clip for clip, _ in content], seed, records)
    else:
        published_layouts.write_all(
            out, clip_pool.pool((clip, out / "videos" / name(n)) for n, (clip, _) in enumerate(content))
        )
        fitted = text_floor.bag_of_words(_others(split, seed), questions)
        write_json(out / "floor.json", {"exact": CHANCE, "bag_of_words": fitted})
    write_json(out / record.QUESTIONS, questions)
    record.write(out, build_arguments(split, len(content), seed, letters, one_cue))
    return dict(counts)


def _preferences(
    clips: Sequence[Clip], seed: int, letters: float, one_cue: bool
) -> tuple[list[dict[str, Any]], list[Clip]]:
    """Preference records about clips, and the rejected clips that they bring, which are numbered after the others."""
    rows = preferences.records(clips, [f"videos/{name(number)}" for number in range(len(clips))], seed, letters)
    further: list[Clip] = []
    if one_cue:
        for number, clip, right in one_cue_clips.counterparts(clips, rows, preferences.RECORDS_PER_CLIP):
            rows[number] = one_cue_clips.rejecting(rows[number], f"videos/{name(len(clips) + len(further))}", right)
            further.append(clip)
    return rows, further


def _write_cues(out: Path, clips: Sequence[Clip]) -> None:
    """Write the truth about every clip."""
    write_json(
        out / "cues.json",
        [
            {
                "clip": name(number),
                "emotion_video": clip.emotion_video,
                "emotion_audio": clip.emotion_audio,
                "cues": cue_records(clip),
            }
            for number, clip in enumerate(clips)
        ],
        indent=None,
    )


def _write_training(out: Path, clips: list[Clip], seed: int, records: Sequence[dict[str, Any]]) -> Counter[str]:
    """Write what to train on: preference records where there are any; returns their number by form."""
    for stale in ("instructions.json", preferences.FILE):  # about the clips that were here before
        (out / stale).unlink(missing_ok=True)
    if records:
        preferences.write(out, records)
        return Counter(row["form"] for row in records)
    rng = generator("train", seed + 1)
    mix = dict.fromkeys(KINDS, 1.0)
    write_json(
        out / "instructions.json",
        [
            {"video": name(number), "prompt": prompt, "response": response}
            for number, clip in enumerate(clips)
            for prompt, response in instructions(rng, clip, mix, 6)
        ],
    )
    return Counter()
