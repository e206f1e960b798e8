"""Stage 4: what text alone gives away is dropped, then answers, positions and labels are balanced (3.3, 3.4, B.1, B.3).

What it reports, in `filter.report.json`: each task before and after; how well each client guesses from the text, how
many questions that drops and how many it would drop by chance; how well a classifier does that reads only the text; and
the labels' shares beside the source's.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Mapping, Sequence, Set
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from avem_train.curation import prompts
from avem_train.curation.asking.asker import Ask
from avem_train.curation.asking.narrowing import narrowed
from avem_train.curation.asking.requests import Request
from avem_train.curation.balance import labels, lengths, positions, quotas, summary, text_classifier
from avem_train.curation.data.draws import draw
from avem_train.curation.data.rows import Filtered, Model, Row
from avem_train.curation.stages.base import Context, Dropped, Expected, Outcome, Stage, client

LETTERS = "ABCDEFGH"


@dataclass(frozen=True)
class Settings:
    """Settings of the stage."""

    clients: list[str] = client([])
    """The clients that guess from the text alone; what all of them guess right is dropped (B.1)."""
    balance: bool = True
    """Whether yes and no become equally frequent in each task, and the two kinds of no in a stress task."""
    match_labels: bool = True
    """Whether clips are dropped of labels that are more frequent than in the manifest (Fig. 7)."""
    tolerance: float = 0.05
    """By how much a label's share may be above the manifest's, from 0 to 1."""
    longest: float = 2.0
    """A question is dropped whose right option is longer, or shorter, than its wrong ones on average by more than this
    factor, in words; 0 = none is."""

    def __post_init__(self) -> None:
        if not 0 <= self.tolerance <= 1:
            raise ValueError(f"tolerance must be from 0 to 1, got {self.tolerance}")
        if self.longest and self.longest < 1:
            raise ValueError(f"longest must be 0 or at least 1, got {self.longest}")


class TextGuess(Model):
    """The option that a model picks without the clip."""

    answer: str
    """A letter."""


def each(row: Row, ask: Ask, context: Context) -> Outcome:
    """A question -> the question with the clients that guess its answer from the text alone."""
    letters = LETTERS[: len(row["choices"])]
    choices = [f"({letter}) {choice}" for letter, choice in zip(letters, row["choices"], strict=True)]
    values = {"question": row["question"], "choices": "\n".join(choices), "letters": ", ".join(letters)}
    request = Request(prompts.load("answer_from_text"), values, narrowed(TextGuess, "answer", tuple(letters)))
    right = letters[row["answer"]]
    guessed_by = [name for name in context.settings.clients if ask(name, request).answer == right]
    return Outcome([row | {"guessed_by": guessed_by}])


Step = Callable[[list[Row], Context], Sequence[Dropped]]
"""Questions -> those of them that are to go."""


def whole(rows: Sequence[Row], context: Context) -> Outcome:
    """All questions, guessed at -> those that stay, right options moved, and the report."""
    dropped: list[Dropped] = []
    staying = _without(list(rows), [_guessed, _unlike_in_length], context, dropped)
    steps: list[Step] = [_surplus_labels, partial(_surplus_answers, _kinds(staying))]
    count = -1
    while count != len(staying):  # evening answers out changes the labels' shares, and the other way round
        count = len(staying)
        staying = _without(staying, steps, context, dropped)
    placed = _placed(staying, context)
    report = {
        "before": summary.tasks(rows),
        "after": summary.tasks(placed),
        "guessed_from_text": summary.guessing(rows, context.settings.clients),
        "labels": summary.distribution(rows, placed, context.labels),
        "dropped": dict(sorted(Counter(one.kind for one in dropped).items())),
    }
    return Outcome([row | {"checks": [*row["checks"], *_checks(row, context)]} for row in placed], dropped, report)


def _checks(row: Row, context: Context) -> list[str]:
    """What a question that stays has passed here."""
    settings: Settings = context.settings
    made = {
        "not guessed from the text alone": bool(settings.clients),
        "length of options": bool(settings.longest) and not text_classifier.is_yes_no(row),
    }
    return [name for name, is_made in made.items() if is_made]


def _without(rows: list[Row], steps: Sequence[Step], context: Context, dropped: list[Dropped]) -> list[Row]:
    """The rows that every step leaves; what a step takes is added to `dropped`."""
    for step in steps:
        taken = step(rows, context)
        dropped += taken
        gone = {one.id for one in taken}
        rows = [row for row in rows if row["id"] not in gone]
    return rows


def _guessed(rows: list[Row], context: Context) -> list[Dropped]:
    names = context.settings.clients
    reason = f"guessed right from the text alone by {', '.join(names)}"
    return [Dropped(row["id"], "guessed from text", reason, row) for row in rows if summary.by_all(row, names)]


def _unlike_in_length(rows: list[Row], context: Context) -> list[Dropped]:
    longest = context.settings.longest
    if not longest:
        return []
    ratios = [(row, lengths.ratio(row)) for row in rows if not text_classifier.is_yes_no(row)]
    return [
        Dropped(row["id"], "length of options", f"the right option is {ratio:.2f} times as long as the wrong ones", row)
        for row, ratio in ratios
        if not 1 / longest <= ratio <= longest
    ]


def _surplus_labels(rows: list[Row], context: Context) -> list[Dropped]:
    """All questions about clips of a label that is more frequent than in the manifest."""
    if not context.settings.match_labels or not context.labels:
        return []
    label_of = {row["clip"]: row["emotion"] for row in rows}
    stay = labels.matched(Counter(label_of.values()), context.labels, context.settings.tolerance)
    chosen = _drawn(label_of, stay, context.seed, "label")
    reason = "clips of {} are more frequent than in the manifest"
    return [
        Dropped(row["id"], "label distribution", reason.format(row["emotion"]), row)
        for row in rows
        if row["clip"] not in chosen
    ]


Kind = tuple[str, str, str]
"""Of a question answered by yes or no: its task, right answer and sub-task."""


def _kind(row: Row) -> Kind:
    return row["task"], row["roles"][row["answer"]], row["subtask"]


def _kinds(rows: Sequence[Row]) -> set[Kind]:
    """The kinds of questions answered by yes or no that there are."""
    return {_kind(row) for row in rows if text_classifier.is_yes_no(row)}


def _surplus_answers(known: Set[Kind], rows: list[Row], context: Context) -> list[Dropped]:
    """Of each task answered by yes or no, what makes one answer, or one of the known kinds of no, more frequent."""
    if not context.settings.balance:
        return []
    dropped = []
    for task, some in summary.by_task(rows).items():
        if not text_classifier.is_yes_no(some[0]):
            continue
        kinds = {row["id"]: _kind(row) for row in some}
        counts = Counter(kinds.values())
        answers = {
            answer: {kind: counts[kind] for kind in sorted(known) if kind[:2] == (task, answer)}
            for answer in ("yes", "no")
        }
        quota = {kind: count for given in quotas.even(answers).values() for kind, count in given.items()}
        chosen = _drawn(kinds, quota, context.seed, "answer")
        told = ", ".join(f"{count} {subtask or answer}" for (_, answer, subtask), count in sorted(counts.items()))
        reason = f"surplus of its answer among the questions of its task: {told}"
        dropped += [Dropped(row["id"], "balance", reason, row) for row in some if row["id"] not in chosen]
    return dropped


GroupT = TypeVar("GroupT", bound=Hashable)


def _drawn(group_of: Mapping[str, GroupT], quota: Mapping[GroupT, int], seed: int, *names: str) -> set[str]:
    """Names of things, as many of each group as its quota says, drawn from the seed."""
    groups: dict[GroupT, list[str]] = defaultdict(list)
    for name, group in group_of.items():
        groups[group].append(name)
    return {
        name
        for group, members in groups.items()
        for name in sorted(members, key=lambda name: draw(seed, *names, name))[: quota[group]]
    }


def _placed(rows: list[Row], context: Context) -> list[Row]:
    """The questions with right options at each position equally often, in each task and for each answer."""
    groups: dict[tuple[str, str, int], list[Row]] = defaultdict(list)
    for row in rows:
        groups[row["task"], row["roles"][row["answer"]], len(row["choices"])].append(row)
    placed = {}
    for (*_, options), some in groups.items():
        ordered = sorted(some, key=lambda row: draw(context.seed, "position", row["id"]))
        for row, position in zip(ordered, positions.spread([row["answer"] for row in ordered], options), strict=True):
            steps = position - row["answer"]
            turned = {name: positions.rotated(row[name], steps) for name in ("choices", "roles")}
            placed[row["id"]] = row | turned | {"answer": position}
    return [placed[row["id"]] for row in rows]


def _expected(settings: Settings) -> list[Expected]:
    return [Expected(name, 200, 10) for name in settings.clients]


FILTER = Stage(
    "filter",
    "questions",
    Filtered,
    Settings,
    each,
    prompts=("answer_from_text",),
    whole=whole,
    expected=_expected,
    yields=0.7,
    version=2,
)
