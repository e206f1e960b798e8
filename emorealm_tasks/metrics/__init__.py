"""Pure scores and their intervals, in percent; each kind of task has its module."""

from emorealm_tasks.answers.task_names import SUBTASKS, TASKS
from emorealm_tasks.metrics.multiple_choice import (
    GROUP_SCORES,
    YES_NO_SCORES,
    Share,
    ablation_columns,
    accuracy,
    group_function,
    group_scores,
    harmonic_mean,
    score_function,
    shares,
    task_scores,
    yes_no_scores,
)
from emorealm_tasks.metrics.recognition import recall_scores, weighted_f1
from emorealm_tasks.metrics.types import Array, Flags, GivenMedia, QuestionFields, Record, ScoreFunction, Unread

__all__ = [
    "GROUP_SCORES",
    "SUBTASKS",
    "TASKS",
    "YES_NO_SCORES",
    "Array",
    "Flags",
    "GivenMedia",
    "QuestionFields",
    "Record",
    "ScoreFunction",
    "Share",
    "Unread",
    "ablation_columns",
    "accuracy",
    "group_function",
    "group_scores",
    "harmonic_mean",
    "recall_scores",
    "score_function",
    "shares",
    "task_scores",
    "weighted_f1",
    "yes_no_scores",
]
