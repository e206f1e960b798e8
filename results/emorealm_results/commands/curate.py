"""The verb `curate`: from labelled clips to a benchmark, preference data and instruction data."""

from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from avem_train.config import RecipeError
from avem_train.curation import recipe
from emorealm_tasks.command_line import Parser, parsed
from emorealm_tasks.errors import stop


def main(argv: Sequence[str]) -> int:
    """Run the verb; returns the exit code."""
    args = parsed(_parser(), argv)
    if args.action == "list":
        return _list()
    if args.action == "study":
        return _study(args.words)
    overrides = [word for word in args.words if "=" in word]
    names = [word for word in args.words if "=" not in word]
    try:
        chosen = recipe.load(args.recipe, overrides)
    except RecipeError as error:
        stop(str(error))
    if args.action == "export":
        return _export(chosen, args)
    if args.action == "grade":
        return _grade(chosen)
    from avem_train.curation import estimate, pipeline

    if args.estimate:
        print(estimate.table(estimate.estimate(chosen, names)))
    else:
        pipeline.run(chosen, names)
    return 0


def _grade(chosen: recipe.Recipe) -> int:
    """Print the grades of a recipe's output, and write `grades.json` into its folder."""
    from avem_train.curation import graded
    from emorealm_results.console.markdown import interval, table
    from emorealm_tasks import files

    found = graded.of_run(chosen)
    files.write_json(chosen.out / "grades.json", found)
    grades = [[name, interval(grade), str(grade["n"])] for name, grade in found["grades"].items()]
    print(table([["grade", "%", "of"], *grades]))
    if found["planted"]:
        fates = [
            [
                name,
                str(fate["planted"]),
                ", ".join(f"{stage} {n}" for stage, n in fate["caught"].items()),
                str(fate["left"]),
            ]
            for name, fate in found["planted"].items()
        ]
        print("\n" + table([["planted mistake", "planted", "caught by", "left"], *fates]))
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

    if args.rejected and (args.format == writing.AVEM or args.what != "preferences"):
        stop("--rejected picks the pairs of other trainers' preferences; leave it out here")
    rejected = tuple(args.rejected or writing.REJECTED[:2])
    export = writing.Export(args.what, args.format, args.out, rejected, args.parquet)
    writing.write(pipeline.path(chosen, args.what), chosen.root, export)
    return 0


def _parser() -> Parser:
    parser = Parser(prog="emorealm curate", description=__doc__)
    actions = parser.add_subparsers(dest="action", required=True)
    run = actions.add_parser("run", help="run a recipe's stages, all or those named; goes on where it was stopped")
    run.add_argument("recipe", help="a YAML file, or the name of a recipe that is shipped")
    run.add_argument("words", nargs="*", metavar="STAGE | key=value", help="stages to run, and settings to change")
    run.add_argument("--estimate", action="store_true", help="ask nothing; say what it will take")
    _add_export(actions)
    grade = actions.add_parser("grade", help="hold what a recipe made of the embedded world's clips against the truth")
    grade.add_argument("recipe", help="a YAML file, or the name of a recipe that is shipped")
    grade.add_argument("words", nargs="*", metavar="key=value", help="settings to change, as in the run")
    study = actions.add_parser("study", help="grades and gains by source of captions and rate of planted mistakes")
    study.add_argument("words", nargs="*", metavar="key=value", help="settings to change, e.g. seeds=3 split=test")
    actions.add_parser("list", help="list the recipes and the stages")
    return parser


def _add_export(actions: Any) -> None:
    from avem_train.curation.export import writing

    export = actions.add_parser("export", help="write preferences or instruction data in a trainer's layout")
    export.add_argument("recipe", help="a YAML file, or the name of a recipe that is shipped")
    export.add_argument("words", nargs="*", metavar="key=value", help="settings to change, as in the run")
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


def _list() -> int:
    from avem_train.curation.stages import STAGES

    for name, path in recipe.shipped().items():
        print(f"{name:14s} {path.read_text(encoding='utf-8').splitlines()[0].lstrip('# ')}")
    print(f"stages: {', '.join(STAGES)}")
    return 0
