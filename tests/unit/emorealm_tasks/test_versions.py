"""A library version that is known to break ends in one line, before anything heavy is imported."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from emorealm_tasks import versions

BIN = Path(sys.executable).parent
LINES = [
    "filelock<4.3",
    "sentencepiece<0.2.3,>=0.2",
    'decord>=0.6; sys_platform == "no such platform"',
    'vllm>=0.33; extra == "vllm"',
]


def of(**found):
    return lambda name: found.get(name)


def test_what_fits_is_passed():
    assert versions.unsuitable(LINES, of(filelock="4.2.12", sentencepiece="0.2.2")) == ""


def test_what_does_not_fit_is_named_with_its_version_and_what_to_type():
    assert versions.unsuitable(LINES, of(filelock="4.3.1", sentencepiece="0.2.2")) == (
        "filelock 4.3.1 is installed, and emorealm works with filelock<4.3; type: pip install 'filelock<4.3'"
    )


def test_several_are_told_at_once():
    said = versions.unsuitable(LINES, of(sentencepiece="0.2.3"))
    assert said == (
        "filelock is not installed, and emorealm works with filelock<4.3; sentencepiece 0.2.3 is installed, and "
        "emorealm works with sentencepiece<0.2.3,>=0.2; "
        "type: pip install 'filelock<4.3' 'sentencepiece<0.2.3,>=0.2'"
    )


@pytest.mark.parametrize("version", ["4.3.0", "4.3.1.dev0", "5.0", "4.3.1+local"])
def test_the_whole_range_is_refused(version):
    assert version in versions.unsuitable(["filelock<4.3"], of(filelock=version))


@pytest.mark.parametrize(
    ("torch", "vision", "fits"),
    [
        ("2.15.0", "0.29.2", True),
        ("2.13.0+cpu", "0.28.0+cpu", True),
        ("2.13.0+cu130", "0.28.0", True),
        ("2.9.0a0+145a3a7bda.nv25.10", "0.24.0a0+094e7af5", True),
        ("2.13.0+cpu", "0.28.0", False),
        ("2.13.0", "0.28.0+cpu", False),
    ],
)
def test_a_torch_for_cpus_needs_such_a_torchvision(torch, vision, fits):
    said = versions.unpaired(of(torch=torch, torchvision=vision))
    assert (said == "") == fits
    assert fits or (torch in said and vision in said and "pip install" in said)


def test_this_environment_fits():
    versions.check.cache_clear()  # another test of this process may have looked
    versions.check()


@pytest.fixture
def planted(tmp_path):
    """Variables under which filelock 4.3.1 seems to be installed."""
    folder = tmp_path / "filelock-4.3.1.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: filelock\nVersion: 4.3.1\n")
    return {**os.environ, "PYTHONPATH": str(tmp_path)}


@pytest.mark.slow
@pytest.mark.parametrize(
    "command",
    [
        ["emorealm", "check"],
        ["emorealm", "eval", "--tasks", "emorealm_mini", "--model", "avere"],
        ["emorealm-mini", "build"],
        ["avem-train", "list"],
        ["lmms-eval", "--tasks", "emorealm_mini", "--model", "avere"],
    ],
    ids=" ".join,
)
def test_every_command_ends_in_one_line(command, planted):
    done = subprocess.run([BIN / command[0], *command[1:]], env=planted, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("emorealm: filelock 4.3.1 is installed")
    assert "Traceback" not in done.stderr
