"""The command `avem-train`: runs a training recipe, and lists the recipes that ship with the package."""

import sys
from collections.abc import Callable
from typing import Any

from avem_train import config
from emorealm_tasks import versions
from emorealm_tasks.command_line import Parser, of_command, parsed
from emorealm_tasks.errors import ends_with_its_reader
from emorealm_tasks.untrusted import brief


def _mini_base(content: dict[str, Any]) -> None:
    from avem_train.nano import train

    train.run(config.from_mapping(train.MiniBase, content))


def _preference(content: dict[str, Any]) -> None:
    from avem_train.dpo import settings
    from avem_train.dpo import train as dpo

    dpo.run(config.from_mapping(settings.Settings, content))


def _study(content: dict[str, Any]) -> None:
    from avem_train.study import program as study

    study.run(config.from_mapping(study.Study, content))


PROGRAMS: dict[str, Callable[[dict[str, Any]], None]] = {
    "mini_base": _mini_base,
    "preference": _preference,
    "study": _study,
}
"""What a recipe's key `program` can name."""


def _parser() -> Parser:
    parser = of_command("avem-train", __doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    run = verbs.add_parser("run", help="run a recipe")
    run.add_argument("recipe", help="a YAML file, or the name of a shipped recipe")
    run.add_argument(
        "overrides", nargs="*", metavar="key=value", help="settings to change, e.g. out=DIR stage.steps=10"
    )
    study = verbs.add_parser("study", help="train and examine every row of a table; `study NAME` runs study_NAME")
    study.add_argument("recipe", metavar="NAME", type="study_{}".format, help="mini")
    study.add_argument(
        "overrides", nargs="*", metavar="key=value", help="e.g. sections=[main,table17] seeds=3 split=validation"
    )
    verbs.add_parser("list", help="list the shipped recipes")
    return parser


def _describe(path: str) -> str:
    with open(path, encoding="utf-8") as lines:
        return next(lines).lstrip("# ").strip()


@ends_with_its_reader
def main(argv: list[str] | None = None) -> int:
    """Run the command; returns the exit status, 2 for a recipe that cannot be used."""
    args = parsed(_parser(), sys.argv[1:] if argv is None else argv)
    versions.check()
    if args.verb == "list":
        for name, path in config.shipped().items():
            print(f"{name:20s} {_describe(str(path))}")
        return 0
    try:
        content = config.read(args.recipe, args.overrides)
        program = content.pop("program", None)
        if not isinstance(program, str) or program not in PROGRAMS:
            known = ", ".join(PROGRAMS)
            raise config.RecipeError(f"the recipe's program must be one of {known}, got {brief(repr(program))}")
        PROGRAMS[program](content)
    except config.RecipeError as error:
        print(f"avem-train: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
