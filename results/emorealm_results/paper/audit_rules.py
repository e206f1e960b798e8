"""What can be recomputed in the paper's tables, rule by rule.

Every printed number stands for the interval it may have been rounded from, and every rule works on intervals: a cell
disagrees only when no unrounded numbers behind the print could satisfy the rule.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise, product

from emorealm_results.paper.printed import Cell
from emorealm_tasks.emotions import EMOTIONS
from emorealm_tasks.metrics import TASKS

Bounds = tuple[float, float]
Key = tuple[int, str, str, str]
"""table, model, task, metric"""
GROUP = "emorealm"
STRESS = ("reasoning_stress_audio", "reasoning_stress_video")
BASIC = ("reasoning_basic_audio", "reasoning_basic_video")
_YES_NO = ("modality_agreement", *STRESS)
_SURVEY = ("best_emotion", "best_association", "most_inconsistent")
SAME_MODEL = {
    "Our base + AVEm-DPO, rejected media: clip of another emotion, by prompt": "Our base + AVEm-DPO",
    "Our base + AVEm-DPO, rejected responses: er and vr": "Our base + AVEm-DPO",
}
"""Rows of Tables 17 and 18 that are the method of Table 5 (Sections E.5, E.6)."""


@dataclass(frozen=True)
class Check:
    """A cell of the paper against the interval that a rule gives for it."""

    rule: str
    """Name of the rule."""
    cell: Cell
    """The number that is checked."""
    low: float
    """Lower end of what the rule allows, in the cell's unit."""
    high: float
    """Upper end of what the rule allows, in the cell's unit."""
    why: str
    """Which numbers the rule was applied to, in words."""

    @property
    def agrees(self) -> bool:
        """Whether the two intervals meet."""
        return self.low <= self.cell.high and self.cell.low <= self.high


class Tables:
    """The cells by table, model, task and metric."""

    def __init__(self, cells: Iterable[Cell]) -> None:
        self.cells = list(cells)
        self._at: Mapping[Key, Cell] = {(c.table, c.model, c.task, c.metric): c for c in self.cells}

    def get(self, table: int, model: str, task: str, metric: str) -> Cell | None:
        """The cell, or None where the paper prints none."""
        return self._at.get((table, model, task, metric))

    def several(self, *keys: Key) -> list[Cell] | None:
        """All the cells, or None when one is not printed."""
        cells = [self._at.get(key) for key in keys]
        return None if None in cells else [cell for cell in cells if cell]

    def models(self, table: int) -> list[str]:
        """The models of a table, in its order."""
        return list(dict.fromkeys(cell.model for cell in self.cells if cell.table == table))


def mean(cells: Iterable[Cell]) -> Bounds:
    """The interval of the unweighted mean."""
    low, high = zip(*((cell.low, cell.high) for cell in cells), strict=True)
    return sum(low) / len(low), sum(high) / len(high)


def total(cells: Iterable[Cell]) -> Bounds:
    """The interval of the sum."""
    low, high = zip(*((cell.low, cell.high) for cell in cells), strict=True)
    return sum(low), sum(high)


def harmonic(a: Cell, b: Cell) -> Bounds:
    """The interval of the harmonic mean of two cells."""
    values = [2 * max(x, 0) * max(y, 0) / (x + y) if x + y > 0 else 0.0 for x, y in ((a.low, b.low), (a.high, b.high))]
    return values[0], values[1]


def gain(after: Cell, before: Cell) -> Bounds:
    """The interval of the relative improvement, in percent (after > 0 and before > 0)."""
    return 100 * (after.low / before.high - 1), 100 * (after.high / before.low - 1)


