"""What a model wrote is held against the clip: a response must be wrong in the way that it claims.

Each check raises Rejected with a kind of its own.
"""

import re
from collections.abc import Mapping, Sequence

from avem_train.curation.asking.asker import Rejected
from avem_train.curation.checks.leaks import named
from avem_train.curation.checks.likeness import ALIKE, alike, stems
from avem_train.curation.data.rows import Row
from avem_train.curation.preferences import cues
from avem_train.curation.preferences.forms import AnswerVariations, IrrelevantVariation, VerdictVariations
from avem_train.curation.questions import clip
from emorealm_tasks.untrusted import brief

_WORD = re.compile(r"\w+")


def check_texts(chosen: str, rejected: dict[str, str], length_factor: float) -> None:
    """None is empty, no rejected response is the chosen one or another's, and lengths are alike."""
    if not all(_plain(text) for text in (chosen, *rejected.values())):
        raise Rejected("empty text", "a response is empty")
    seen = {_plain(chosen): "the chosen response"}
    for name, text in rejected.items():
        if other := seen.get(_plain(text)):
            raise Rejected("same response", f"{name} says what {other} says: {brief(text)}")
        seen[_plain(text)] = name
        words, others = len(_plain(text)), len(_plain(chosen))
        if max(words, others) > length_factor * min(words, others):
            raise Rejected("lengths differ", f"{name} has {words} words, the chosen response {others}: {brief(text)}")


def check_verdicts(reply: VerdictVariations, verdict: str, opposite: str) -> None:
    """The chosen response starts with the right verdict, the rejected ones with the opposite."""
    for text, word in (
        (reply.chosen, verdict),
        (reply.video_relevant.text, opposite),
        (reply.emotion_relevant.text, opposite),
    ):
        if _plain(text)[:1] != (word.lower(),):
            raise Rejected("wrong verdict", f"it must start with {word}: {brief(text)}")


def check_cues(row: Row, reply: AnswerVariations) -> None:
    """One rejected response names a cue that is there and explains nothing, the other one that is not there."""
    check_named("video-relevant", reply.video_relevant.cue, reply.video_relevant.text)
    check_named("emotion-relevant", reply.emotion_relevant.cue, reply.emotion_relevant.text)
    spurious, absent = reply.video_relevant.cue, reply.emotion_relevant.cue
    if found := [cue for cue in cues.relevant(row) if alike(spurious, cue)]:
        raise Rejected("video-relevant cue explains", f"{brief(spurious)} is the telling {brief(found[0])}")
    if not any(alike(spurious, cue) for cue in cues.irrelevant(row)):
        raise Rejected("video-relevant cue absent", f"{brief(spurious)} is none of the clip's irrelevant cues")
    if where := clip.present(row, absent):
        raise Rejected("emotion-relevant cue present", f"{brief(absent)} is there: {where}")


def check_irrelevant(row: Row, reply: IrrelevantVariation) -> None:
    """It names a cue that is not there, and not the emotion."""
    check_named("irrelevant", reply.cue, reply.text)
    if where := clip.present(row, reply.cue):
        raise Rejected("irrelevant cue present", f"{brief(reply.cue)} is there: {where}")
    if word := named(reply.text, row["emotion"]):
        raise Rejected("irrelevant names the emotion", f"{word!r} names {row['emotion']}: {brief(reply.text)}")


def check_matches(found: Mapping[str, Sequence[Row]]) -> None:
    """No rejected response is by a cue that makes it what it is not. found: its kind -> the cues that its cue means."""
    for kind, matches in found.items():
        telling = [cue["text"] for cue in matches if cue["relevant"]]
        if kind == "video_relevant" and telling:
            raise Rejected("video-relevant cue by meaning explains", f"it means the telling {brief(telling[0])}")
        if kind != "video_relevant" and matches:
            name = kind.replace("_", "-")
            raise Rejected(f"{name} cue by meaning present", f"it means {brief(matches[0]['text'])}, which is there")


def check_named(name: str, cue: str, text: str) -> None:
    """A response names the cue that it is to name, at least by most of its words."""
    wanted = stems(cue)
    if not wanted:
        raise Rejected("empty text", f"the {name} response has no cue")
    if len(wanted & stems(text)) < ALIKE * len(wanted):
        raise Rejected("cue not named", f"the {name} response does not name {brief(cue)}: {brief(text)}")


def _plain(text: str) -> tuple[str, ...]:
    """The words of a text, whatever their case and punctuation."""
    return tuple(_WORD.findall(text.lower()))
