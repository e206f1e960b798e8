"""Run folders as lmms-eval writes them: its own EvaluationTracker does the writing."""

import inspect

from lmms_eval.loggers.evaluation_tracker import EvaluationTracker

from emorealm_tasks.metrics import TASKS

FOUR = ["(A) Tears on the cheeks", "(B) A wide smile", "(C) A loud voice", "(D) A red hat"]
SUBTASKS = ("no_hallucination", "spurious", "no_hallucination", "hallucination")


def record(task, number, raw=None, **more):
    """Question `number` about clip `number`; yes/no answers alternate, and so do stress sub-tasks."""
    yes_no = "basic" not in task
    subtask = SUBTASKS[number % 4] if "stress" in task else ""
    gold = "AB"[number % 2]
    return {
        "id": f"{task}_{number}", "clip": f"part_1/{number}.mp4", "task": task, "subtask": subtask, "gold": gold,
        "choices": ["(A) Yes", "(B) No"] if yes_no else FOUR, "raw": gold if raw is None else raw, "error": "",
        "official": False, "official_lenient": False, "strict": "", "media": "unknown",
    } | more  # fmt: skip


def records(task, count=8):
    """Every fourth reply is wrong, the sixth is no answer and the eighth an error."""
    rows = [record(task, number) for number in range(count)]
    rows[0]["raw"], rows[5]["raw"] = "B", "Hard to say."
    rows[7] |= {"raw": "", "error": "out of memory"}
    return rows


def write(
    folder,
    tasks,
    *,
    date="20261121_101500",
    limit=None,
    missing=0,
    model="avere",
    pretrained="nano",
    asked=None,
    benchmark=None,
    weights="",
    zone="",
):
    """A run of tasks {lmms-eval name: records} under folder."""
    model_args = f"pretrained={pretrained}" if pretrained else ""
    tracker = EvaluationTracker(output_path=str(folder))
    tracker.general_config_tracker.log_experiment_args(model, model_args, "", "", False)
    samples = {
        name: [
            {"doc_id": i, "doc": {}, "doc_hash": "0", "target": row["gold"], "arguments": [["text"]],
             "resps": [[row["raw"]]], "filtered_resps": [row["raw"]],
             "emorealm_score": {"score": 1.0, "clip": row["clip"], "record": row}, "other": []}
            for i, row in enumerate(rows)
        ]
        for name, rows in tasks.items()
    }  # fmt: skip
    scores = {"emorealm_score,none": 1.0} | ({"questions_left_out,none": float(missing)} if missing else {})
    results = {
        "results": {name: {"alias": name, **scores} for name in tasks},
        "versions": dict.fromkeys(tasks, 1.0), "config": {"model": model, "model_args": model_args, "limit": limit},
        "git_hash": "abc123",
    }  # fmt: skip
    results |= {"weights": weights} if weights else {}
    results["config"] |= {"resolved_cli_args": {"timezone": zone}} if zone else {}
    results |= {"asked": dict.fromkeys(tasks, asked)} if asked else {}
    results |= {"benchmark": dict.fromkeys(tasks, benchmark)} if benchmark else {}
    save(tracker, results, samples, date)
    return folder


def save(tracker, results, samples, date):
    """As lmms-eval's own tracker does, though a test before may have let our plugin extend it in this process."""
    inspect.unwrap(EvaluationTracker.save_results_aggregated)(tracker, results, samples, date)
    for task, lines in samples.items():
        inspect.unwrap(EvaluationTracker.save_results_samples)(tracker, task, lines)


def whole(prefix="emorealm_mini"):
    return {f"{prefix}_{task}": records(task) for task in TASKS}
