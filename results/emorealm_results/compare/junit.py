"""The gate's decisions as a JUnit report, for CI."""

import xml.etree.ElementTree as ET
from collections.abc import Sequence
from itertools import groupby

from emorealm_results.compare.regression_gate import _MARKS, REGRESSED, REPORTED, UNDECIDED, Decision


def junit(decisions: Sequence[Decision]) -> str:
    """The decisions as JUnit XML: a suite a task, a case a score; those that are not judged are skipped."""
    root = ET.Element("testsuites", name="emorealm regress")
    for name, members in groupby(decisions, lambda decision: decision.task):
        cases = list(members)
        of = {outcome: sum(case.outcome == outcome for case in cases) for outcome in _MARKS}
        counts = {"tests": len(cases), "failures": of[REGRESSED], "errors": of[UNDECIDED], "skipped": of[REPORTED]}
        suite = ET.SubElement(root, "testsuite", {"name": name} | {key: str(count) for key, count in counts.items()})
        for decision in cases:
            case = ET.SubElement(suite, "testcase", classname=name, name=decision.score)
            message = decision.message
            if decision.outcome == REGRESSED:
                ET.SubElement(case, "failure", message=message, type="regression").text = message
            elif decision.outcome == UNDECIDED:
                ET.SubElement(case, "error", message=message, type="power too low").text = message
            elif decision.outcome == REPORTED:
                ET.SubElement(case, "skipped", message="reported, not judged")
    return _xml(root)


def junit_error(message: str) -> str:
    """JUnit XML for a comparison that could not be made: one case, in error."""
    root = ET.Element("testsuites", name="emorealm regress")
    suite = ET.SubElement(root, "testsuite", name="emorealm regress", tests="1", failures="0", errors="1", skipped="0")
    case = ET.SubElement(suite, "testcase", classname="emorealm regress", name="comparison")
    ET.SubElement(case, "error", message=message, type="not comparable").text = message
    return _xml(root)


def _xml(root: ET.Element) -> str:
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", xml_declaration=True) + "\n"
