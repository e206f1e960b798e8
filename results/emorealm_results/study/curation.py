"""The page of `emorealm curate study`: grades, what became of planted mistakes, and what training gained."""

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

from emorealm_results.console.markdown import interval, table

_BASE, _WORLD = "base", "the world's own preferences"
_SCORES = ("accuracy", "basic", "agree", "stress", "spur", "hall")
_SOURCES = {"truth": "the truth", "avere": "avere-nano"}
Record = Mapping[str, Any]


def page(records: Mapping[str, Record]) -> str:
    """The page of the records by split, of which one at least is there. Ends in a newline."""
    first = next(iter(records.values()))
    about = first["about"]
    parts = [
        "# Curation where the truth is known",
        f"{about['clips']} clips of the embedded training world went through the recipe `mini` once for each row. A "
        "scripted language model writes; captions are made of the clips' true cues or of what avere-nano names. "
        "`noise` is the rate at which each kind of mistake is planted in every reply. Intervals are of 95 % over "
        "clips. Made by `emorealm curate study`.",
        "## Grades",
        _grades(first["curated"]),
        "## Planted mistakes",
        "The rate caught before the end, and how many were planted. A mistake in a caption counts as caught where its "
        "clip is dropped, or no wrong preference names the cue. `overlooked` and `overzealous` are mistakes of the "
        "checker, which compares what is written with the cues: the first matters where something wrong passes, the "
        "second costs something right. Where captions are avere-nano's, its own mistakes add to the planted ones.",
        _planted(first["curated"]),
        *[part for split, record in records.items() if record["runs"] for part in _gains(split, record)],
        *[
            f"The {split} world has not been answered."
            for split in ("validation", "test")
            if not _answered(records, split)
        ],
    ]
    return "\n\n".join(parts) + "\n"


def of_run(found: Mapping[str, Any]) -> str:
    """The grades of one run (`avem_train.curation.graded.of_run`), and what became of its planted mistakes."""
    grades = [[name, interval(grade), str(grade["n"])] for name, grade in found["grades"].items()]
    text = table([["grade", "%", "of"], *grades])
    if not found["planted"]:
        return text
    fates = [
        [
            name,
            str(fate["planted"]),
            ", ".join(f"{stage} {n}" for stage, n in fate["caught"].items()),
            str(fate["left"]),
        ]
        for name, fate in found["planted"].items()
    ]
    return text + "\n\n" + table([["planted mistake", "planted", "caught by", "left"], *fates])


def _head(rows: Mapping[str, Any]) -> list[str]:
    return [f"{_SOURCES.get(row['captions'], row['captions'])}, {row['noise']:.0%}" for row in rows.values()]


def _grades(rows: Mapping[str, Any]) -> str:
    names = list(next(iter(rows.values()))["grades"])
    counts = [["preference records", *(str(row["stages"]["preferences"]["rows"]) for row in rows.values())]]
    body = [[name, *(interval(row["grades"][name]) for row in rows.values())] for name in names]
    return table([["%", *_head(rows)], *counts, *body])


def _planted(rows: Mapping[str, Any]) -> str:
    erring = {name: row for name, row in rows.items() if row["planted"]}
    names = sorted({mistake for row in erring.values() for mistake in row["planted"]})
    if not names:
        return "None was planted."
    body = [[name, *(_caught(row["planted"].get(name)) for row in erring.values())] for name in names]
    return table([["mistake", *_head(erring)], *body])


def _caught(fate: Mapping[str, Any] | None) -> str:
    if not fate:
        return "–"
    by = ", ".join(f"{stage} {count}" for stage, count in fate["caught"].items())
    share = 100 * (fate["planted"] - fate["left"]) / fate["planted"]
    return f"{share:.0f} % of {fate['planted']}" + (f" ({by})" if by else "")


