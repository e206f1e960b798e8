"""The workflows: pinned actions, and commands that exist."""

import re
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def steps(path):
    jobs = yaml.safe_load(path.read_text(encoding="utf-8"))["jobs"].values()
    return [step for job in jobs for step in job["steps"]]


def test_the_workflows_are_there():
    assert {path.stem for path in WORKFLOWS} == {"mini", "tests", "newest", "publish"}


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_actions_are_pinned_by_commit_with_their_version_beside(path):
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if "uses:" in line]
    assert lines
    for line in lines:
        assert re.search(r"uses: [\w./-]+@[0-9a-f]{40}  # v\d", line), line


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_jobs_end_by_themselves_and_may_do_no_more_than_they_must(path):
    workflow = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert workflow["permissions"]["contents"] == "read"
    assert all(job["timeout-minutes"] <= 90 for job in workflow["jobs"].values())


def targets():
    """Every `make TARGET` of a workflow that runs in the checkout itself."""
    scripts = " ".join(step.get("run", "") for path in WORKFLOWS for step in steps(path))
    return sorted(set(re.findall(r"\bmake ([a-z][a-z-]*)", scripts)))


@pytest.mark.parametrize("target", targets())
def test_make_targets_exist(target):
    done = subprocess.run(["make", "--dry-run", target], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_modules_that_are_called_exist():
    scripts = " ".join(step.get("run", "") for path in WORKFLOWS for step in steps(path))
    named = set(re.findall(r"-m (emorealm_results\.\w+)", scripts))
    assert named == {"emorealm_results.tested"}
    for path in re.findall(r"(?:tests|locks|results)/[\w/]+\.(?:py|txt)", scripts):
        assert (ROOT / path).exists(), path
