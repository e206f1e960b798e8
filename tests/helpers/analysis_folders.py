"""What `emorealm analyse page` writes of a swap whose numbers are known by hand."""

import run_folders
from emorealm_results.analyses import page as analyses_page
from emorealm_results.analyses import report
from emorealm_results.analyses.kinds import KINDS

ODDS = {"oo": 2.0, "ox": -1.0, "xo": 1.0, "xx": -2.0}
"""Log-likelihood of the right option where the others have 0: effects of the sound 3 and of the picture 1, so that the
index of questions about the sound is 1 / 4."""
TASK = "reasoning_basic_audio"


def scored(number, partner):
    """A question about the sound of clip `number`, in the four cells."""
    about = run_folders.record(TASK, number)
    others = len(about["choices"]) - 1
    gold = [choice[1] for choice in about["choices"]].index(about["gold"])
    conditions = {}
    for cell, odds in ODDS.items():
        scores = [0.0] * (others + 1)
        scores[gold] = odds
        conditions[cell] = {"gold": gold, "scores": scores} | ({"given": partner} if "x" in cell else {})
    fields = {name: about[name] for name in ("id", "clip", "task", "subtask")}
    return {**fields, "emotion": "", "error": "", "conditions": conditions}


def page(folder, *models, tasks=("emorealm",)):
    """The folder of a page with a swap of these models' arguments, two questions about two clips."""
    lines = [scored(0, "part_1/1.mp4"), scored(1, "part_1/0.mp4")]
    kind = KINDS["swap"]
    about = {"analysis": "swap", "model": "avere", "model_args": list(models), "tasks": list(tasks), "limit": 0,
             "seed": 1, "questions": 2, "failed": 0}  # fmt: skip
    found = {model: kind.report(lines) for model in models}
    work = folder / "work"
    work.mkdir(parents=True)
    report.write(work, about, found, kind.draw, {}, dict.fromkeys(models, lines))
    analyses_page.write([work], folder / "page")
    return folder / "page"