def _gains(split: str, record: Record) -> Sequence[str]:
    """Scores of the models trained on each row's records, on one split."""
    about, runs = record["about"], record["runs"]
    base = _means(runs.get(_BASE, {}))
    truth = _means(runs.get(_truth(record), {}))
    head = ["trained on", "trainings", *_SCORES, "gain in accuracy", "share of the gain from true cues"]
    names = [name for name in (_BASE, _WORLD) if name in runs] + list(record["curated"])
    rows = [[_label(name, record), *_of_runs(runs.get(name, {}), base, truth)] for name in names]
    optimiser = about["training"]["optimiser"]
    told = (
        f"AVEm-DPO from avere-nano, {optimiser['steps']} steps, batch {optimiser['batch']}, learning rate "
        f"{optimiser['learning_rate']}, the same for all rows; {about['answered']} clips of the {split} world are "
        f"answered. The world's own preferences are about the same clips. Small differences can be chance."
    )
    return [f"## Training, {split} world", told, table([head, *rows]), *_seen(record, base, truth)]


def _label(name: str, record: Record) -> str:
    row = record["curated"].get(name)
    return f"{_SOURCES.get(row['captions'], row['captions'])}, {row['noise']:.0%} noise" if row else name


def _of_runs(seeds: Mapping[str, Any], base: Mapping[str, float], truth: Mapping[str, float]) -> list[str]:
    if not seeds:
        return ["not trained", *["–"] * (len(_SCORES) + 2)]
    return [str(len(seeds)), *_row(_means(seeds), base, truth)]


def _seen(record: Record, base: Mapping[str, float], truth: Mapping[str, float]) -> list[str]:
    """What the table says, in sentences; nothing where the gain from true cues is not known."""
    if not base or not truth or truth["accuracy"] <= base["accuracy"]:
        return []
    whole = truth["accuracy"] - base["accuracy"]
    told = [
        f"Preferences made from true cues without mistakes bring {whole:+.1f} points of accuracy "
        f"({base['accuracy']:.1f} to {truth['accuracy']:.1f})."
    ]
    optimiser = record["about"]["training"]["optimiser"]
    seen = optimiser["steps"] * optimiser["batch"] * optimiser["accumulation"]
    means = {name: _means(record["runs"].get(name, {})) for name in record["curated"]}
    for source, named in _SOURCES.items():
        parts = [
            _survives(row, means[name]["accuracy"] - base["accuracy"], whole)
            for name, row in record["curated"].items()
            if row["captions"] == source and means[name] and name != _truth(record)
        ]
        if parts:
            told.append(f"With captions from {named}, {'; '.join(parts)}.")
    told.append(f"Every training sees {seen} records: where a row has fewer, each is seen more than once.")
    missing = [_label(name, record) for name in record["curated"] if not means[name]]
    if missing:
        told.append(f"Not trained yet: {'; '.join(missing)}.")
    return ["### What is seen", " ".join(told)]


def _survives(row: Record, gain: float, whole: float) -> str:
    right, records = row["grades"]["chosen response true"]["value"], row["stages"]["preferences"]["rows"]
    wrong = "" if right is None else f", {100 - right:.0f} % of their chosen responses wrong"
    return f"{gain:+.1f} at {row['noise']:.0%} noise ({gain / whole:.0%} of that gain; {records} records{wrong})"


def _truth(record: Record) -> str:
    """The row whose preferences are made from true cues without mistakes; "" where there is none."""
    rows = record["curated"].items()
    return next((name for name, row in rows if row["captions"] == "truth" and not row["noise"]), "")


def _answered(records: Mapping[str, Record], split: str) -> bool:
    return bool(split in records and records[split]["runs"])


def _means(seeds: Mapping[str, Any]) -> Mapping[str, float]:
    scores = [run["scores"]["group"] for run in seeds.values() if "scores" in run]
    return {name: fmean(score[name] for score in scores) for name in _SCORES} if scores else {}


def _row(means: Mapping[str, float], base: Mapping[str, float], truth: Mapping[str, float]) -> list[str]:
    shown = [f"{means[name]:.1f}" if means else "–" for name in _SCORES]
    if not means or not base or means == base:
        return [*shown, "–", "–"]
    gain = means["accuracy"] - base["accuracy"]
    whole = truth["accuracy"] - base["accuracy"] if truth else 0.0
    return [*shown, f"{gain:+.1f}", f"{gain / whole:.0%}" if whole > 0 else "–"]
