"""The data card (README.md) in the form of the hub's datasets. Every number in it comes from the release's numbers."""

from collections.abc import Mapping
from typing import Any

import yaml

from avem_train.curation.release import process_card
from avem_train.curation.release.layout import FILE, VIDEOS
from emorealm_tasks.benchmarks.emorealm import TASKS
from emorealm_tasks.markdown import table

Numbers = Mapping[str, Any]
_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))
_LOOKED_AT = {
    "filter": "No person has verified the questions: they are those that passed every automatic check.",
    "verified": "The questions are those that people verified.",
}


def render(name: str, numbers: Numbers, plots: Mapping[str, str]) -> str:
    """The card. plots: file name below `plots/` -> what it shows."""

    def plot(file: str) -> str:
        return f"![{plots[file]}](plots/{file})" if file in plots else ""

    parts: dict[str, str] = {
        "": _opening(name, numbers),
        "Tasks": _paragraphs(_tasks(numbers), plot("tasks.png"), plot("subtasks.png")),
        "Labels": _paragraphs(_labels(numbers), plot("labels.png")),
        "Languages": _paragraphs(_languages(numbers), plot("languages.png")),
        "Human verification": _verification(numbers),
        "Filters": process_card.filters(numbers),
        "Leakage": process_card.leaks(numbers),
        "Models and prompts": process_card.models(numbers),
        "Costs": process_card.costs(numbers),
        "Licences and sources": _origins(numbers),
        "How to use it": _use(numbers),
    }
    text = "\n\n".join(f"## {title}\n\n{part}" if title else part for title, part in parts.items() if part)
    return f"---\n{yaml.safe_dump(_metadata(name, numbers), sort_keys=False)}---\n\n{text}\n"


def _metadata(name: str, numbers: Numbers) -> dict[str, Any]:
    licences = sorted({one["licence"] for one in numbers["origins"] if one["licence"]})
    size = next((word for least, word in _SIZES if numbers["questions"] < least), "n>1M")
    spoken = {"language": sorted(numbers["languages"]["clips"])} if numbers["languages"].get("clips") else {}
    return {
        "pretty_name": name,
        "license": "other",
        "license_name": "; ".join(licences) or "unknown",
        **spoken,
        "task_categories": ["multiple-choice", "visual-question-answering"],
        "tags": ["emorealm", "emotion", "video", "audio", "benchmark"],
        "size_categories": [size],
        "configs": [{"config_name": "default", "data_files": [{"split": "test", "path": FILE}]}],
    }


def _opening(name: str, numbers: Numbers) -> str:
    return (
        f"# {name}\n\n{numbers['questions']:,} multiple-choice questions about {numbers['clips']:,} clips: which cues "
        f"of picture and sound explain an emotion. {_LOOKED_AT[numbers['stage']]} Made by `emorealm curate`, in the "
        "layout of EmoReAlM."
    )


def _tasks(numbers: Numbers) -> str:
    head = ["task", "asks", "questions", "clips", "right answers", "classifier on the text alone", "chance"]
    rows = [head]
    for task, about in numbers["tasks"].items():
        answers = ", ".join(f"{answer} {count:,}" for answer, count in about["answers"].items())
        alone = about["text_classifier"]
        shares = [_percent(alone["accuracy"]), _percent(alone["chance"])]
        rows.append([task, TASKS.get(task, ""), f"{about['questions']:,}", f"{about['clips']:,}", answers, *shares])
    rows.append(["all", "", f"{numbers['questions']:,}", f"{numbers['clips']:,}", "", "", ""])
    return table(rows)


def _labels(numbers: Numbers) -> str:
    parts = numbers["labels"]
    rows = [["label", "clips", "share", "share in the source"]]
    for label, share in parts["source"]["share"].items():
        count = parts["release"]["clips"].get(label, 0)
        rows.append([label, f"{count:,}", _percent(parts["release"]["share"].get(label, 0.0)), _percent(share)])
    return table(rows)


def _languages(numbers: Numbers) -> str:
    about = numbers["languages"]
    if not about:
        return ""
    told = about["told_by"]
    said = (
        f"Named by the captioner in {told.get('captioner', 0):,} clips, told from the transcript by py3langid in "
        f"{told.get('detector', 0):,} (which is unsure of a few words); nothing is said in "
        f"{told.get('nothing said', 0):,}."
    )
    rows = [["language", "clips"], *([language, f"{count:,}"] for language, count in about["clips"].items())]
    return _paragraphs(table(rows) if about["clips"] else "", said)


def _verification(numbers: Numbers) -> str:
    found = numbers["verification"]
    if not found:
        return ""
    head = ["task", "verified", "majority correct", "discrepancies", "final", "α of the answers"]
    rows = [head]
    for task, of in found["tasks"].items():
        alpha = of["alpha"]["answer"]
        counts = [of[name] for name in ("verified", "majority_correct", "discrepancies", "questions")]
        rows.append([task, *(f"{count:,}" for count in counts), "–" if alpha is None else f"{alpha:.2f}"])
    said = (
        f"{found['participants']:,} participants, {found['annotators']} or more for each question; "
        f"{len(found['excluded']):,} more were left out for failed checks. A question stays where more than half chose "
        "the keyed answer and no more than half found something wrong. α: Krippendorff's, nominal."
    )
    return _paragraphs(table(rows), said)


def _origins(numbers: Numbers) -> str:
    rows = [["source", "licence", "clips"]]
    rows += [
        [one["source"] or "unknown", one["licence"] or "unknown", f"{one['clips']:,}"] for one in numbers["origins"]
    ]
    said = "The clips' licences hold for what is made of them; questions name what is seen and heard there."
    return _paragraphs(table(rows), said)


def _use(numbers: Numbers) -> str:
    where = VIDEOS if numbers["clips_copied"] else "FOLDER_OF_THE_CLIPS"
    lines = [f"export EMOREALM_JSON={FILE} EMOREALM_VIDEOS={where}"]
    lines += ["emorealm eval --tasks emorealm --model avere --output_path runs --log_samples"]
    return "```bash\n" + "\n".join(lines) + "\n```"


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.1f}%"


def _paragraphs(*parts: str) -> str:
    return "\n\n".join(filter(None, parts))