def f1(tables: Tables) -> Iterator[Check]:
    """F1 = harmonic mean of precision and recall (Section D.1; Table 8 by its columns)."""
    keys = {(13, model, task): ("precision", "recall", "f1") for model in tables.models(13) for task in _YES_NO}
    frames = dict.fromkeys(cell.task for cell in tables.cells if cell.table == 8)
    of_words = ("bertscore_precision", "bertscore_recall", "bertscore_f1")
    keys |= {(8, "GPT-4o", task): of_words for task in frames}
    for key, names in keys.items():
        if cells := tables.several(*((*key, name) for name in names)):
            precision, recall, printed_f1 = cells
            why = f"harmonic mean of {precision.printed} and {recall.printed}"
            yield Check("F1 from precision and recall", printed_f1, *harmonic(precision, recall), why)


def averages(tables: Tables) -> Iterator[Check]:
    """Table 13: the last column is the unweighted mean of five accuracies (Section E.1)."""
    for model in tables.models(13):
        cells = tables.several((13, model, GROUP, "accuracy"), *((13, model, task, "accuracy") for task in TASKS))
        if cells:
            why = "mean of " + ", ".join(cell.printed for cell in cells[1:])
            yield Check("average accuracy", cells[0], *mean(cells[1:]), why)


def gains(tables: Tables) -> Iterator[Check]:
    """Table 13: relative improvement of AVEm-DPO over its reference model, in percent."""
    for cell in tables.cells:
        if cell.metric.startswith("gain_"):
            metric = cell.metric.removeprefix("gain_")
            base = cell.model.removesuffix(" + AVEm-DPO")
            pair = tables.several((13, cell.model, cell.task, metric), (13, base, cell.task, metric))
            if pair:
                yield Check("relative gain", cell, *gain(*pair), f"from {pair[1].printed} to {pair[0].printed}")


def recalls(tables: Tables) -> Iterator[Check]:
    """Table 15: UAR is the mean of the seven recalls, and UAR and WAR are those of Table 2."""
    for model in tables.models(15):
        cells = tables.several((15, model, "dfew", "uar"), *((15, model, "dfew", f"recall_{e}") for e in EMOTIONS))
        if cells:
            yield Check("UAR from the recalls", cells[0], *mean(cells[1:]), "mean of the seven recalls")


def user_study(tables: Tables) -> Iterator[Check]:
    """Tables 4 and 16: each participant chose one model a question, so a column sums to 100 percent."""
    for table, metric in product((4, 16), _SURVEY):
        column = [cell for cell in tables.cells if (cell.table, cell.metric) == (table, metric)]
        if column:
            low, high = total(column)
            value = sum(cell.value for cell in column)
            column_sum = replace(column[0], model="(column)", value=value, printed=f"{value:.2f}", low=low, high=high)
            yield Check("shares of a survey question", column_sum, 100, 100, "all are shares of the same choices")


def counts(tables: Tables) -> Iterator[Check]:
    """Tables 1, 6 and 7: totals of their rows, and no count above the one it is part of."""
    for table, metric in ((1, "questions"), *((7, name) for name in _FUNNEL), (7, "discrepancies"), (7, "questions")):
        cells = tables.several((table, "", GROUP, metric), *((table, "", task, metric) for task in TASKS))
        if cells:
            why = "sum of " + ", ".join(cell.printed for cell in cells[1:])
            yield Check("total of a column", cells[0], *total(cells[1:]), why)
    for table in (6, 7):
        for task in dict.fromkeys(cell.task for cell in tables.cells if cell.table == table):
            for upper, part in pairwise(_FUNNEL):
                pair = tables.several((table, "", task, upper), (table, "", task, part))
                if pair:
                    yield Check("part of a count", pair[1], 0, pair[0].high, f"at most {upper} = {pair[0].printed}")


_FUNNEL = ("verified", "one_or_more_correct", "majority_correct")


