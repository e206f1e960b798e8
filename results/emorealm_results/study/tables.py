"""The record of `avem-train study` as the paper's tables."""

from collections.abc import Mapping, Sequence
from typing import Any

from avem_train.study.arms import AVEM, BASE, MAD, SLOWER, Choices, noise, objectives, towards_plus, trials
from emorealm_results.compare.permutation_tests import LEVEL, holm
from emorealm_results.console.markdown import table
from emorealm_results.paper.layouts import GROUP, Column
from emorealm_results.study import scores as study_scores
from emorealm_results.study.paper import of_model
from emorealm_results.study.scores import PAPER_LAYOUTS, Key, Score, Scored, StudyRow
from emorealm_tasks.metrics import intervals

_TITLES = {
    "main": "Methods and ablations",
    "methods": "Methods",
    "objectives": "Methods, ablations, and objectives of the field",
    "table17": "Choices of the rejected media (Table 17)",
    "table18": "Choices of the rejected responses (Table 18)",
    "sweeps": "Hyperparameters (Fig. 11)",
    "choices": "Choices made on this world",
    "text_prior": "Which way text prior debiasing pushes",
    "trials": "Changes of the objective, each alone",
    "towards_plus": "What avem_plus is chosen from",
    "noise": "Rejected media by how much noise is on them",
}
_LAYOUTS = {
    "main": ("table3", "table5", "table14"),
    "objectives": ("table3", "table5", "table14"),
    "methods": ("table3", "table13", "table5"),
}
_AVERAGE = Column(GROUP, "accuracy", "Avg. Acc.")
_GROUP = (*PAPER_LAYOUTS["table5"].columns, _AVERAGE)
_ABLATIONS = ("w/o PMP", "w/o ERP", "w/o TPD")
_STEPS = [("Naive-DPO", "base"), ("Vista-DPO†", "Naive-DPO"), (AVEM, "Vista-DPO†")]
_FAMILIES = {
    "objectives": (
        [(arm.name, AVEM) for arm in objectives(Choices()) if arm.recipe and arm.name != AVEM]
        + [(name, "base") for name in ("contrastive decoding", MAD, AVEM)],
        ("hall", "accuracy"),
    )
}
"""Section -> the comparisons that were named before its world was looked at, and the scores that they are about."""
_PAIRS = {
    "methods": [*_STEPS, ("Vista-DPO†", "base"), (AVEM, "base"), (AVEM, "Naive-DPO")],
    "objectives": _FAMILIES["objectives"][0]
    + [(arm.name, SLOWER) for arm in objectives(Choices()) if arm.recipe and arm.name not in (AVEM, SLOWER)],
    "main": [
        ("contrastive decoding", "base"),
        *_STEPS,
        *((AVEM, ablation) for ablation in _ABLATIONS),
        *((name, "base") for name in ("Vista-DPO†", AVEM, *_ABLATIONS)),
    ],
    "trials": [(arm.name, "w/o TPD") for arm in trials(Choices())[2:]],
    "towards_plus": [(arm.name, AVEM) for arm in towards_plus(Choices())[2:]],
    "noise": [
        (arm.name, other)
        for arm in noise(Choices())[1:]
        if arm.name != (other := f"{arm.name.partition(',')[0]}, another emotion")
    ],
    "text_prior": [(f"gamma_tpd {gamma}", "gamma_tpd 0") for gamma in ("-0.5", "-0.2", "0.2", "0.5")],
}
"""Section -> the differences that the paper's order is about. Tables 17 and 18: AVEm-DPO's own choice, the last."""
_FLOORS = {"blind": "text alone", "shuffled": "another clip's media"}
_LOGS = {
    "logps/chosen": "log p(chosen)",
    "margins/yes_no": "yes/no margin",
    "accuracies/response": "response accuracy",
    "accuracies/media": "media accuracy",
    "tpd": "TPD",
    "gradient/letters": "letters' share of the gradient",
    "loss": "loss",
}
_DASH = "–"


