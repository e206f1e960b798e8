"""The verb `curate`: from labelled clips to a benchmark, preference data and instruction data."""

import dataclasses
import json
import os
import sys
from argparse import Namespace
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from avem_train.config import RecipeError
from avem_train.curation import recipe, recipe_help
from avem_train.settings_help import HelpAction
from emorealm_tasks.command_line import Parser, count, parsed
from emorealm_tasks.errors import stop

Act = Callable[[recipe.Recipe, Namespace], int]


def main(argv: Sequence[str]) -> int:
    """Run the verb; returns the exit code."""
    own, survey = _split(argv)
    args = parsed(_parser(), own)
    if args.action in ("list", "show"):
        print(recipe_help.text(args.recipe) if args.action == "show" else recipe_help.listing(), end="")
        return 0
    if args.action == "study":
        return _study(args.words)
    args.survey = survey
    overrides = [word for word in args.words if "=" in word]
    args.words = [word for word in args.words if "=" not in word]
    try:
        chosen = recipe.load(args.recipe, overrides)
    except RecipeError as error:
        stop(str(error))
    if args.words and not args.takes:
        stop(f"{args.words[0]!r} is not key=value; see emorealm curate {args.action} --help")
    if survey and args.act is not _verify_export:
        stop("what follows -- is for `emorealm survey export`; only `curate verify export` hands it on")
    act: Act = args.act
    return _unless_pending(act, chosen, args)


def _unless_pending(act: Act, chosen: recipe.Recipe, args: Namespace) -> int:
    """The act's status, or EX_TEMPFAIL where it waits for batches."""
    from avem_train.curation.pipeline import Pending

    try:
        return act(chosen, args)
    except Pending as pending:
        print(f"emorealm: {pending}", file=sys.stderr)
        return os.EX_TEMPFAIL


def _split(argv: Sequence[str]) -> tuple[Sequence[str], Sequence[str]]:
    """The verb's own arguments, and those after a lone "--"."""
    place = list(argv).index("--") if "--" in argv else len(argv)
    return argv[:place], argv[place + 1 :]


def _run(chosen: recipe.Recipe, args: Namespace) -> int:
    from avem_train.curation import estimate, pipeline

    names = args.words
    if args.estimate:
        clips = estimate.clips(chosen)
        print(estimate.table(estimate.estimate(chosen, names, clips), clips))
    else:
        pipeline.run(chosen, names, args.wait)
    return 0


def _plan(chosen: recipe.Recipe, args: Namespace) -> int:
    """Print what so many clips take, from what the recipe's run took."""
    from avem_train.curation import scale

    pilot = scale.measured(chosen)
    if args.json:
        print(json.dumps(dataclasses.asdict(pilot), indent=1))
    else:
        print(scale.markdown(scale.planned(pilot, args.clips), args.gpus, args.gpu_price, args.clip_mb), end="")
    return 0


def _grade(chosen: recipe.Recipe, args: Namespace) -> int:
    """Print the grades of a recipe's output, and write `grades.json` into its folder."""
    from avem_train.curation import graded
    from emorealm_results.study.curation import of_run
    from emorealm_tasks import files

    found = graded.of_run(chosen)
    files.write_json(chosen.out / "grades.json", found)
    print(of_run(found))
    return 0


def _study(words: list[str]) -> int:
    """Run the study, and write its page beside its record."""
    from avem_train.curation import study
    from emorealm_results.console import output
    from emorealm_results.study.curation import page
    from emorealm_tasks.untrusted import parse_json, read_bytes

    try:
        chosen = study.settings_from(words)
        study.run(chosen)
    except RecipeError as error:
        stop(str(error))
    records = {split: chosen.out / study.RECORD.format(split=split) for split in study.SPLITS}
    text = page({split: parse_json(read_bytes(path)) for split, path in records.items() if path.exists()})
    output.write(chosen.out / "README.md", text)
    print(text, end="")
    return 0


def _export(chosen: recipe.Recipe, args: Namespace) -> int:
    from avem_train.curation import pipeline
    from avem_train.curation.export import writing
    from avem_train.curation.release import sources

    if args.rejected and (args.format == writing.AVEM or args.what != "preferences"):
        stop("--rejected picks the pairs of other trainers' preferences; leave it out here")
    rejected = tuple(args.rejected or writing.REJECTED[:2])
    export = writing.Export(args.what, args.format, args.out, rejected, args.parquet)
    named = sources.latest(chosen, args.what, sources.VERIFIED_PREFERENCES) if args.what == "preferences" else args.what
    writing.write(pipeline.path(chosen, named), chosen.root, export)
    return 0


