"""What was tested with what: records of test runs in `results/tested/`, and the README's table of them.

    python -m emorealm_results.tested record --report build/tests --lock dev --out results/tested/NAME.json
    python -m emorealm_results.tested table
    python -m emorealm_results.tested changes locks/dev.txt build/newest/versions.txt

`record` reads what `make test REPORT=FOLDER` left (JUnit XML, coverage) and the versions in this environment; `table`
writes the table anew; `changes` lists the versions of `pip freeze` that differ from a lock's, as Markdown.
"""

import argparse
import datetime
import json
import platform
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from emorealm_results.console import markdown, output
from emorealm_tasks import files
from emorealm_tasks.errors import stop
from emorealm_tasks.schemas import require
from emorealm_tasks.untrusted import read_json
from emorealm_tasks.versions import installed

ROOT = Path(__file__).resolve().parents[2]
RECORDS = ROOT / "results" / "tested"
PAGE = ROOT / "README.md"
BEGIN, END = "<!-- tested: made by python -m emorealm_results.tested table -->", "<!-- end of tested -->"
LIBRARIES = ("lmms-eval", "transformers", "torch", "vllm")
_HEAD = (
    "Python",
    "platform",
    "installed from",
    *LIBRARIES,
    "tests",
    "passed / failed / skipped",
    "lines covered",
    "date",
)


def record(report: Path, lock: str, today: datetime.date) -> dict[str, Any]:
    """The record of one test run in this environment; counts from `report`/junit.xml, coverage where it was measured.

    `lock` is the name of the lock it was installed from, "newest" without one. Ends with status 2 without a report.
    """
    junit, coverage = report / "junit.xml", report / "coverage.json"
    try:
        report_of_all = ElementTree.parse(junit).getroot()
    except (OSError, ElementTree.ParseError) as error:
        stop(f"{junit}: no report of tests ({error}); run make test REPORT={report}")
    total = {"tests": 0, "failures": 0, "errors": 0, "skipped": 0}
    for suite in report_of_all.iter("testsuite"):
        for key in total:
            total[key] += int(suite.get(key, "0"))
    failed = total["failures"] + total["errors"]
    covered = None
    if coverage.exists():
        measured = read_json(coverage, dict, "measure the coverage again")
        require(coverage, measured, {"totals": {"percent_covered": float}}, "measure the coverage again")
        covered = measured["totals"]["percent_covered"]
    return {
        "date": today.isoformat(),
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "lock": lock,
        "whole": any("end_to_end" in case.get("classname", "") for case in report_of_all.iter("testcase")),
        "versions": {name: installed(name) for name in LIBRARIES},
        "passed": total["tests"] - failed - total["skipped"],
        "failed": failed,
        "skipped": total["skipped"],
        "covered": covered,
    }


def render(records: Iterable[Mapping[str, Any]]) -> str:
    """The records as a Markdown table, oldest Python first."""
    rows = [_HEAD]
    for each in sorted(records, key=lambda each: ([int(n) for n in each["python"].split(".")], each["lock"])):
        versions = [each["versions"].get(name) or "–" for name in LIBRARIES]
        counts = f"{each['passed']} / {each['failed']} / {each['skipped']}"
        covered = "–" if each["covered"] is None else f"{each['covered']:.0f}%"
        source = "no lock" if each["lock"] == "newest" else f"locks/{each['lock']}.txt"
        tests = "all" if each["whole"] else "unit, golden"
        rows.append((each["python"], each["platform"], source, *versions, tests, counts, covered, each["date"]))
    return markdown.table(rows)


def read(folder: Path = RECORDS) -> list[dict[str, Any]]:
    """Every kept record."""
    return [read_json(path, dict, "make it again with `record`") for path in files.matching(folder, "*.json")]


def put_in(page: str, table: str) -> str:
    """`page` with the table between its two marks; ends with status 2 where they are missing."""
    if BEGIN not in page or END not in page:
        stop(f"{PAGE}: the marks {BEGIN} and {END} are not there; put them where the table belongs")
    page_start, page_rest = page.split(BEGIN, 1)
    return f"{page_start}{BEGIN}\n{table}\n{END}{page_rest.split(END, 1)[1]}"


def pins(text: str) -> dict[str, list[str]]:
    """Name -> versions of every `name==version` that starts a line of a lock or of `pip freeze`.

    A lock may hold several versions of one library, for several Pythons.
    """
    versions: dict[str, list[str]] = {}
    for name, version in re.findall(r"(?m)^([A-Za-z0-9._-]+)==([^\s;\\]+)", text):
        versions.setdefault(re.sub(r"[-_.]+", "-", name).lower(), []).append(version)
    return versions


def changes(lock: Mapping[str, list[str]], installed: Mapping[str, list[str]]) -> str:
    """Markdown lines: which versions differ from the lock's, and what is new; what only the lock has is left out."""
    lines = []
    for name, (version, *_) in sorted(installed.items()):
        if name not in lock:
            lines.append(f"- {name} {version} is new")
        elif version not in lock[name]:
            lines.append(f"- {name} {' or '.join(lock[name])} -> {version}")
    return "\n".join(lines) or "No version differs from the lock."


def main(argv: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m emorealm_results.tested", description=__doc__.splitlines()[0])
    verbs = parser.add_subparsers(dest="verb", required=True)
    noted = verbs.add_parser("record", help="note a run of the tests")
    noted.add_argument("--report", type=Path, required=True, help="the REPORT folder of make test")
    noted.add_argument("--lock", required=True, help="what was installed: dev, vllm, newest")
    noted.add_argument("--out", type=Path, required=True, help="JSON to write")
    verbs.add_parser("table", help="write the README's table anew")
    differ = verbs.add_parser("changes", help="versions that differ from a lock")
    differ.add_argument("lock", type=Path)
    differ.add_argument("versions", type=Path, help="what pip freeze printed")
    arguments = parser.parse_args(argv)
    if arguments.verb == "record":
        report = record(arguments.report, arguments.lock, datetime.datetime.now(tz=datetime.UTC).date())
        output.write(arguments.out, json.dumps(report, indent=1) + "\n")
    elif arguments.verb == "table":
        output.write(PAGE, put_in(PAGE.read_text(encoding="utf-8"), render(read())))
    else:
        print(changes(pins(arguments.lock.read_text()), pins(arguments.versions.read_text())))
    return 0


if __name__ == "__main__":
    sys.exit(main())