def render(study_scores_of: Scored, figure: str = "") -> str:
    """The study as Markdown. figure: name of the sweeps' image beside it, "" = none."""
    study = study_scores_of.study
    blocks = [
        f"# The paper in miniature: {study['about']['split']} world, {study_scores_of.reading} reading",
        _about(study),
    ]
    for section in (name for name in _TITLES if name in study["sections"]):
        rows = study_scores.rows(study, section)
        if not rows:
            continue
        blocks.append(f"## {_TITLES[section]}")
        scores_of = {row.name: study_scores_of.row(row, "full") for row in rows}
        for layout in _LAYOUTS.get(section, ("table5",)):
            title = PAPER_LAYOUTS[layout].title if section in _LAYOUTS else ""
            columns = PAPER_LAYOUTS[layout].columns if section in _LAYOUTS else _GROUP
            blocks += [*([f"### {title}"] if title else []), _scores(rows, scores_of, columns)]
        blocks += _paired(study_scores_of, section, rows)
        if section in _LAYOUTS and all(
            set(_FLOORS) <= set(study["runs"][key]["scores"]) for row in rows for key in row.runs
        ):
            blocks += ["### Without the clip, and with another one", _floors(study_scores_of, rows)]
        blocks += ["### Trainings", _trainings(study, rows)]
        blocks += [f"![Fig. 11 in miniature]({figure})"] if section == "sweeps" and figure else []
    return "\n\n".join([*blocks, _legend(_paper_base(study))]) + "\n"


def _paper_base(study: Mapping[str, Any]) -> str:
    """The model that the rows' published numbers are about."""
    names = [row["published"].partition(" + ")[0] for rows in study["sections"].values() for row in rows]
    base = next(filter(None, names), BASE)
    return "AVERE-7B" if base == BASE else base


def _about(study: Mapping[str, Any]) -> str:
    about = study["about"]
    world, data = about["world"], about["preferences"]
    lines = [
        f"Base: {about['base']['name']} ({about['base']['fingerprint']}).",
        f"World: {len(study['questions']['id'])} questions about {world['clips']} clips, seed {world['seed']}.",
        f"Preferences: about {data['clips']} clips, {data['letters']:.0%} of the records answered by letter"
        f"{', drawn anew for each seed' if data.get('per_seed') else ''}.",
        f"Training, beyond the recipes: {_flat(about['training'])}.",
        "With " + ", ".join(" ".join(package) for package in about["versions"].items()) + ".",
    ]
    return "  \n".join(lines)


def _flat(content: Mapping[str, Any], prefix: str = "") -> str:
    parts = []
    for name, value in content.items():
        full_name = f"{prefix}{name}"
        parts.append(_flat(value, f"{full_name}.") if isinstance(value, Mapping) else f"{full_name} {value}")
    return ", ".join(filter(None, parts)) or "nothing"


def _scores(rows: Sequence[StudyRow], scores_of: Mapping[str, Mapping[Key, Score]], columns: Sequence[Column]) -> str:
    """Measured rows, then the paper's numbers of the same rows."""
    lines = [["row", "seeds", *(f"{column.label} [95%]" for column in columns)]]
    for row in rows:
        scores = scores_of[row.name]
        cells = [_cell(scores.get((column.task, column.metric))) for column in columns]
        lines.append([row.name, str(len(row.runs)), *cells])
    for row in rows:
        printed = of_model(row.published)
        paper_values = [printed.get((column.task, column.metric)) for column in columns]
        if any(cell is not None for cell in paper_values):
            lines.append(
                [f"paper: {row.name}", "", *(_DASH if cell is None else f"{cell:.1f}" for cell in paper_values)]
            )
    return table(lines)


def _paired(scores: Scored, section: str, rows: Sequence[StudyRow]) -> list[str]:
    """Differences of rows; the paper's own beside them."""
    row_of = {row.name: row for row in rows}
    last = rows[-1].name
    last_to_each = [(last, row.name) for row in rows[:-1]] if section in ("table17", "table18") else []
    pairs = [pair for pair in _PAIRS.get(section, last_to_each) if set(pair) <= set(row_of)]
    if not pairs:
        return []
    lines = [["difference", *(f"{column.label} [95%] (paper)" for column in _GROUP)]]
    for first, second in pairs:
        differences = scores.difference(row_of[first], row_of[second])
        printed = [of_model(row_of[name].published) for name in (first, second)]
        cells = []
        for column in _GROUP:
            key = column.task, column.metric
            paper_difference = printed[0][key] - printed[1][key] if all(key in one for one in printed) else None
            cells.append(
                _signed(differences[key]) + ("" if paper_difference is None else f" ({paper_difference:+.1f})")
            )
        lines.append([f"{first} − {second}", *cells])
    return ["### Paired differences", table(lines), *_family(scores, section, row_of)]