def _verify_export(chosen: recipe.Recipe, args: Namespace) -> int:
    from emorealm_results.commands import survey
    from emorealm_results.survey import curated
    from emorealm_tasks import files

    files.claim(args.out, "emorealm curate verify", "--out")
    for arguments in curated.prepare(chosen, args.out):
        survey.main([*arguments, *args.survey])
    return 0


def _verify_apply(chosen: recipe.Recipe, args: Namespace) -> int:
    from emorealm_results.survey import annotator_agreement, answers, curated

    if not args.words:
        stop("no answers; name the files that participants saved")
    key = answers.load_key(args.key)
    if key["kind"] != "verification":
        stop(f"{args.key}: is the key of another kind of study; name one that verify export wrote")
    given = answers.read([Path(word) for word in args.words], key, args.key)
    report = annotator_agreement.tally(key, given, args.max_failed, args.pretest_right, args.annotators)
    path = curated.apply(chosen, key, report)
    print(annotator_agreement.render(report), end="")
    print(f"{path}: what was verified; what was not stands with its reason in the rejects beside it", file=sys.stderr)
    return 0


def _release(chosen: recipe.Recipe, args: Namespace) -> int:
    from avem_train.curation.release import writing

    writing.write(chosen, args.out, args.with_clips)
    return 0


def _leaks(chosen: recipe.Recipe, args: Namespace) -> int:
    from avem_train.curation.leakage import collections, reports, search
    from avem_train.curation.release import process_card

    others = {str(path): collections.read(path, args.clips) for path in args.against}
    mine = collections.of_recipe(chosen)
    try:
        found = {name: search.search(mine, other, chosen.out / reports.PRINTS) for name, other in others.items()}
        reports.add(chosen.out, found)
    except OSError as error:
        stop(f"{error.filename or chosen.out}: {error.strerror or error}; the same command goes on")
    print(process_card.leak_table(found))
    print(f"{chosen.out / reports.FILE}: every pair", file=sys.stderr)
    return 0


def _frames(chosen: recipe.Recipe, args: Namespace) -> int:
    from avem_train.curation.frames import likeness, references, study
    from emorealm_results.console import output

    models = likeness.Models(args.sbert, args.bertscore, args.bertscore_layer)
    report = study.run(chosen, args.frames, references.read(args.reference), likeness.Comparer(models))
    report |= {"reference": str(args.reference), "models": dataclasses.asdict(models)}
    text = study.markdown(report)
    output.write(chosen.out / "frames.json", json.dumps(report, indent=1) + "\n")
    output.write(chosen.out / "frames.md", text)
    print(text, end="")
    return 0


def _parser() -> Parser:
    parser = Parser(prog="emorealm curate", description=__doc__)
    actions = parser.add_subparsers(dest="action", required=True)
    what = "run a recipe's stages, all or those named; goes on where it was stopped"
    run = _add(actions, "run", _run, what, "STAGE", add_help=False)
    listing = {"action": HelpAction, "nargs": 0, "settings": recipe_help.settings, "usual": "own_clips"}
    run.add_argument("-h", "--help", **listing, help="show this, and the settings of RECIPE")
    run.add_argument("--estimate", action="store_true", help="ask nothing; say what it will take")
    run.add_argument("--wait", action="store_true", help="wait for batches instead of leaving with status 75")
    _add_plan(actions)
    _add_export(actions)
    _add_verify(actions)
    _add_leaks(actions)
    release = _add(actions, "release", _release, "write the benchmark with its data card, plots and numbers")
    release.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write")
    release.add_argument("--with-clips", action="store_true", help="copy the clips too, if their licences allow it")
    _add_frames(actions)
    _add(actions, "grade", _grade, "hold what a recipe made of the embedded world's clips against the truth")
    study = actions.add_parser("study", help="grades and gains by source of captions and rate of planted mistakes")
    study.add_argument("words", nargs="*", metavar="key=value", help="settings to change, e.g. seeds=3 split=test")
    actions.add_parser("list", help="list the recipes with their files, and the stages")
    show = actions.add_parser("show", help="print a recipe with its comments, to begin one of your own")
    show.add_argument("recipe", help="a YAML file, or the name of a recipe that is shipped")
    return parser


