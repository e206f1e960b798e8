"""Stage 3: questions of the five tasks about each clip (Sections 3.1 and 3.2, B.1).

A Basic question and a `no_hallucination` stress question are asked only of a modality whose caption alone gives the
label, an agreement question only of a clip that has both captions. What fails a check is dropped by itself: the clip's
other questions stay.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from avem_train.curation import prompts
from avem_train.curation.asking.asker import Ask, Rejected
from avem_train.curation.asking.requests import Request
from avem_train.curation.checks import matches
from avem_train.curation.data.rows import Modality, Question, Row
from avem_train.curation.questions import basic, clip, yes_no
from avem_train.curation.questions.forms import AbsentCues, BasicQuestion
from avem_train.curation.stages import base
from avem_train.curation.stages.base import Context, Dropped, Expected, Outcome, Stage
from emorealm_tasks.answers.task_names import SUBTASKS


@dataclass(frozen=True)
class Settings:
    """Settings of the stage."""

    client: str = base.client()
    """The client that writes options and names cues that are not there."""
    checker: str = base.client()
    """The client that compares what is written with the clip's cues, in whatever words; "" = `client`."""
    stress: int = 1
    """Stress questions of each kind about each modality of a clip."""

    def __post_init__(self) -> None:
        if self.stress < 1:
            raise ValueError(f"stress must be at least 1, got {self.stress}")

    @property
    def compares(self) -> str:
        """The client that compares."""
        return self.checker or self.client


def each(row: Row, ask: Ask, context: Context) -> Outcome:
    """A clip whose emotion its captions explain -> questions about it."""
    rows: list[Row] = []
    dropped: list[Dropped] = []
    for identity, write in _plan(row, ask, context):
        try:
            rows.append(write())
        except Rejected as error:
            dropped.append(Dropped(identity, error.kind, str(error), row))
    return Outcome(rows, dropped)


Planned = tuple[str, Callable[[], Row]]
"""A question's id, and what writes it or raises Rejected."""


def _plan(row: Row, ask: Ask, context: Context) -> Iterator[Planned]:
    media = [medium for medium in clip.MEDIA if row[f"caption_{medium}"].strip()]
    for medium in media:
        explained = medium in row["explained_by"]
        if explained:
            yield clip.name(row, basic.task(medium), 1), partial(_basic, row, medium, ask, context)
        for subtask in SUBTASKS:
            if explained or subtask != "no_hallucination":
                yield from _stress(row, medium, subtask, ask, context)
    if len(media) == len(clip.MEDIA):
        yield clip.name(row, yes_no.AGREEMENT, 1), partial(yes_no.agreement, row, context.seed)


def _basic(row: Row, medium: Modality, ask: Ask, context: Context) -> Row:
    values = basic.values(row, medium, context.seed)
    reply = ask(context.settings.client, Request(prompts.load("questions_basic"), values, BasicQuestion))
    made = basic.assembled(reply, row, medium, context.seed)
    return basic.check_matches(made, matches.matched(made["choices"], row["cues"], ask, context.settings.compares))


def _stress(row: Row, medium: Modality, subtask: str, ask: Ask, context: Context) -> Iterator[Planned]:
    def identity(place: int) -> str:
        return clip.name(row, yes_no.stress_task(medium), yes_no.stress_number(subtask, place))

    try:
        cues = _stress_cues(row, medium, subtask, ask, context)
    except Rejected as error:
        yield identity(0), partial(_reject, error)
        return
    for place, cue in enumerate(cues):
        yield identity(place), partial(_about_cue, row, medium, subtask, place, cue, ask, context)


def _about_cue(row: Row, medium: Modality, subtask: str, place: int, cue: str, ask: Ask, context: Context) -> Row:
    made = yes_no.stress(row, medium, subtask, place, cue, context.seed)
    if subtask != "hallucination":
        return made
    (found,) = matches.matched([made["cue"]], row["cues"], ask, context.settings.compares)
    return yes_no.check_absent(made, found)


def _stress_cues(row: Row, medium: Modality, subtask: str, ask: Ask, context: Context) -> list[str]:
    count = context.settings.stress
    if subtask != "hallucination":
        return yes_no.stress_cues(row, medium, subtask, count, context.seed)
    values = yes_no.absent_values(row, medium, count)
    reply = ask(context.settings.client, Request(prompts.load("questions_hallucinated"), values, AbsentCues))
    if not reply.cues:
        raise Rejected("no absent cue", "the model named no cue that is absent")
    return reply.cues[:count]


def _reject(error: Rejected) -> Row:
    raise error


def _expected(settings: Settings) -> list[Expected]:
    return [
        Expected(settings.client, 500, 250, count=1.5),
        Expected(settings.client, 350, 40, count=2),
        Expected(settings.compares, 350, 40, count=1.5),
        Expected(settings.compares, 300, 10, count=2),
    ]


QUESTIONS = Stage(
    "questions",
    "emotions",
    Question,
    Settings,
    each,
    prompts=("questions_basic", "questions_hallucinated", matches.PROMPT),
    expected=_expected,
    yields=8.0,  # nine of a clip that both captions explain
    version=2,
)