def _family(scores: Scored, section: str, row_of: Mapping[str, StudyRow]) -> list[str]:
    """The comparisons of a section's family, corrected for their number."""
    pairs, names = _FAMILIES.get(section, ([], ()))
    tested, chances = [], []
    for first, second in (pair for pair in pairs if set(pair) <= set(row_of)):
        differences = scores.difference(row_of[first], row_of[second])
        for name, score in ((name, differences[GROUP, name]) for name in names):
            if score.p is not None:
                tested.append([f"{first} − {second}", name, _signed(score), f"{score.p:.4f}"])
                chances.append(score.p)
    if not tested:
        return []
    labels = {column.metric: column.label for column in _GROUP if column.task == GROUP}
    lines = [["difference", "score", "points [95%]", "p", "p, Holm"]]
    for (pair, name, points, p), adjusted in zip(tested, holm(chances), strict=True):
        lines.append([pair, labels[name], points, p, f"**{adjusted:.4f}**" if adjusted <= LEVEL else f"{adjusted:.4f}"])
    count = f"{len(tested)} comparisons, named beforehand; p two-sided, over clips and seeds; Holm's method over all."
    return ["### The family of comparisons", table(lines), count]


def _floors(scored: Scored, rows: Sequence[StudyRow]) -> str:
    lines = [["row", "asked with", *(f"{column.label} [95%]" for column in _GROUP)]]
    for row in rows:
        for part, name in _FLOORS.items():
            scores = scored.row(row, part)
            lines.append([row.name, name, *(_cell(scores[column.task, column.metric]) for column in _GROUP)])
    return table(lines)


def _trainings(study: Mapping[str, Any], rows: Sequence[StudyRow]) -> str:
    """How the trainings went, means over seeds: first tenth of the steps -> last tenth."""
    in_logs = {name for row in rows for key in row.runs for name in study["runs"][key].get("log", ())}
    columns = {name: title for name, title in _LOGS.items() if name in in_logs}
    lines = [["row", "steps", "seconds", *columns.values(), "unparsed, %", "failed", "to come"]]
    for row in rows:
        runs = [study["runs"][key] for key in row.runs]
        trained = [run for run in runs if "log" in run]
        cells = [_DASH, _DASH] if not trained else [f"{_average(trained, key):.0f}" for key in ("steps", "seconds")]
        for name in columns:
            logged = [run["log"][name] for run in trained if name in run["log"]]
            ends = [f"{_average(logged, end):.2f}" for end in ("first", "last")] if logged else []
            cells.append(" → ".join(ends) or _DASH)
        rates = [task["unparsed_rate"] for run in runs for task in run["scores"]["full"]["strict"]["tasks"].values()]
        cells.append(f"{sum(rates) / len(rates):.1f}")
        lines.append([row.name, *cells, str(row.failed), str(row.missing)])
    return table(lines)


def _average(runs: Sequence[Mapping[str, float]], name: str) -> float:
    return sum(run[name] for run in runs) / len(runs)


def _cell(score: Score | None) -> str:
    if score is None or score.value is None:
        return _DASH
    if score.low is None:
        return f"{score.value:.1f}"
    spread = "" if score.spread is None else f" ± {score.spread:.1f}"
    return f"{score.value:.1f}{spread} [{score.low:.1f}, {score.high:.1f}]"


def _signed(score: Score) -> str:
    if score.value is None or score.low is None or score.high is None:
        return _DASH
    text = f"{score.value:+.1f} [{score.low:+.1f}, {score.high:+.1f}]"
    return f"**{text}**" if score.low > 0 or score.high < 0 else text


def _legend(base: str) -> str:
    level = f"{100 * intervals.LEVEL:.0f}%"
    return (
        f"Percent; means over seeds, ± standard deviation over seeds. Intervals: {level}, over clips and seeds: "
        f"{intervals.RESAMPLES} resamples, in which clips are drawn (jointly for all rows) and Student's t over the "
        "seeds is added; in differences the seeds are paired. A single run: the interval of its own table. Bold: the "
        "interval leaves out 0; nothing is corrected for "
        f"the number of differences looked at. paper: {base} on EmoReAlM. Avg. Acc.: unweighted over the five tasks. "
        "Trainings: means over the first and the last tenth of the steps; yes/no margin: log p of the right word minus "
        "the other's, where the chosen response begins with one; unparsed: replies without a clear answer, which count "
        "as wrong."
    )
