"""Fig. 11 in miniature: a score against each hyperparameter, with intervals over seeds and clips."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

from emorealm_results.paper.layouts import GROUP
from emorealm_results.study.scores import Key, Score, StudyRow
from emorealm_tasks import files

_LINES = {
    "basic": ("Basic", "#7d8590"),
    "agree": ("Agree.", "#b7791f"),
    "stress": ("Stress", "#2a6fb0"),
    "spur": ("Spur.", "#2f855a"),
    "hall": ("Hall.", "#c2410c"),
}
_AXES = {"beta_vr": "beta_vr (beta_er = 1 − beta_vr)", "gamma_tpd": "gamma_TPD", "lambda_av": "lambda_av"}


def sweeps(points: Sequence[tuple[StudyRow, Mapping[Key, Score]]], path: Path) -> bool:
    """A panel for each axis that has two values or more; False where none has."""
    by_axis: dict[str, list[tuple[float, Mapping[Key, Score]]]] = {}
    for row, scores in points:
        if row.value is not None:
            by_axis.setdefault(row.axis, []).append((row.value, scores))
    panels = {
        axis: sorted(axis_points, key=lambda point: point[0])
        for axis, axis_points in by_axis.items()
        if len(axis_points) > 1
    }
    if not panels:
        return False
    figure, axes = plt.subplots(1, len(panels), figsize=(4.6 * len(panels), 4), sharey=True, squeeze=False)
    for panel, (axis, axis_points) in zip(axes[0], panels.items(), strict=True):
        for metric, (label, colour) in _LINES.items():
            metric_points = [(value, scores[GROUP, metric]) for value, scores in axis_points]
            metric_points = [
                (value, score) for value, score in metric_points if score.value is not None and score.low is not None
            ]
            values = [value for value, _ in metric_points]
            panel.plot(values, [score.value for _, score in metric_points], marker="o", ms=4, color=colour, label=label)
            low, high = [score.low for _, score in metric_points], [score.high for _, score in metric_points]
            panel.fill_between(values, low, high, color=colour, alpha=0.13, lw=0)
        panel.set(xlabel=_AXES.get(axis, axis), xticks=[value for value, _ in axis_points])
        panel.grid(axis="y", color="#e3e6ea", lw=0.7)
    axes[0][0].set_ylabel("percent")
    axes[0][-1].legend(frameon=False, fontsize=8)
    figure.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    with files.draft(path) as beside:
        figure.savefig(beside, dpi=110)
    plt.close(figure)
    return True
