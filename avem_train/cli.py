"""The command `avem-train`: runs a training recipe, and lists the recipes that ship with the package."""

import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from avem_train import config, settings_help
from avem_train.backbones import loading
from avem_train.data import hub_files
from emorealm_tasks import versions
from emorealm_tasks.command_line import Parser, of_command, parsed
from emorealm_tasks.errors import ends_with_its_reader, stop
from emorealm_tasks.interruption import ends_when_interrupted
from emorealm_tasks.untrusted import brief
from model_adapters.base.hub import HUB_ID

if TYPE_CHECKING:
    from avem_train.dpo.settings import DpoSettings
    from avem_train.supervised.settings import SupervisedSettings


def _mini_base() -> "Program":
    from avem_train.nano import settings, train

    return settings.AvereBase, train.run


def _mini_emotion_llama() -> "Program":
    from avem_train.nano import settings, train

    return settings.EmotionLlamaBase, train.run


def _preference() -> "Program":
    from avem_train.dpo import settings

    return settings.DpoSettings, _train


def _train(settings: "DpoSettings") -> None:
    from avem_train.dpo import train

    train.run(settings)


def _supervised() -> "Program":
    from avem_train.supervised import settings

    return settings.SupervisedSettings, _train_supervised


def _train_supervised(settings: "SupervisedSettings") -> None:
    from avem_train.supervised import train

    train.run(settings)


def _look_ahead(content: Mapping[str, Any], records: str) -> None:
    """Stop at records or a model that are not there before torch is imported, which takes seconds."""
    data, model, evaluation = content.get("data"), content.get("model"), content.get("evaluation")
    held_out = evaluation.get("data") if isinstance(evaluation, dict) else None
    given = {"data": data if isinstance(data, list) else [data], "evaluation.data": [held_out]}
    for setting, file in [(setting, file) for setting, files in given.items() for file in files]:
        if file and isinstance(file, str) and not (hub_files.name(file) or Path(file).expanduser().exists()):
            stop(f"{brief(file)}: there is no such file; {setting}= names {records}")
    if isinstance(model, str) and not HUB_ID.fullmatch(model):
        loading.find(model)


def _study() -> "Program":
    from avem_train.study import program, settings

    return settings.Study, program.run


Program = tuple[Any, Callable[[Any], None]]
"""The dataclass of a program's settings, and what runs it."""
PROGRAMS: dict[str, Callable[[], Program]] = {
    "mini_base": _mini_base,
    "mini_emotion_llama": _mini_emotion_llama,
    "preference": _preference,
    "study": _study,
    "supervised": _supervised,
}
"""What a recipe's key `program` can name; each imports what it needs when it is called."""
_RECORDS = {"preference": "the preference records", "supervised": "files of conversations"}


def _settings(recipe: str) -> Iterator[str]:
    """What a recipe can set, as text. Stops where it cannot be read."""
    try:
        program, content = _read(recipe, [])
    except config.RecipeError as error:
        stop(str(error))
    return settings_help.lines(PROGRAMS[program]()[0], content)


def _read(recipe: str, overrides: list[str]) -> tuple[str, dict[str, Any]]:
    """A recipe's program and settings. Raises RecipeError."""
    content = config.read(recipe, overrides)
    program = content.pop("program", None)
    if not isinstance(program, str) or program not in PROGRAMS:
        known = ", ".join(PROGRAMS)
        raise config.RecipeError(f"the recipe's program must be one of {known}, got {brief(repr(program))}")
    return program, content


def _parser() -> Parser:
    parser = of_command("avem-train", __doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    run = verbs.add_parser("run", help="run a recipe", add_help=False)
    listing: dict[str, Any] = {
        "action": settings_help.HelpAction,
        "nargs": 0,
        "settings": _settings,
        "usual": "avem_dpo",
    }
    run.add_argument("-h", "--help", **listing, help="show this, and the settings of RECIPE")
    run.add_argument("recipe", help="a YAML file, or the name of a shipped recipe")
    run.add_argument(
        "overrides", nargs="*", metavar="key=value", help="settings to change, e.g. out=DIR optimiser.steps=10"
    )
    about = "train and examine every row of a table; `study NAME` runs study_NAME"
    study = verbs.add_parser("study", help=about, add_help=False)
    study.add_argument(
        "-h", "--help", **(listing | {"usual": "study_mini"}), help="show this, and the settings of NAME"
    )
    study.add_argument("recipe", metavar="NAME", type="study_{}".format, help="of the study; shipped is mini")
    study.add_argument(
        "overrides", nargs="*", metavar="key=value", help="e.g. sections=[main,table17] seeds=3 split=validation"
    )
    verbs.add_parser("list", help="list the shipped recipes")
    _add_data(verbs)
    return parser


def _add_data(verbs: Any) -> None:
    from avem_train.curation.export.layouts import LAYOUTS

    data = verbs.add_parser("data", help="training records in other trainers' layouts")
    actions = data.add_subparsers(dest="action", required=True, metavar="export")
    export = actions.add_parser("export", help="write preference records as another trainer's pairs")
    export.add_argument("records", type=Path, help="file of preference records")
    export.add_argument("--to", required=True, choices=LAYOUTS, help="the layout")
    export.add_argument("--out", type=Path, required=True, help="the file to write, JSON Lines")
    export.add_argument("--root", type=Path, help="folder that the records' paths count from (default: the file's)")


def _describe(path: str) -> str:
    with open(path, encoding="utf-8") as lines:
        return next(lines).lstrip("# ").strip()


@ends_with_its_reader
@ends_when_interrupted("what is finished or saved is kept: the same command goes on from there")
def main(argv: list[str] | None = None) -> int:
    """Run the command; returns the exit status, 2 for a recipe that cannot be used."""
    args = parsed(_parser(), sys.argv[1:] if argv is None else argv)
    versions.check()
    if args.verb == "list":
        for name, path in config.shipped().items():
            print(f"{name:20s} {_describe(str(path))}")
        return 0
    if args.verb == "data":
        from avem_train.curation.export import records

        records.write(args.records, args.root, args.to, args.out)
        return 0
    try:
        program, content = _read(args.recipe, args.overrides)
        if program in _RECORDS:
            _look_ahead(content, _RECORDS[program])
        settings, run = PROGRAMS[program]()
        run(config.from_mapping(settings, content))
    except config.RecipeError as error:
        print(f"avem-train: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
