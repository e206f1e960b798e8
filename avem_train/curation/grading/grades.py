"""How right a stage's rows are: lists of (right, clip), one item for each thing that can be right or wrong."""

from collections.abc import Iterator, Mapping, Sequence

from avem_train.curation.data.rows import Row
from avem_train.curation.grading.truth import Truth
from avem_train.curation.scripted import guesses, words
from emorealm_tasks.mini.world.cues import Cue

MEDIA = ("video", "audio")
Graded = list[tuple[bool, str]]
Truths = Mapping[str, Truth]


def recall(rows: Sequence[Row], truths: Truths, modality: str) -> Graded:
    """Of the cues that are there: are they named?"""
    found: Graded = []
    for row in rows:
        named = {cue.name for cue, _ in _named(row, modality)}
        there = sorted(name for name in truths[row["id"]].present if words.by_name(name).modality == modality)
        found += [(name in named, row["id"]) for name in there]
    return found


def precision(rows: Sequence[Row], truths: Truths, modality: str) -> Graded:
    """Of the cues that are named: are they there?"""
    return [(cue.name in truths[row["id"]].present, row["id"]) for row in rows for cue, _ in _named(row, modality)]


def relevance(rows: Sequence[Row], truths: Truths, modality: str) -> Graded:
    """Of the cues that are named and there: is it right whether they tell of the emotion?"""
    return [
        (relevant == (cue.name in truth.matters), row["id"])
        for row in rows
        for truth in [truths[row["id"]]]
        for cue, relevant in _named(row, modality)
        if cue.name in truth.present
    ]


def _named(row: Row, modality: str) -> Iterator[tuple[Cue, bool]]:
    """The world's cues among those of a row, and whether they are said to tell of the emotion."""
    for one in row["cues"]:
        if one["modality"] == modality:
            for cue in words.cues(one["text"])[:1]:
                yield cue, one["relevant"]


def guessed(rows: Sequence[Row], truths: Truths, modality: str) -> Graded:
    """Of the emotions guessed from a caption: are they those of the modality?"""
    guess = f"guess_{modality}"
    return [(row[guess] == truths[row["id"]].emotions[modality], row["id"]) for row in rows if row[guess]]


def keyed(rows: Sequence[Row], truths: Truths) -> Graded:
    """Of questions: is the keyed answer true, and no other one?"""
    return [(_key_is_true(row, truths[row["clip"]]), row["clip"]) for row in rows]


def _key_is_true(row: Row, truth: Truth) -> bool:
    if set(row["roles"]) <= {"yes", "no"}:
        return (row["roles"][row["answer"]] == "yes") == _is_so(row, truth)
    right = [place for place, choice in enumerate(row["choices"]) if _explains(choice, row, truth)]
    return right == [row["answer"]]


def _is_so(row: Row, truth: Truth) -> bool:
    """Whether what a question of yes or no asks is so."""
    if row["modality"] == "audiovisual":
        return all(truth.emotions[medium] == row["emotion"] for medium in MEDIA)
    return _explains(row["cue"], row, truth)


def _explains(text: str, row: Row, truth: Truth) -> bool:
    """Whether a text names a cue, of what the row is about, that tells of the row's emotion."""
    return any(
        truth.explains(cue, row["emotion"])
        for cue in words.cues(text)
        if row["modality"] in (cue.modality, "audiovisual")
    )


def guessable(rows: Sequence[Row]) -> Graded:
    """Of questions with several options: is the right one the longest by far?"""
    return [(guesses.longest(row["choices"]) == row["answer"], row["clip"]) for row in rows if len(row["choices"]) > 2]


def chosen(rows: Sequence[Row], truths: Truths) -> Graded:
    """Of chosen responses that explain the emotion by cues: do all of these explain it, or their own modality's?"""
    found: Graded = []
    for row in rows:
        cues = words.cues(response(row, "chosen"))
        if cues and "stress" not in row["form"]:
            found.append((all(cue.name in truths[row["clip"]].matters for cue in cues), row["clip"]))
    return found


def video_relevant(rows: Sequence[Row], truths: Truths) -> Graded:
    """Of rejected responses by something that is there: is it there, and does it explain nothing?"""
    return [
        (cue.name in truth.present and cue.name not in truth.matters, row["clip"])
        for row, cue, truth in _rejected(rows, truths, "rejected_video_relevant")
    ]


def emotion_relevant(rows: Sequence[Row], truths: Truths) -> Graded:
    """Of rejected responses by a cue of the emotion: is it one, and absent?"""
    return [
        (cue.emotion == row["emotion"] and cue.name not in truth.present, row["clip"])
        for row, cue, truth in _rejected(rows, truths, "rejected_emotion_relevant")
    ]


def _rejected(rows: Sequence[Row], truths: Truths, field: str) -> Iterator[tuple[Row, Cue, Truth]]:
    """The cue that a rejected response has and the chosen one lacks, where it has one."""
    for row in rows:
        own = words.cues(response(row, "chosen")) if row["form"] == "description" else []
        for cue in [cue for cue in words.cues(response(row, field)) if cue not in own][:1]:
            yield row, cue, truths[row["clip"]]


def response(row: Row, field: str) -> str:
    """A preference's response, or the option that its letter stands for."""
    text: str = row[field]
    if not row["form"].endswith("_letters"):
        return text
    _, _, option = row["prompt"].partition(f"({text}) ")
    return option.partition(" (")[0]
