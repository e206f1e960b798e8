"""A saved run of recognition, as lmms-eval writes it."""

import json

from lmms_eval.loggers.evaluation_tracker import EvaluationTracker

import run_folders
from emorealm_tasks.benchmarks.recognition_rows import ask, row
from emorealm_tasks.harness import recognition

REPLIES = (
    ("anger", "angry"),
    ("anger", "hm"),
    ("sadness", "sad"),
    ("fear", "not happy but afraid"),
    ("neutral", "calm"),
)


def write(folder, tasks=("dfew",), limit=None):
    """A run's folder as lmms-eval writes it."""
    none_left = json.dumps({"missing": 0, "unreadable": 0, "soundless": 0, "questions": 0})
    samples = {}
    for task in tasks:
        asked = [row("dfew", str(n), gold, clip=f"{n}", video=f"/{n}.mp4") for n, (gold, _) in enumerate(REPLIES)]
        rows = ask(asked, "one_word")
        scored = [recognition.process_results({**one, "given_clip": one["clip"], "left_out": none_left}, [reply])
                  for one, (_, reply) in zip(rows, REPLIES, strict=True)]  # fmt: skip
        samples[task] = [
            {"doc_id": n, "doc": {}, "doc_hash": "0", "target": "", "arguments": [["text"]], "resps": [[""]],
             "filtered_resps": [""], "emotion_score": one["emotion_score"]}
            for n, one in enumerate(scored)
        ]  # fmt: skip
    tracker = EvaluationTracker(output_path=str(folder))
    tracker.general_config_tracker.log_experiment_args("avere", "pretrained=x", "", "", False)
    results = {task: {"alias": task, "questions_left_out,none": 2.0} for task in tasks}
    config = {"model": "avere", "model_args": "", "limit": limit}
    whole = {"results": results, "versions": {}, "config": config, "git_hash": ""}
    run_folders.save(tracker, whole, samples, "20261121_101500")
    return folder