def ablation(tables: Tables) -> Iterator[Check]:
    """Table 5 from Tables 13 and 14, by Section D.5."""
    sources = {
        "basic": [(13, task, "accuracy") for task in BASIC],
        "stress": [(13, task, "f1") for task in STRESS],
        "spur": [(14, task, "spurious") for task in STRESS],
        "hall": [(14, task, "hallucination") for task in STRESS],
    }
    for table in (5, 17, 18):
        for model, (metric, parts) in product(tables.models(table), sources.items()):
            main_name = SAME_MODEL.get(model, model)
            keys = [(source, main_name, task, name) for source, task, name in parts]
            cells = tables.several((table, model, GROUP, metric), *keys)
            if cells:
                where = "Table " + "/".join(sorted({str(key[0]) for key in keys}))
                why = f"mean of {', '.join(cell.printed for cell in cells[1:])} in {where}"
                yield Check("ablation columns from the full tables", cells[0], *mean(cells[1:]), why)


_TWIN = {2: 15, 3: 13, 7: 1, 16: 4, 17: 5, 18: 5}


def repeats(tables: Tables) -> Iterator[Check]:
    """The same number in two tables: 3 in 13, 2 in 15, 16 in 4, 7 in 1, 17 and 18 in 5, and Agree. of 5 in 13."""
    for cell in tables.cells:
        model, key = SAME_MODEL.get(cell.model, cell.model), (cell.task, cell.metric)
        keys = [(_TWIN[cell.table], *key)] if cell.table in _TWIN else []
        if cell.metric == "agree":
            keys.append((13, "modality_agreement", "f1"))
        for table, task, metric in keys:
            if twin := tables.get(table, model, task, metric):
                yield Check("printed twice", cell, twin.value, twin.value, f"{twin.printed} in Table {table}")


def shares(tables: Tables) -> Iterator[Check]:
    """Tables 13, 14: a whole lies between its parts, and one share of the parts must explain the rows of all models.

    Accuracy is made of precision (yes) and recall (no) in the shares of those answers, recall of the stress tests of
    spurious and hallucinated cues in theirs. These shares belong to the benchmark. The share that explains most rows
    is taken as its own.
    """
    for task in _YES_NO:
        keys = {m: ((13, m, task, "accuracy"), (13, m, task, "precision"), (13, m, task, "recall")) for m in
                tables.models(13)}  # fmt: skip
        yield from _one_share(tables, keys.values(), "accuracy from precision and recall", "yes")
    for task in STRESS:
        keys = {m: ((13, m, task, "recall"), (14, m, task, "spurious"), (14, m, task, "hallucination")) for m in
                tables.models(14)}  # fmt: skip
        yield from _one_share(tables, keys.values(), "recall from spurious and hallucinated", "spurious")


def _one_share(tables: Tables, keys: Iterable[tuple[Key, Key, Key]], rule: str, part: str) -> Iterator[Check]:
    rows = [cells for key in keys if (cells := tables.several(*key))]
    if not rows:
        return
    share = _commonest([_share(*row) for row in rows])
    for total, first, second in rows:
        low = share * first.low + (1 - share) * second.low
        high = share * first.high + (1 - share) * second.high
        why = f"{first.printed} and {second.printed}, {100 * share:.1f}% {part} as in most rows"
        yield Check(rule, total, low, high, why)


def _share(total: Cell, first: Cell, second: Cell) -> Bounds:
    """The shares of ``first`` that can make up ``whole``."""
    shares = [(w - b) / (a - b) for w, a, b in product(*((c.low, c.high) for c in (total, first, second))) if a != b]
    return min(shares), max(shares)


def _commonest(intervals: list[Bounds]) -> float:
    """The middle of the stretch that the most intervals cover."""
    ends = sorted({end for interval in intervals for end in interval})
    middles = [(a + b) / 2 for a, b in pairwise(ends)]
    cover = Counter({middle: sum(low <= middle <= high for low, high in intervals) for middle in middles})
    return cover.most_common(1)[0][0]


RULES = (f1, averages, gains, recalls, user_study, counts, ablation, repeats, shares)
