"""The verb `curate`: from labelled clips to a benchmark, preference data and instruction data."""

from collections.abc import Sequence

from avem_train.config import RecipeError
from avem_train.curation import recipe
from emorealm_tasks.command_line import Parser, parsed
from emorealm_tasks.errors import stop


def main(argv: Sequence[str]) -> int:
    """Run the verb; returns the exit code."""
    args = parsed(_parser(), argv)
    if args.action == "list":
        return _list()
    overrides = [word for word in args.words if "=" in word]
    names = [word for word in args.words if "=" not in word]
    try:
        chosen = recipe.load(args.recipe, overrides)
    except RecipeError as error:
        stop(str(error))
    from avem_train.curation import estimate, pipeline

    if args.estimate:
        print(estimate.table(estimate.estimate(chosen, names)))
    else:
        pipeline.run(chosen, names)
    return 0


def _parser() -> Parser:
    parser = Parser(prog="emorealm curate", description=__doc__)
    actions = parser.add_subparsers(dest="action", required=True)
    run = actions.add_parser("run", help="run a recipe's stages, all or those named; goes on where it was stopped")
    run.add_argument("recipe", help="a YAML file, or the name of a recipe that is shipped")
    run.add_argument("words", nargs="*", metavar="STAGE | key=value", help="stages to run, and settings to change")
    run.add_argument("--estimate", action="store_true", help="ask nothing; say what it will take")
    actions.add_parser("list", help="list the recipes and the stages")
    return parser


def _list() -> int:
    from avem_train.curation.stages import STAGES

    for name, path in recipe.shipped().items():
        print(f"{name:14s} {path.read_text(encoding='utf-8').splitlines()[0].lstrip('# ')}")
    print(f"stages: {', '.join(STAGES)}")
    return 0
