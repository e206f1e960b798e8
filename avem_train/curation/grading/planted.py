"""What became of planted mistakes: which stage caught each, and how many are left at the end."""

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from avem_train.curation.data.rows import Row
from avem_train.curation.grading import grades
from avem_train.curation.grading.grades import Truths
from avem_train.curation.scripted import mistakes, words

REPAIR = "repair"
"""Where a second attempt mends what was broken."""
Replies = Mapping[str, str]
"""Key of a reply -> its text."""
Stages = Mapping[str, Sequence[Row]]
"""Stage -> its rows."""
_OF_CAPTIONS = ("missed", "invented", "invented_scene", "flipped")


@dataclass
class Fate:
    """What became of all mistakes of one name."""

    planted: int = 0
    """How many there were."""
    caught: Counter[str] = field(default_factory=Counter)
    """Stage -> how many ended there."""

    @property
    def left(self) -> int:
        """How many reach the last stage that could have caught them."""
        return self.planted - sum(self.caught.values())

    def note(self, stage: str) -> None:
        """Count one that ended at that stage; "" = none."""
        self.planted += 1
        if stage:
            self.caught[stage] += 1


def fates(replies: Replies, stages: Stages, truths: Truths) -> dict[str, Fate]:
    """Name of a mistake -> what became of it. A reply that serves several rows counts once."""
    found: dict[str, Fate] = defaultdict(Fate)
    rests_on = {stage: _by_key(stage, rows) for stage, rows in stages.items()}
    wrong = _wrong(stages["preferences"], truths)
    for key, text in sorted(replies.items()):
        for note in mistakes.planted(text):
            name, _, detail = note.partition(":")
            if name in _OF_CAPTIONS:
                for clip in {row["id"] for row in rests_on["captions"].get(key, [])}:
                    found[name].note(_of_caption(clip, detail, stages, wrong))
            elif name.startswith("broken"):
                if not key.endswith("r"):
                    found[name].note(_of_broken(key, replies))
            elif name == "overlooked":
                found[name].note(_of_overlooked(key, detail, rests_on, truths))
            else:
                found[note].note(_ENDS[name](key, text, rests_on, stages))
    return dict(sorted(found.items()))


def _by_key(stage: str, rows: Sequence[Row]) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        for key in {asked["key"] for asked in row["provenance"] if asked["stage"] == stage}:
            found[key].append(row)
    return found


def _wrong(rows: Sequence[Row], truths: Truths) -> dict[str, set[str]]:
    """Clip -> names of the cues that its preferences use wrongly."""
    found: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        for check, name in (
            (grades.chosen, "chosen"),
            (grades.video_relevant, "rejected_video_relevant"),
            (grades.emotion_relevant, "rejected_emotion_relevant"),
        ):
            if any(not right for right, _ in check([row], truths)):
                found[row["clip"]] |= {cue.name for cue in words.cues(grades.response(row, name))}
    return found


def _of_caption(clip: str, cue: str, stages: Stages, wrong: Mapping[str, set[str]]) -> str:
    """A clip may be dropped; else what counts is whether a wrong preference names the cue."""
    if not any(row["id"] == clip for row in stages["emotions"]):
        return "emotions"
    return "" if cue in wrong.get(clip, ()) else "later, or harmless"


def _of_broken(key: str, replies: Replies) -> str:
    """Mended by the second attempt, or its row is rejected."""
    again = replies.get(f"{key[:-1]}r", "")
    return REPAIR if again and not any(note.startswith("broken") for note in mistakes.planted(again)) else "rejected"


_Index = Mapping[str, Mapping[str, Sequence[Row]]]


def _of_guess(key: str, text: str, rests_on: _Index, stages: Stages) -> str:
    return "" if rests_on["emotions"].get(key) else "emotions"


def _of_question(key: str, text: str, rests_on: _Index, stages: Stages) -> str:
    rows = [row for row in rests_on["questions"].get(key, []) if _made_of(row, text)]
    if not rows:
        return "questions"
    there = {row["id"] for row in stages["filter"]}
    return "" if any(row["id"] in there for row in rows) else "filter"


def _made_of(row: Row, text: str) -> bool:
    """Whether a question was made of that reply."""
    reply = json.loads(text[text.index("{") :])
    if "cues" in reply:
        return row["subtask"] == "hallucination" and row["cue"] in reply["cues"]
    options = [reply["right"], *reply["irrelevant"], *reply["hallucinated"]]
    return row["question"] == reply["question"] and set(row["choices"]) == {option["text"] for option in options}


def _of_preference(key: str, text: str, rests_on: _Index, stages: Stages) -> str:
    return "" if rests_on["preferences"].get(key) else "preferences"


def _of_overzealous(key: str, text: str, rests_on: _Index, stages: Stages) -> str:
    """It can but cost what is right."""
    return "costs what is right"


def _of_overlooked(key: str, cue: str, rests_on: _Index, truths: Truths) -> str:
    """It matters where what was to be dropped for the cue passes the stage that asked."""
    for stage, misuses in (("questions", _question_misuses), ("preferences", _preference_misuses)):
        if any(misuses(row, cue, truths) for row in rests_on[stage].get(key, [])):
            return ""
    return "harmless"


def _question_misuses(row: Row, cue: str, truths: Truths) -> bool:
    """Whether an option, or what a stress question is about, is said to be absent or telling and is not."""
    truth = truths[row["clip"]]
    if row["subtask"]:
        absent = [row["cue"]] if row["subtask"] == "hallucination" else []
    else:
        absent = [text for text, role in zip(row["choices"], row["roles"], strict=True) if role == "hallucinated"]
    right = row["choices"][row["answer"]] if "right" in row["roles"] else ""
    if cue in _names(right):
        return cue not in truth.matters
    return cue in truth.present and any(cue in _names(text) for text in absent)


def _preference_misuses(row: Row, cue: str, truths: Truths) -> bool:
    return cue in _wrong([row], truths).get(row["clip"], ())


def _names(text: str) -> set[str]:
    return {cue.name for cue in words.cues(text)}


_ENDS: Mapping[str, Callable[[str, str, _Index, Stages], str]] = {
    "guess": _of_guess,
    "leak": _of_question,
    "present": _of_question,
    "keyed": _of_question,
    "guessable": _of_question,
    "misclaimed": _of_preference,
    "overzealous": _of_overzealous,
}
