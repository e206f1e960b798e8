"""A scored run as Markdown tables whose columns also line up in a terminal."""

from collections.abc import Mapping, Sequence
from typing import Any

from emorealm_results.console import markdown
from emorealm_results.console.markdown import interval, value
from emorealm_results.runs.headers import title, when
from emorealm_results.runs.samples import FLOORS, FULL
from emorealm_tasks.mini.build.plan import CHANCE

NAMES = {
    "modality_agreement": "modality agreement",
    "reasoning_basic_audio": "reasoning basic, audio",
    "reasoning_basic_video": "reasoning basic, video",
    "reasoning_stress_audio": "stress test, audio",
    "reasoning_stress_video": "stress test, video",
    "no_hallucination": "- no hallucination",
    "spurious": "- spurious cue",
    "hallucination": "- hallucinated cue",
}
READINGS = {"strict": "strict", "official": "official", "official_lenient": "official, lenient"}
GROUP_COLUMNS = {
    "accuracy": "mean accuracy",
    "basic": "Basic",
    "agree": "Agree",
    "stress": "Stress",
    "spur": "Spur.",
    "hall": "Hall.",
}
LEGEND = (
    "All scores in percent. strict: as a careful reader reads the reply; official: as the released code scores it "
    "(a reply is right when the gold letter occurs in it). precision: right where the answer is yes; recall: right "
    "where it is no; F1: their harmonic mean. unparsed: replies without a clear answer; errors: no reply; missing: "
    "questions left out because their clip is missing or unusable. unparsed and errors count as wrong."
)
GROUP_LEGEND = (
    "mean accuracy: unweighted over the five tasks. Basic: mean accuracy of the two basic tasks; Agree: F1 of modality "
    "agreement; Stress: mean F1 of the two stress tests; Spur., Hall.: mean accuracy on those stress questions."
)
FLOOR_LEGENDS = {
    "blind": "blind: accuracy of the same model with the text alone",
    "shuffled": "shuffled: accuracy with the media of another clip of another emotion",
    "swap_audio": "swap_audio (snd.): accuracy with the sound of another clip of another answer",
    "swap_video": "swap_video (pic.): accuracy with the picture of another clip of another answer",
    "likelihood": "likelihood: accuracy when the most likely option counts as the answer",
}
TEXT_FLOOR_LEGEND = "text floor: what the best reader of the text alone can expect, exact by construction"


def render(report: Mapping[str, Any]) -> str:
    """The report of :func:`emorealm_results.rescore.scores.score` as Markdown, ending in a newline."""
    blocks = []
    for benchmark, parts in report["benchmarks"].items():
        blocks.append(f"# {benchmark}: {_model(report)}")
        floors = [floor for floor in FLOORS if floor in parts]
        level = f"{100 * report['interval']['level']:.0f}%"
        if FULL in parts:
            text_floor = CHANCE if benchmark == "emorealm_mini" else {}
            for reading in ("strict", "official"):
                table = _task_table(parts, floors, reading, level, text_floor)
                blocks += [f"## Tasks, {READINGS[reading]} reading", table]
        blocks += ["## Group", _group_table(parts, level)]
        blocks += [LEGEND, GROUP_LEGEND]
        legends = [FLOOR_LEGENDS[floor] for floor in floors]
        legends += [TEXT_FLOOR_LEGEND] if benchmark == "emorealm_mini" else []
        if legends:
            blocks.append("; ".join(legends) + ".")
    return "\n\n".join([*blocks, *_footer(report)]) + "\n"


def _task_table(
    parts: Mapping[str, Any], floors: Sequence[str], reading: str, level: str, text_floor: Mapping[str, float]
) -> str:
    header = ["task", "questions / clips", f"accuracy [{level}]", "precision", "recall", f"F1 [{level}]", "yes-rate"]
    rows = [[*header, "unparsed", "errors", "missing", *floors, *(["text floor"] if text_floor else [])]]
    for task, task_scores in parts[FULL]["tasks"].items():
        scores = task_scores["readings"][reading]
        floor_scores = [parts[floor]["tasks"].get(task, {}).get("readings", {}).get(reading, {}) for floor in floors]
        numbers = [interval(scores["accuracy"]), value(scores.get("precision")), value(scores.get("recall"))]
        numbers += [interval(scores.get("f1")), value(scores.get("yes_rate"))]
        floor_cells = [value(floor_score.get("accuracy")) for floor_score in floor_scores]
        floor_cells += [f"{text_floor[task]:.1f}"] if text_floor else []
        rows.append(
            [
                NAMES[task],
                _size(task_scores),
                *numbers,
                *_failures(task_scores),
                str(task_scores["missing"]),
                *floor_cells,
            ]
        )
        for subtask, counts in task_scores["subtasks"].items():
            cells = [NAMES[subtask], _size(counts), interval(scores[subtask]), *[""] * 4, *_failures(counts), ""]
            rows.append(
                [
                    *cells,
                    *[value(floor_score.get(subtask)) for floor_score in floor_scores],
                    *([""] if text_floor else []),
                ]
            )
    return markdown.table(rows)


def _group_table(parts: Mapping[str, Any], level: str) -> str:
    rows = [["asked", "reading", *(f"{name} [{level}]" for name in GROUP_COLUMNS.values())]]
    for part, part_scores in parts.items():
        for reading, name in READINGS.items():
            rows.append([part, name, *(interval(part_scores["group"][reading][column]) for column in GROUP_COLUMNS)])
    return markdown.table(rows)


def _footer(report: Mapping[str, Any]) -> list[str]:
    about = report["interval"]
    lines = [
        f"Intervals: {100 * about['level']:.0f}%, {about['method']} of {about['resamples']} resamples, in which clips "
        f"are drawn (over all tasks jointly for the group), seed {about['seed']}."
    ]
    for run in report["runs"].values():
        date = when(run)
        arguments = f" ({run['model_args']})" if run["model_args"] else ""
        versions = sorted({str(version) for version in run["task_versions"].values() if version is not None})
        parts = [f"{date}: {run['model']}{arguments}"]
        parts += [f"task version {', '.join(versions)}"] if versions else []
        parts += [f"commit {run['git_hash']}"] if run["git_hash"] else []
        lines.append(", ".join(parts) + ".")
        if run["limit"] is not None and run["limit"] > 0:  # -1 stands for no limit
            lines.append(f"**LIMITED RUN**: --limit {run['limit']:g} was used on {date}; not comparable to full runs.")
    lines.append("Scored with " + ", ".join(" ".join(package) for package in report["installed"].items()) + ".")
    return lines + [f"Note: {note}." for note in report["notes"]]


def _model(report: Mapping[str, Any]) -> str:
    return title(next(iter(report["runs"].values())))


def _size(counts: Mapping[str, Any]) -> str:
    return f"{counts['n']} / {counts['n_clips']}"


def _failures(counts: Mapping[str, Any]) -> list[str]:
    return [str(counts["unparsed"]), str(counts["errors"])]