def _add(actions: Any, name: str, act: Act, what: str, takes: str = "", **more: Any) -> Any:
    """The parser of an action on a recipe. takes: what its words may be beside settings."""
    parser = actions.add_parser(name, help=what, **more)
    parser.add_argument("recipe", help="a YAML file, or the name of a recipe that is shipped")
    words = f"{takes} | key=value" if takes else "key=value"
    parser.add_argument("words", nargs="*", metavar=words, help="settings to change, as `run RECIPE --help` lists them")
    parser.set_defaults(act=act, takes=takes)
    return parser


def _add_plan(actions: Any) -> None:
    plan = _add(actions, "plan", _plan, "what many clips will take, from what a run of the recipe over a few took")
    plan.add_argument("--clips", type=count(), default=1_000_000, metavar="N", help="how many (%(default)s)")
    plan.add_argument("--gpus", type=count(), default=8, metavar="N", help="that work side by side (%(default)s)")
    plan.add_argument("--gpu-price", type=float, default=3.99, metavar="DOLLARS", help="of a GPU's hour (%(default)s)")
    plan.add_argument("--clip-mb", type=float, default=1.0, metavar="MB", help="megabytes of a clip (%(default)s)")
    plan.add_argument("--json", action="store_true", help="what the run took, as JSON")


def _add_verify(actions: Any) -> None:
    from emorealm_results.survey import counting_options

    verify = actions.add_parser("verify", help="have people verify questions and preferences")
    verbs = verify.add_subparsers(dest="verb", required=True, metavar="export|apply")
    export = _add(verbs, "export", _verify_export, "pages for people; what follows -- goes to `emorealm survey export`")
    export.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder of the pages and their key")
    apply = _add(verbs, "apply", _verify_apply, "their answers -> verified rows, the others as rejects", "ANSWERS")
    counting_options.add(apply)


def _add_leaks(actions: Any) -> None:
    leaks = _add(actions, "leaks", _leaks, "look for the recipe's clips and questions in other datasets")
    kinds = "questions (.json), a folder of clips, or another recipe (.yaml); may be repeated"
    leaks.add_argument("--against", type=Path, required=True, action="append", metavar="PATH", help=kinds)
    below = "the folder that the clips of questions lie below (default: videos beside them)"
    leaks.add_argument("--clips", type=Path, metavar="DIR", help=below)


def _add_frames(actions: Any) -> None:
    from avem_train.curation.frames.likeness import Models

    usual = Models()
    frames = _add(actions, "frames", _frames, "captions with more and more frames against references (Table 8)")
    counts = "how many frames a caption is made of, several numbers (all of these)"
    frames.add_argument("--frames", type=_counts, default=(1, 2, 4, 8, 16), metavar="1,2,4,8,16", help=counts)
    kinds = "descriptions: a CSV file with the columns name and reason, or the embedded world's cues.json"
    frames.add_argument("--reference", type=Path, required=True, metavar="FILE", help=kinds)
    model = "a model of the hub or a folder (default: %(default)s)"
    frames.add_argument("--sbert", default=usual.sbert, metavar="MODEL", help=model)
    frames.add_argument("--bertscore", default=usual.bertscore, metavar="MODEL", help=model)
    layer = "its layer that is compared; a folder needs one (default: the library's choice)"
    frames.add_argument("--bertscore-layer", type=count(), default=usual.layer, metavar="N", help=layer)


def _counts(text: str) -> tuple[int, ...]:
    """`1,2,4` as numbers, each once, in order."""
    return tuple(sorted({count()(part) for part in text.split(",")}))


def _add_export(actions: Any) -> None:
    from avem_train.curation.export import writing

    export = _add(actions, "export", _export, "write preferences or instruction data in a trainer's layout")
    export.add_argument("--what", choices=writing.WHAT, default=writing.WHAT[0], help="default: %(default)s")
    export.add_argument("--format", choices=writing.FORMATS, default=writing.AVEM, help="default: %(default)s")
    export.add_argument("--out", type=Path, required=True, help="the file to write")
    export.add_argument(
        "--rejected",
        action="append",
        choices=writing.REJECTED,
        help="make pairs with this kind; may be repeated (default: the first two); avem records hold all kinds",
    )
    export.add_argument("--parquet", action="store_true", help="write Parquet instead of JSON Lines")
