"""Records of test runs, the README's table of them, and the list of versions that changed."""

import datetime
import json

import pytest

from emorealm_results import tested

JUNIT = """<?xml version="1.0"?><testsuites>
<testsuite name="a" tests="10" failures="1" errors="1" skipped="2"></testsuite>
<testsuite name="b" tests="5" failures="0" errors="0" skipped="0"><testcase classname="tests.unit.test_a" name="b"/>
</testsuite></testsuites>"""
TODAY = datetime.date(2026, 11, 26)


def test_a_record_counts_what_passed_failed_and_was_skipped(tmp_path):
    (tmp_path / "junit.xml").write_text(JUNIT)
    (tmp_path / "coverage.json").write_text(json.dumps({"totals": {"percent_covered": 91.26}}))
    made = tested.record(tmp_path, "dev", TODAY)
    assert (made["passed"], made["failed"], made["skipped"]) == (11, 2, 2)  # 15 tests - 2 - 2
    assert made["covered"] == 91.26
    assert made["versions"]["transformers"]
    assert made["date"] == "2026-11-26"


@pytest.mark.parametrize(("folder", "said"), [("unit", "unit, golden"), ("end_to_end", "all")])
def test_the_table_says_which_tests_were_run(tmp_path, folder, said):
    (tmp_path / "junit.xml").write_text(JUNIT.replace("tests.unit", f"tests.{folder}"))
    assert f"| {said} " in tested.render([tested.record(tmp_path, "dev", TODAY)])


def test_without_a_report_it_says_how_to_make_one(tmp_path, capsys):
    with pytest.raises(SystemExit):
        tested.record(tmp_path, "dev", TODAY)
    assert "make test REPORT=" in capsys.readouterr().err


def test_the_table_sorts_pythons_by_number_and_shows_failures(tmp_path):
    (tmp_path / "junit.xml").write_text(JUNIT)
    made = tested.record(tmp_path, "dev", TODAY)
    rows = tested.render([made | {"python": "3.12.1"}, made | {"python": "3.9.2", "lock": "newest"}]).splitlines()
    assert [row.split("|")[1].strip() for row in rows] == [
        "Python",
        "-" * len(rows[1].split("|")[1]),
        "3.9.2",
        "3.12.1",
    ]
    assert "no lock" in rows[2]
    assert "locks/dev.txt" in rows[3]
    assert "11 / 2 / 2" in rows[2]


def test_the_table_is_put_between_its_marks():
    page = f"before\n{tested.BEGIN}\nold\n{tested.END}\nafter\n"
    assert tested.put_in(page, "new") == f"before\n{tested.BEGIN}\nnew\n{tested.END}\nafter\n"
    with pytest.raises(SystemExit):
        tested.put_in("a page without marks", "new")


def test_the_readme_shows_the_kept_records():
    text = tested.PAGE.read_text(encoding="utf-8")
    assert tested.put_in(text, tested.render(tested.read())) == text


def test_what_changed_is_listed_whatever_the_spelling():
    lock = tested.pins(
        'filelock==4.2.12 \\\n    --hash=sha256:0\nHF_xet==1.0 ; python_version < "3.12" \\\ngone==1\n'
        "numpy==2.4 ; python_full_version < '3.12'\nnumpy==2.5 ; python_full_version >= '3.12'\n"
    )
    now = tested.pins("filelock==4.3.1\nhf-xet==1.0\nbrand_new==2.0\nnumpy==2.4\n-e file:///x\n")
    assert tested.changes(lock, now) == "- brand-new 2.0 is new\n- filelock 4.2.12 -> 4.3.1"
    assert tested.changes(lock, {"filelock": ["4.2.12"]}) == "No version differs from the lock."
