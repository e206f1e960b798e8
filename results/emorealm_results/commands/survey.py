"""``emorealm survey``: what people say of captions (Section E.4, Table 16) and of questions (Sections 5.3 and B.2).

``export`` turns captions, questions or preference data into anonymised, shuffled, self-contained pages and the key that
undoes it; ``tally`` turns the answers that participants saved into the tables.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from emorealm_results.console import output, words
from emorealm_results.survey import (
    annotator_agreement,
    answers,
    counting_options,
    label_studio,
    preference,
    study,
    verification,
)
from emorealm_tasks.command_line import Parser, count
from emorealm_tasks.errors import stop

_FINISH = "Send the file to the person who gave you this page."
_TITLES = {
    "captions": "Emotions in short clips",
    "questions": "Are these questions about short clips right?",
    "preferences": "Are these answers about short clips right?",
}
_FOR_CAPTIONS = {"versions": "--versions"}
_FOR_QUESTIONS = {
    "per_page": "--per-page",
    "sample": "--sample",
    "check_questions": "--check-questions",
    "pretest": "--pretest",
    "label_studio": "--label-studio",
}


def main(argv: Sequence[str]) -> int:
    """The verb; returns 0."""
    arguments = _parser().parse_args(argv)
    return _export(arguments) if arguments.verb == "export" else _tally(arguments)


def _parser() -> Parser:
    parser = Parser(prog="emorealm survey", description="Export a user study or a verification, and tally its answers.")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="export|tally")
    exporting = verbs.add_parser("export", help="captions, questions or preference data -> pages and their key")
    source = exporting.add_mutually_exclusive_group(required=True)
    source.add_argument("--captions", type=Path, metavar="JSON", help=preference.FORM)
    source.add_argument("--questions", type=Path, metavar="JSON", help="to be verified, in EmoReAlM's layout")
    source.add_argument("--preferences", type=Path, metavar="JSONL", help="preference data whose responses to verify")
    out = "where the pages and their key go; another study's folder is refused"
    exporting.add_argument("--out", type=Path, required=True, metavar="DIR", help=out)
    where = "the folder that the clips lie below (default: that of the file; of questions: videos beside it)"
    exporting.add_argument("--clips", type=Path, metavar="DIR", help=where)
    subtitles_help = "clip or id -> subtitle, beside the field subtitle of captions and questions"
    exporting.add_argument("--subtitles", type=Path, metavar="JSON", help=subtitles_help)
    checks = "attention checks a page (1 for captions, else as many as --check-questions has, 2 at most)"
    exporting.add_argument("--checks", type=count(0), help=checks)
    seed = "of what is drawn and shuffled (%(default)s)"
    exporting.add_argument("--seed", type=count(0), default=0, help=seed)
    titles = "; ".join(f"{kind}: {text}" for kind, text in _TITLES.items())
    exporting.add_argument("--title", help=f"of the pages ({titles})")
    exporting.add_argument("--finish", default=_FINISH, metavar="TEXT", help="what to do with the saved file")
    captions = exporting.add_argument_group("captions")
    captions.add_argument("--versions", type=count(), help="pages, each with all clips in another order (1)")
    questions = exporting.add_argument_group("questions and preference data")
    questions.add_argument("--per-page", type=count(), help="questions a page (20); each stands on one page")
    questions.add_argument("--sample", type=count(), help="how many to verify, drawn by the seed (all)")
    pretest_help = "verified questions, in EmoReAlM's layout, clips as of --questions"
    questions.add_argument("--check-questions", type=Path, metavar="JSON", help=f"attention checks: {pretest_help}")
    questions.add_argument("--pretest", type=Path, metavar="JSON", help=f"what every page starts with: {pretest_help}")
    prefix = "write Label Studio's tasks and configuration too; PREFIX and a clip's path are its address there"
    questions.add_argument("--label-studio", metavar="PREFIX", help=prefix)
    counting = verbs.add_parser("tally", help="the participants' files -> the table")
    saved = "what the page's button saved (.csv), or Label Studio's JSON export (.json)"
    counting.add_argument("answers", type=Path, nargs="+", metavar="FILE", help=saved)
    counting_options.add(counting)
    counting.add_argument("--json", type=Path, metavar="OUT", help="write the numbers there too")
    return parser


def _export(arguments: argparse.Namespace) -> int:
    unread = _FOR_QUESTIONS if arguments.captions else _FOR_CAPTIONS
    if misplaced := [option for name, option in unread.items() if getattr(arguments, name) is not None]:
        kind = "--captions" if arguments.captions else "--questions or --preferences"
        stop(f"{misplaced[0]} has no meaning with {kind}; leave it out (see emorealm survey export --help)")
    exported = _preference(arguments) if arguments.captions else _verification(arguments)
    further = {}
    if arguments.label_studio is not None:
        tasks = label_studio.tasks(
            exported, study.key_of(exported)["study"], _folder(arguments), arguments.label_studio
        )
        further = {
            label_studio.TASKS: json.dumps(tasks, indent=1, ensure_ascii=False) + "\n",
            label_studio.CONFIG: label_studio.configuration(exported),
        }
    identity = study.write(exported, arguments.out, further)
    pages = words.counted(len(exported.versions), "page")
    print(f"{arguments.out}: study {identity}, {pages}; keep key.json: without it the answers cannot be read")
    return 0


def _preference(arguments: argparse.Namespace) -> study.Study:
    items = preference.read_items(arguments.captions, arguments.clips, arguments.subtitles)
    checks = 1 if arguments.checks is None else arguments.checks
    about = _about(arguments, "captions")
    return preference.study(items, versions=arguments.versions or 1, checks=checks, **about)


def _verification(arguments: argparse.Namespace) -> study.Study:
    clips, subtitles = _folder(arguments), arguments.subtitles
    if arguments.questions:
        items = verification.questions(arguments.questions, clips, subtitles)
    else:
        items = verification.responses(arguments.preferences, clips, subtitles)
    known = [
        verification.questions(path, clips) if path else [] for path in (arguments.check_questions, arguments.pretest)
    ]
    checks = min(2, len(known[0])) if arguments.checks is None else arguments.checks
    about = {"sample": arguments.sample} | _about(arguments, "questions" if arguments.questions else "preferences")
    return verification.study(items, *known, per_page=arguments.per_page or 20, checks=checks, **about)


def _about(arguments: argparse.Namespace, kind: str) -> dict[str, Any]:
    return {"seed": arguments.seed, "title": arguments.title or _TITLES[kind], "finish": arguments.finish}


def _folder(arguments: argparse.Namespace) -> Path:
    """The folder that the clips of questions or preference data lie below."""
    beside: Path = (arguments.questions or arguments.preferences).parent
    clips_folder: Path | None = arguments.clips
    return clips_folder or (beside / "videos" if arguments.questions else beside)


def _tally(arguments: argparse.Namespace) -> int:
    key = answers.load_key(arguments.key)
    study_answers = answers.read(arguments.answers, key, arguments.key)
    if key["kind"] == "preference":
        report = preference.tally(key, study_answers, arguments.max_failed)
        text = preference.render(report)
    else:
        report = annotator_agreement.tally(
            key, study_answers, arguments.max_failed, arguments.pretest_right, arguments.annotators
        )
        text = annotator_agreement.render(report)
    print(text, end="")
    if arguments.json:
        output.write(arguments.json, json.dumps(report, indent=2, ensure_ascii=False) + "\n")
    return 0
