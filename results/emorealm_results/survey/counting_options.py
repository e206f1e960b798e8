"""The options that say whose answers to a study count, the same wherever answers are counted."""

import argparse
from pathlib import Path

from emorealm_tasks.command_line import count


def add(parser: argparse.ArgumentParser) -> None:
    """Add `--key`, `--max-failed`, `--pretest-right` and `--annotators` to a verb's options."""
    parser.add_argument("--key", type=Path, required=True, help="key.json of the export")
    parser.add_argument("--max-failed", type=count(0), default=0, help="failed checks that still count (%(default)s)")
    able = "right answers in the pre-test that a participant needs (%(default)s)"
    parser.add_argument("--pretest-right", type=count(0), default=0, help=able)
    enough = "annotators that a verified question has at least (%(default)s)"
    parser.add_argument("--annotators", type=count(), default=3, help=enough)
