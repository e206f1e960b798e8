"""The Dockerfile and its page, as far as they can be checked without building: the workflow builds it."""

import re
import shlex
import tomllib
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[3]
TEXT = (ROOT / "Dockerfile").read_text(encoding="utf-8")
PAGE = (ROOT / "docs" / "container.md").read_text(encoding="utf-8")
TAGGED = re.compile(r"[\w./-]+:[\w.-]*\d[\w.-]*")


def instructions(text=TEXT):
    """(instruction, its arguments) in order, continued lines joined, comments left out."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ").splitlines()
    return [(name, " ".join(rest.split())) for name, _, rest in (line.partition(" ") for line in joined) if name]


def shell():
    return [line.split() for line in PAGE.splitlines() if line.startswith("docker ")]


def test_every_base_is_a_tagged_image_or_a_stage():
    arguments = dict(rest.split("=", 1) for name, rest in instructions() if name == "ARG")
    bases = [rest.split()[0] for name, rest in instructions() if name == "FROM"]
    stages = {rest.split(" AS ")[1] for name, rest in instructions() if name == "FROM" and " AS " in rest}
    assert bases[0] == "${BASE}"
    assert TAGGED.fullmatch(arguments["BASE"])
    assert set(bases[1:]) <= stages
    shown = [word.removeprefix("BASE=") for words in shell() for word in words if word.startswith("BASE=")]
    assert all(TAGGED.fullmatch(image) for image in shown)
    assert [image for image in shown if image.startswith("nvidia/cuda:")]


def test_python_of_the_default_base_is_one_that_the_package_takes():
    version = re.search(r"BASE=python:(3\.\d+)-slim", TEXT)[1]
    known = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["classifiers"]
    assert f"Programming Language :: Python :: {version}" in known


def test_everything_is_installed_by_its_hash():
    installs = [
        line for name, line in instructions() if name == "RUN" for line in re.split(r"&&", line) if "install" in line
    ]
    of_python = [line for line in installs if "pip install" in line]
    assert len(of_python) == 3
    assert all("--require-hashes" in line or "--no-deps" in line for line in of_python)
    assert all("--build-constraints locks/build.txt" in line for line in of_python if "uv pip" in line)


def test_it_runs_as_a_user_without_rights_and_is_emorealm():
    last = dict(instructions())
    assert last["USER"] == "emorealm"
    assert last["ENTRYPOINT"] == '["emorealm"]'
    assert [name for name, _ in instructions()].index("USER") > max(
        place for place, (name, _) in enumerate(instructions()) if name in ("RUN", "COPY")
    )


def test_what_is_copied_is_there_and_enough_to_build_from():
    ignore = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and line[0] != "#"]
    assert ignore[0] == "*"
    taken = {line[1:] for line in ignore if line[0] == "!"}
    assert all((ROOT / path).exists() for path in taken)
    copied = [
        word for name, rest in instructions() if name == "COPY" and "--from" not in rest for word in rest.split()[:-1]
    ]
    assert all(path == "." or (path.split("/")[0] in taken and (ROOT / path).is_file()) for path in copied)
    tool = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    folders = {
        "results/emorealm_results" if name.startswith("emorealm_results") else name.split(".")[0]
        for name in tool["packages"]
    }
    assert folders | {"results/published", "pyproject.toml", "README.md", "LICENSE"} <= taken


def test_the_page_names_programs_and_variables_that_exist():
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    from emorealm_results import cli
    from emorealm_tasks.settings import Settings

    for line in PAGE.splitlines():
        if line.startswith("docker run"):
            words = shlex.split(line.replace("$(id -u):$(id -g)", "1:1"))
            image = next(
                place
                for place, word in enumerate(words)
                if re.fullmatch("emorealm(:cuda)?", word) and "--entry" not in words[place - 1]
            )
            assert "--entrypoint" in words or words[image + 1] in cli._VERBS
            assert "--entrypoint" not in words or words[words.index("--entrypoint") + 1] in scripts
    for name in re.findall(r"EMOREALM_(\w+)", PAGE):
        assert name.lower() in Settings.__dataclass_fields__


def test_the_workflow_lints_builds_and_runs_it():
    jobs = yaml.safe_load((ROOT / ".github" / "workflows" / "tests.yml").read_text())["jobs"]
    script = " ".join(step.get("run", "") for step in jobs["container"]["steps"])
    uid = re.search(r"--uid (\d+)", TEXT)[1]
    assert "hadolint - < Dockerfile" in script
    assert "docker build -t emorealm ." in script
    assert f'--entrypoint id emorealm -u)" = {uid}' in script
