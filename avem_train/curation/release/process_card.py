"""The parts of the data card that say how the release was made: filters, leakage, models and prompts, costs."""

from collections.abc import Mapping
from typing import Any

from emorealm_tasks.markdown import table

Numbers = Mapping[str, Any]


def filters(numbers: Numbers) -> str:
    """What each stage took, gave and left out, by kind."""
    rows = [["stage", "rows in", "rows out", "left out"]]
    for one in numbers["stages"]:
        rejects = ", ".join(f"{kind} {count:,}" for kind, count in sorted(one["rejects"].items()))
        rows.append([one["stage"], f"{one['rows_in']:,}", f"{one['rows']:,}", rejects or "nothing"])
    said = f"{numbers['without_picture']:,} questions about sounds without a picture have no place in the layout."
    return _with(table(rows), said if numbers["without_picture"] else "")


def leaks(numbers: Numbers) -> str:
    """What was looked for elsewhere and found, one row a dataset; a sentence where nothing was looked for."""
    if not numbers["leaks"]:
        return "Not looked for: `emorealm curate leaks` compares the clips and questions with other datasets."
    return leak_table(numbers["leaks"])


def leak_table(reports: Mapping[str, Any]) -> str:
    """Dataset -> its report (`leakage.search`), as a table."""
    head = [
        "compared with",
        "clips there",
        "same name",
        "same picture",
        "same sound",
        "any of these",
        "like questions",
    ]
    rows = [head]
    for name, report in reports.items():
        found = report["found"]
        clips = {one["mine"] for kind in ("name", "picture", "sound") for one in found[kind]}
        counts = [len({one["mine"] for one in found[kind]}) for kind in ("name", "picture", "sound")]
        like = len({one["mine"] for one in found["text"]})
        rows.append([name, f"{report['clips']:,}", *(f"{count:,}" for count in (*counts, len(clips), like))])
    limits = next(iter(reports.values()))["limits"]
    said = (
        f"Clips of this release that are there too. Same picture: at most {100 * limits['picture']:.0f}% of the "
        f"perceptual hashes' bits differ; same sound: at most {100 * limits['sound']:.0f}% of the sound fingerprints' "
        f"bits, over {limits['seconds']:.1f} s or more; like questions: {100 * limits['text']:.0f}% or more of their "
        "words."
    )
    unread = sum(len(report["unread"]) for report in reports.values())
    return _with(table(rows), said + (f" {unread:,} clips could not be read." if unread else ""))


def models(numbers: Numbers) -> str:
    """What the released questions rest on."""
    rows = [["stage", "model", "prompt", "replies"]]
    rows += [[one["stage"], one["model"], one["prompt"], f"{one['replies']:,}"] for one in numbers["asked"]]
    return _with(table(rows), "A prompt is named with its version and hash.") if len(rows) > 1 else ""


def costs(numbers: Numbers) -> str:
    """Requests, tokens and dollars of each stage's last run, and all that was paid."""
    rows = [["stage", "requests", "from the cache", "tokens in", "tokens out", "dollars"]]
    for one in numbers["stages"]:
        counts = one["counts"]
        whole = [f"{counts[name]:,}" for name in ("asked", "cached", "tokens_in", "tokens_out")]
        rows.append([one["stage"], *whole, f"{counts['dollars']:.2f}"])
    said = "Of the run that made each stage's rows; what came from the cache was paid before. In all runs: "
    return _with(table(rows), f"{said}${numbers['spent']:.2f}.")


def _with(rows: str, said: str) -> str:
    return f"{rows}\n\n{said}" if said else rows
