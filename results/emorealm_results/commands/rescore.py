"""`emorealm rescore`: a run's saved replies scored again without a model; descriptions may be judged again."""

import dataclasses
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from emorealm_results.console import output
from emorealm_results.rescore import narrow, scores
from emorealm_results.rescore.report import report
from emorealm_results.runs import descriptions as judged
from emorealm_results.runs import saved
from emorealm_tasks import settings
from emorealm_tasks.command_line import Parser
from emorealm_tasks.emotions import lexicon, words_of
from emorealm_tasks.judge import dispatch, live
from emorealm_tasks.metrics.description import MOST_UNJUDGED, unjudged

NOT_FINISHED = 3
"""Exit status while a batch of verdicts is under way."""
_JUDGES = tuple(name for name in settings.JUDGES if name != "later")


def main(argv: Sequence[str] | None = None) -> int:
    """Print a summary or write all scores; 2 when the judge fails, NOT_FINISHED while its batch is under way."""
    parser = _parser()
    arguments = parser.parse_args(argv)
    if not 0 < arguments.level < 1 or arguments.resamples < 1:
        parser.error("--level lies strictly between 0 and 1, --resamples is at least 1")
    current = settings.load()
    if arguments.judge_model:
        current = dataclasses.replace(current, judge_model=arguments.judge_model)
    run = saved.load(arguments.run_dir, arguments.questions)
    if (arguments.judge or arguments.estimate) and not run.descriptions.records:
        judged.load(arguments.run_dir)  # which stops and says how to get some
    if arguments.estimate:
        print("\n".join(judged.estimates(run.descriptions, current)))
        return 0
    status = _judge(run.descriptions, current, arguments.judge)
    words = words_of(lexicon.read(arguments.lexicon)) if arguments.lexicon else None
    bootstrap = scores.Bootstrap(arguments.resamples, arguments.seed, arguments.level)
    run_report = report(run, bootstrap, words)
    if arguments.json is None:
        print(narrow.render({arguments.run_dir.resolve().name: run_report}), end="")
    else:
        text = json.dumps(run_report, indent=2, ensure_ascii=False) + "\n"
        if str(arguments.json) == "-":
            print(text, end="")
        else:
            output.write(arguments.json, text)
    return status


def _judge(descriptions: judged.Descriptions, current: settings.Settings, mode: str | None) -> int:
    if mode is None:
        judged.add_cached(descriptions, current, [current.judge_model])
        return 0
    truths = [records[0]["truth"] is not None for records in descriptions.records.values()]
    dispatch.check(dataclasses.replace(current, judge=mode), any(truths))
    failures = judged.judge_again(descriptions, current, mode)
    for failure in failures:
        print(f"emorealm: {failure}", file=sys.stderr, flush=True)
    if failures:
        return 2
    name = live.name(current.judge_model)
    waits = (unjudged(records, name) for records in descriptions.records.values())
    return (
        NOT_FINISHED
        if mode == "batch" and any(unjudged_count > MOST_UNJUDGED * of for unjudged_count, of in waits)
        else 0
    )


def _parser() -> Parser:
    parser = Parser(prog="emorealm rescore", description=__doc__.splitlines()[0])
    parser.add_argument("run_dir", type=Path, metavar="RUN_DIR", help="the --output_path of a run with --log_samples")
    where = "write all scores there instead of a summary, - for stdout; emorealm leaderboard takes the file"
    parser.add_argument("--json", type=Path, metavar="OUT", help=where)
    parser.add_argument("--questions", type=Path, metavar="FILE",
                        help="emorealm_v1.json, to join a foreign or older run with by id")  # fmt: skip
    parser.add_argument("--lexicon", type=Path, metavar="FILE",
                        help="read emotions with these words: a YAML of emotion: {names: ..., signs: ...}")  # fmt: skip
    defaults = scores.Bootstrap()
    for name, kind, does in (
        ("level", float, "of the intervals of EmoReAlM's scores"),
        ("resamples", int, "of their bootstrap"),
        ("seed", int, "of their bootstrap"),
    ):
        parser.add_argument(f"--{name}", type=kind, default=getattr(defaults, name), help=f"{does} (%(default)s)")
    how = "judge the descriptions of emer again: ask now, by batch (run it again to collect), or by their true cues"
    parser.add_argument("--judge", choices=_JUDGES, help=how)
    parser.add_argument("--judge-model", metavar="NAME", help="instead of EMOREALM_JUDGE_MODEL")
    parser.add_argument("--estimate", action="store_true", help="only say what judging would take")
    return parser
