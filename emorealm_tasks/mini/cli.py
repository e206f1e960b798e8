"""The command `emorealm-mini`: builds the embedded benchmark, and draws a contact sheet of its clips."""

import argparse
import sys
from pathlib import Path

from emorealm_tasks import versions
from emorealm_tasks.command_line import Parser, count, of_command, parsed
from emorealm_tasks.errors import ends_with_its_reader, stop
from emorealm_tasks.interruption import ends_when_interrupted
from emorealm_tasks.mini.language.preferences import LETTERS
from emorealm_tasks.mini.world.sampling import SPLITS, TEST_CLIPS


def _parser() -> Parser:
    parser = of_command("emorealm-mini", __doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    build = verbs.add_parser("build", help="render clips and write their questions")
    build.add_argument(
        "--out", type=Path, help="folder (default: EMOREALM_MINI, else one named after split, clips, seed)"
    )
    build.add_argument("--split", choices=SPLITS, default="test", help="which of the worlds (%(default)s)")
    size = f"number of clips (default {TEST_CLIPS}: about 1,200 questions)"
    build.add_argument("--clips", type=count(), default=TEST_CLIPS, help=size)
    build.add_argument("--seed", type=count(0), default=0, help="of what is drawn (%(default)s)")
    letters = f"train split: preference records instead of instructions, a SHARE of them by letter (default {LETTERS})"
    build.add_argument("--preferences", type=float, nargs="?", const=LETTERS, metavar="SHARE", help=letters)
    one_cue = "with --preferences: rejected clips that differ in the one cue that an answer depends on"
    build.add_argument("--one-cue", action="store_true", help=one_cue)
    build.add_argument("--if-missing", action="store_true", help="do nothing where the folder holds just that")
    sheet = verbs.add_parser("sheet", help="draw clips, their sound and their questions as one PNG")
    sheet.add_argument("--data", type=Path, help="a built folder (default: where the emorealm_mini tasks look)")
    sheet.add_argument("--out", type=Path, required=True, help="PNG to write")
    sheet.add_argument("--clips", type=count(), default=6, help="how many are drawn (%(default)s)")
    return parser


@ends_with_its_reader
@ends_when_interrupted("the same command builds the folder anew")
def main(argv: list[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    args = parsed(_parser(), sys.argv[1:] if argv is None else argv)
    versions.check()
    from emorealm_tasks import settings

    if args.verb == "sheet":
        from emorealm_tasks.mini.build.contact_sheet import draw_sheet

        draw_sheet(args.data or settings.load().mini, args.out, args.clips)
        print(f"wrote {args.out}")
        return 0
    return _build(args)


def _build(args: argparse.Namespace) -> int:
    """The verb `build`; returns the exit status."""
    from emorealm_tasks import settings
    from emorealm_tasks.mini.build import record, split

    what = args.split, args.clips, args.seed, args.preferences, args.one_cue
    current = settings.load()
    standard = settings.standard_mini(current)
    default_folder = current.mini if current.mini != standard else standard.with_name(split.folder_name(*what))
    out = args.out or default_folder
    if args.if_missing and split.complete(out):
        if (existing := record.built_with(out)) != (requested := split.build_arguments(*what)):
            texts = [", ".join(f"{key} {value}" for key, value in about.items()) for about in (existing, requested)]
            stop(f"{out} holds another build ({texts[0]}) than {texts[1]}; name another folder with --out")
        if record.changed(out):
            stop(f"{out}: {record.CHANGED}")
        print(f"{out} is there already")
        return 0
    try:
        counts = split.build(out, *what)
    except ValueError as error:
        print(f"emorealm-mini: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(
            f"emorealm-mini: cannot write {out}: {error.strerror or error}; choose another folder with --out",
            file=sys.stderr,
        )
        return 2
    print(f"wrote {args.clips} clips to {out}")
    for task, number in sorted(counts.items()):
        print(f"  {task:26s} {number:5d} {'questions' if args.preferences is None else 'records'}")
    if args.split != "train" and out not in (current.mini, args.out):
        print(f"the emorealm_mini tasks ask it where EMOREALM_MINI={out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
