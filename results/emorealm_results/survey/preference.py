"""A user study of captions (Section E.4): which model's caption is chosen. Captions -> pages; answers -> Table 16."""

import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from string import ascii_uppercase
from typing import Any

import numpy as np

from emorealm_results.console.markdown import table
from emorealm_results.console.words import counted
from emorealm_results.survey import answers as of_participants
from emorealm_results.survey import clips
from emorealm_results.survey.study import CHECK, OPTIONS, QUESTION, Item, Study
from emorealm_tasks.errors import stop
from emorealm_tasks.metrics import intervals
from emorealm_tasks.untrusted import brief, clean, read_json

QUESTIONS = {
    "best_emotion": "Which caption describes the emotional state of the person best?",
    "best_association": "Which caption connects the emotion best with what can be seen and heard?",
    "most_inconsistent": "Which caption fits the clip worst (most that is wrong or not there)?",
}
"""The three questions of Section E.4, by the metric of the published tables."""
CHECK_CAPTION = "This is a check of attention: please choose this caption in all three questions."
INTRO = "Watch each clip with sound, read the captions, and answer the three questions. Captions are in random order."
FORM = 'a list of {"id": ..., "clip": "path of an mp4", "captions": {"model": "text", ...}}, "subtitle" if you like'
_HEADS = {"best_emotion": "Emot. (best)", "best_association": "Assoc. (best)", "most_inconsistent": "Incons. (worst)"}


def read_items(path: Path, folder: Path | None = None, subtitles: Path | None = None) -> list[dict[str, Any]]:
    """Clips and their captions: ``id``, ``clip`` (a Clip), ``captions`` by model, ``subtitle``.

    Clips are video or sound below ``folder``, by default the file's own, where relative ones are looked for: a page
    shows everybody what is in them. All items have the same models, at least two. Stops at a malformed item.
    """
    items = read_json(path, list, f"it needs {FORM}")
    if not items:
        stop(f"{path}: needs {FORM}")
    rows = []
    for position, item in enumerate(items):
        if not isinstance(item, dict) or not isinstance(item.get("captions"), dict) or {"id", "clip"} - set(item):
            stop(f"{path}: item {position} is no {FORM[len('a list of ') :]}")
        captions, where = item["captions"], f"{path}: item {brief(item['id'])!r}"
        if not all(isinstance(text, str) for text in captions.values()):
            stop(f"{where}: its captions are model -> text")
        clip = clips.find(path.parent if folder is None else folder, item["clip"], where)
        rows.append({"id": clean(str(item["id"])), "clip": clip, "captions": captions})
    models = sorted(rows[0]["captions"])
    if not 2 <= len(models) <= len(ascii_uppercase):
        stop(f"{path}: item {rows[0]['id']!r} has captions of {counted(len(models), 'model')}; 2 to 26 can be compared")
    if odd := [row["id"] for row in rows if sorted(row["captions"]) != models]:
        stop(f"{path}: items {', '.join(odd[:5])} lack captions of some of {', '.join(models)}")
    if len({row["id"] for row in rows}) < len(rows):
        stop(f"{path}: two items have the same id")
    subtitle_of = clips.subtitles(subtitles, items, "clip")
    return [row | {"subtitle": subtitle_of.get(row["id"], "")} for row in rows]


def study(
    items: Sequence[Mapping[str, Any]], *, versions: int, checks: int, seed: int, title: str, finish: str
) -> Study:
    """The study of what :func:`read_items` gives, each of its versions shuffled anew."""
    return Study(
        kind="preference",
        seed=seed,
        title=title,
        intro=INTRO,
        finish=finish,
        questions={name: {"wording": wording, "choices": OPTIONS} for name, wording in QUESTIONS.items()},
        versions={str(version): shuffle(items, version, checks, seed) for version in range(1, versions + 1)},
        hidden={"models": sorted(items[0]["captions"])},
    )


