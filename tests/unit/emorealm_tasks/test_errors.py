"""A command whose output nobody reads any longer ends quietly; any other broken pipe is an error."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import run_folders
from emorealm_tasks import errors

BIN = Path(sys.executable).parent


def unread(*command, unbuffered=""):
    """Status and stderr of a command whose reader has gone before it writes."""
    variables = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
    reader, writer = os.pipe()
    os.close(reader)
    try:
        call = [BIN / command[0], *command[1:]]
        done = subprocess.run(call, stdout=writer, stderr=subprocess.PIPE, text=True, env=variables)
    finally:
        os.close(writer)
    return done.returncode, done.stderr


@pytest.mark.parametrize(
    "command", [("emorealm", "tasks"), ("emorealm", "--help"), ("avem-train", "list"), ("emorealm-mini", "--help")]
)
def test_a_command_ends_with_its_reader(command):
    assert unread(*command) == (141, "")


def test_a_table_ends_with_its_reader(tmp_path):
    run = run_folders.write(tmp_path, run_folders.whole())
    for unbuffered in ("", "1"):
        assert unread("emorealm", "table", str(run), unbuffered=unbuffered) == (141, "")


def test_another_broken_pipe_is_told():
    @errors.ends_with_its_reader
    def main():
        raise BrokenPipeError("the worker hung up")

    with pytest.raises(BrokenPipeError, match="the worker hung up"):
        main()
