"""Human verification (Sections 5.3 and B.2): questions of a benchmark, or responses of preference data -> pages."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from string import ascii_uppercase
from typing import Any

from avem_train.data import checks as preferences
from emorealm_results.survey import clips
from emorealm_results.survey.study import CHECK, OPTIONS, PRETEST, TEXT, Item, Study
from emorealm_tasks.answers.choices import split_choice
from emorealm_tasks.benchmarks import emorealm
from emorealm_tasks.errors import stop
from emorealm_tasks.untrusted import read_json

QUESTIONS: dict[str, Mapping[str, Any]] = {
    "answer": {"wording": "Which answer is right?", "choices": OPTIONS},
    "several": {
        "wording": "Do you think more than one option is correct for the above question?",
        "choices": {"no": "No", "yes": "Yes"},
    },
    "problem": {
        "wording": "Was there something wrong with the question or the answer choices?",
        "choices": {
            "none": "No, everything was correct",
            "inconsistent": "Question had some details inconsistent with the video",
            "subtitle": "Subtitle was inaccurate",
            "similar": "Answer choices were very similar",
            "other": "Something else",
        },
    },
    "comment": {"wording": "If something was wrong: what? (may be left out)", "choices": TEXT},
}
"""What Fig. 6 asks about each question."""
INTRO = "Watch each clip with sound, answer the question about it, and say whether something is wrong with it."
RESPONSES = {
    "chosen_response": ("chosen", "It is right."),
    "rejected_video_relevant": (
        "rejected_video_relevant",
        "It is wrong: it names something that is in the clip but does not show the emotion.",
    ),
    "rejected_emotion_relevant": (
        "rejected_emotion_relevant",
        "It is wrong: it names something that is not in the clip.",
    ),
}
"""Row of Table 6 -> the record's field, and what is true of its response."""


def questions(path: Path, folder: Path, subtitles: Path | None = None) -> list[Item]:
    """The items of a file in EmoReAlM's layout, whose clips lie below ``folder``."""
    items = read_json(path, list, "it needs a list of questions in EmoReAlM's layout")
    rows = emorealm.read_file(path, folder, None)
    subtitle_of = clips.subtitles(subtitles, items, "video")
    return [
        Item(
            id=row["id"],
            clip=clips.find(folder, row["clip"], f"{path}: item {row['id']!r}"),
            options=dict(map(split_choice, row["choices"])),
            subtitle=subtitle_of.get(row["id"], ""),
            question=row["question"],
            answer=row["answer"],
            hidden={"task": row["task"]},
        )
        for row in rows
    ]


def responses(path: Path, folder: Path, subtitles: Path | None = None) -> list[Item]:
    """Three items a preference record: is its chosen response right, are its rejected ones wrong in the way they claim?

    Clips lie below ``folder``. Stops where two records have the same id.
    """
    options = dict(zip(ascii_uppercase, (claim for _, claim in RESPONSES.values()), strict=False))
    records = [record for record in preferences.read(path, folder) if record.video or record.audio]
    if len({record.id for record in records}) < len(records):
        stop(f"{path}: two records have the same id, so that their answers cannot be told apart; rename one")
    names = {record.id: str(record.video or record.audio) for record in records}
    places = [{"id": name, "clip": str(Path(clip).relative_to(folder.absolute()))} for name, clip in names.items()]
    subtitle_of = clips.subtitles(subtitles, places, "clip")
    return [
        Item(
            id=f"{record.id}/{task}",
            clip=clips.find(folder, names[record.id], f"{path}: record {record.id!r}"),
            options=options,
            subtitle=subtitle_of[record.id],
            question=f"{record.prompt}\n\nAnswer: {record.response(field.removeprefix('rejected_'))}\n\n"
            "What is true of this answer?",
            answer=letter,
            hidden={"task": task},
        )
        for record in records
        for letter, (task, (field, _)) in zip(options, RESPONSES.items(), strict=True)
    ]


def study(
    items: Sequence[Item],
    verified: Sequence[Item],
    pretest: Sequence[Item],
    *,
    per_page: int,
    checks: int,
    sample: int | None,
    seed: int,
    title: str,
    finish: str,
) -> Study:
    """The study of the items: each stands on one page, whose participants are its annotators.

    verified: questions known to be right, of which each page mixes ``checks`` in as attention checks. pretest: those
    that every page starts with. sample: how many of the items are verified, drawn by ``seed``; None = all. Stops where
    checks are asked for and there are too few.
    """
    if len(verified) < checks:
        stop(f"--checks {checks} needs as many verified questions, found {len(verified)}; name them with "
             "--check-questions FILE, or say --checks 0")  # fmt: skip
    draw = random.Random(seed)
    order = draw.sample(list(items), min(len(items), sample or len(items)))
    versions = {}
    for version, start in enumerate(range(0, len(order), per_page), start=1):
        page = order[start : start + per_page]
        for item in draw.sample(list(verified), checks):
            page.insert(draw.randint(1, len(page)), replace(item, role=CHECK))
        versions[str(version)] = [*(replace(item, role=PRETEST) for item in pretest), *page]
    return Study("verification", seed, title, INTRO, finish, QUESTIONS, versions)