def shuffle(items: Sequence[Mapping[str, Any]], version: int, checks: int, seed: int) -> list[Item]:
    """One page's items in their order, with ``shown`` (letter -> model) for the key.

    ``checks`` items, spread over the page, show a caption that says what to choose; its model is "" and its letter the
    item's answer. The same seed and version give the same page.
    """
    draw = random.Random(f"{seed}/{version}")
    order = draw.sample(list(items), len(items))
    models = sorted(items[0]["captions"])
    lettered = []
    for item in order:
        names = draw.sample(models, len(models))
        lettered.append((item, dict(zip(ascii_uppercase, names, strict=False)), ""))
    for item, shown, _ in draw.sample(lettered, min(checks, len(lettered))):
        letter = draw.choice(list(shown))
        lettered.insert(draw.randint(1, len(lettered)), (item, shown | {letter: ""}, letter))
    return [
        Item(
            id=item["id"],
            clip=item["clip"],
            options={letter: item["captions"][model] if model else CHECK_CAPTION for letter, model in shown.items()},
            subtitle=item["subtitle"],
            role=CHECK if attention else QUESTION,
            answer=attention,
            hidden={"shown": shown},
        )
        for item, shown, attention in lettered
    ]


def tally(key: Mapping[str, Any], answers: Sequence[Mapping[str, str]], max_failed: int = 0) -> dict[str, Any]:
    """Shares in percent: ``questions[question][model]`` = ``{"value", "low", "high"}``, and who counted.

    A participant who failed more than ``max_failed`` attention checks is left out. The shares of a question sum to 100.
    """
    left_out = of_participants.excluded(key, answers, max_failed, 0)
    votes = []
    for answer in answers:
        item = key["versions"][answer["version"]][answer["item"]]
        if item["role"] == QUESTION and answer["participant"] not in left_out:
            of = {name: answer[name] for name in ("participant", "question")}
            votes.append(of | {"item": item["id"], "model": item["shown"][answer["choice"]]})
    questions = {}
    for question in key["questions"]:
        of_question = [vote for vote in votes if vote["question"] == question]
        questions[question] = _shares(of_question, key["models"]) if of_question else {}
    return {
        "study": key["study"],
        "participants": len({vote["participant"] for vote in votes}),
        "clips": len({vote["item"] for vote in votes}),
        "excluded": left_out,
        "votes": len(votes),
        "models": list(key["models"]),
        "questions": questions,
        "interval": {"level": intervals.LEVEL, "method": "exact, with an effective number of answers: the wider of "
                     "that over participants and that over clips"},
    }  # fmt: skip


def _shares(votes: Sequence[Mapping[str, str]], models: Sequence[str]) -> dict[str, dict[str, float | None]]:
    """Intervals take as independent whichever is fewer in effect: participants with their tastes, or clips."""
    clusters = [[vote[name] for vote in votes] for name in ("participant", "item")]
    shares: dict[str, dict[str, float | None]] = {}
    for model in models:
        chosen = np.array([vote["model"] == model for vote in votes])
        low, high = intervals.wider(*(intervals.share(chosen, of) for of in clusters))
        shares[model] = {"value": 100 * float(chosen.mean()), "low": low, "high": high}
    return shares


def render(report: Mapping[str, Any]) -> str:
    """The layout of Table 16, with intervals."""
    level = f"{100 * report['interval']['level']:.0f}%"
    rows = [["model", *(f"{_HEADS.get(name, name)} [{level}]" for name in report["questions"])]]
    for model in report["models"]:
        cells = [shares.get(model) for shares in report["questions"].values()]
        rows.append(
            [model, *("–" if c is None else f"{c['value']:.1f}% [{c['low']:.1f}, {c['high']:.1f}]" for c in cells)]
        )
    counts = ", ".join(counted(report[f"{noun}s"], noun) for noun in ("participant", "clip"))
    lines = [
        f"Study {report['study']}: {counts}, {counted(report['votes'], 'answer')}. "
        f"Intervals: {level}, {report['interval']['method']}."
    ]
    return "\n\n".join([table(rows), *lines, *of_participants.exclusions(report["excluded"])]) + "\n"
