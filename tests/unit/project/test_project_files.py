"""What the project says of itself: licence, version, addresses, the paths and licences that its guides name."""

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.specifiers import SpecifierSet

from model_adapters.catalogue import MODELS

ROOT = Path(__file__).resolve().parents[3]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
CITATION = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
SITE = ROOT / "mkdocs.yml"
PACKAGES = ("emorealm_tasks", "model_adapters", "avem_train", "emorealm_results")
GUIDES = [ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
FOLDERS = ("emorealm_tasks", "model_adapters", "avem_train", "results", "tests", "docs", "locks", ".github")
PLACEHOLDERS = re.compile(r"\bNAME\b|^results/runs\b")
"""Paths that a reader fills in, or that a command makes."""
NAMED = re.compile(rf"(?<![\w./-])((?:{'|'.join(map(re.escape, FOLDERS))})/[\w./-]*[\w-])")
MODULE = re.compile(r"(?<![\w./-])((?:emorealm_tasks|model_adapters|avem_train|emorealm_results)(?:\.[a-z_]\w*)+)")
LINK = re.compile(r"\]\((?![a-z]+:|#)([^)#\s]+)(?:#([\w-]+))?\)")
FORMS = sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml"))


def read(path):
    return path.read_text(encoding="utf-8")


def anchors(path):
    """The anchors that the headings of a Markdown file have."""
    headings = re.findall(r"^#+ (.+)$", read(path), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def source(module):
    """Where a dotted name lies, what follows the module (a class, a function) left out; None if there is no module."""
    parts = module.split(".")
    base = ROOT / "results" if parts[0] == "emorealm_results" else ROOT
    for depth in range(len(parts), 1, -1):
        place = base.joinpath(*parts[:depth])
        if place.is_dir() or place.with_suffix(".py").is_file():
            return place
    return None


@pytest.mark.parametrize("guide", GUIDES, ids=lambda path: path.name)
def test_every_path_and_module_that_a_guide_names_exists(guide):
    text = read(guide)
    paths = {path for path in NAMED.findall(text) if not PLACEHOLDERS.search(path)}
    assert [path for path in sorted(paths) if not (ROOT / path).exists()] == []
    assert [module for module in sorted(set(MODULE.findall(text))) if source(module) is None] == []


def test_a_path_that_is_gone_is_noticed():
    assert NAMED.findall("see `avem_train/gone.py`, /x/tests/y and data/avem_train/z") == ["avem_train/gone.py"]
    assert source("avem_train.objectives.Objective") == ROOT / "avem_train" / "objectives"
    assert source("avem_train.gone") is None


@pytest.mark.parametrize("guide", [*GUIDES, ROOT / "CHANGELOG.md"], ids=lambda path: path.name)
def test_links_between_guides_lead_somewhere(guide):
    for path, anchor in LINK.findall(read(guide)):
        target = (guide.parent / path).resolve()
        assert target.exists(), path
        assert not anchor or anchor in anchors(target), f"{path}#{anchor}"


@pytest.mark.parametrize("package", PACKAGES)
def test_imports_go_the_way_that_the_page_on_architecture_says(package):
    assert "  <--  ".join(PACKAGES) in read(ROOT / "docs" / "architecture.md")
    further_right = PACKAGES[PACKAGES.index(package) + 1 :]
    wrong = set()
    for path in (ROOT / "results" / package if package == PACKAGES[-1] else ROOT / package).rglob("*.py"):
        for node in ast.walk(ast.parse(read(path))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            wrong |= {(path.name, name) for name in names if name.split(".")[0] in further_right}
    assert wrong == set()


def test_one_version():
    assert str(CITATION["version"]) == PROJECT["version"]
    sections = re.findall(r"^## \[?([^\]\s]+)\]?", read(ROOT / "CHANGELOG.md"), re.MULTILINE)
    assert sections[0] == "Unreleased"
    assert PROJECT["version"] in sections


def test_one_licence():
    assert PROJECT["license"] == CITATION["license"] == "Apache-2.0"
    assert PROJECT["license-files"] == ["LICENSE"]
    assert "Version 2.0, January 2004" in read(ROOT / "LICENSE")
    assert not [classifier for classifier in PROJECT["classifiers"] if "License" in classifier]  # PEP 639


def test_one_address():
    home = PROJECT["urls"]["Homepage"]
    assert all(address.startswith(home) for address in PROJECT["urls"].values())
    assert CITATION["repository-code"] == home
    form = yaml.safe_load(read(ROOT / ".github" / "ISSUE_TEMPLATE" / "config.yml"))
    for link in form["contact_links"]:
        assert link["url"].startswith(f"{home}/blob/main/")
        assert (ROOT / link["url"].removeprefix(f"{home}/blob/main/")).is_file()


def test_the_versions_of_python_are_those_that_the_package_takes():
    taken = SpecifierSet(PROJECT["requires-python"])
    minors = [f"3.{minor}" for minor in range(30) if taken.contains(f"3.{minor}.5")]
    prefix = "Programming Language :: Python :: 3."
    assert [line.rpartition(" ")[2] for line in PROJECT["classifiers"] if line.startswith(prefix)] == minors
    said = f"Python {', '.join(minors[:-1])}"
    assert f"{said} and {minors[-1]}" in read(ROOT / "docs" / "faq.md")
    assert f"{said} or {minors[-1]}" in read(ROOT / "CONTRIBUTING.md")


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
def test_the_table_of_licences_has_every_model_with_the_catalogues_licence(model):
    rows = [line.split("|") for line in read(ROOT / "docs" / "licences.md").splitlines() if line.startswith("|")]
    named = [row[2].strip() for row in rows if f"`{model.name}`" in row[1].split("(")[0]]
    assert len(named) == 1
    assert named[0].startswith(model.licence)


@pytest.mark.parametrize("form", [path for path in FORMS if path.name != "config.yml"], ids=lambda path: path.name)
def test_issue_forms_have_what_the_code_host_asks_for(form):
    content = yaml.safe_load(read(form))
    assert {"name", "description", "body"} <= set(content)
    for field in content["body"]:
        assert field["type"] in ("checkboxes", "dropdown", "input", "markdown", "textarea")
        assert field["attributes"]["label"]
    ids = [field["id"] for field in content["body"]]
    assert len(set(ids)) == len(ids)


def test_hooks_fetch_nothing():
    hooks = yaml.safe_load(read(ROOT / ".pre-commit-config.yaml"))
    assert [repository["repo"] for repository in hooks["repos"]] == ["local"]
    assert {hook["language"] for repository in hooks["repos"] for hook in repository["hooks"]} == {"system"}


def test_the_site_has_every_readme_and_guide():
    def pages(part):
        if isinstance(part, str):
            return [part]
        return [page for one in (part.values() if isinstance(part, dict) else part) for page in pages(one)]

    shown = set(pages(yaml.safe_load(read(SITE))["nav"]))
    packages = ("emorealm_tasks", "model_adapters", "avem_train", "results")
    written = [path for folder in packages for path in (ROOT / folder).rglob("*.md")]
    written = [path for path in written if "runs" not in path.relative_to(ROOT).parts]
    for path in (*GUIDES, ROOT / "README.md", ROOT / "CHANGELOG.md", *written):
        assert path.relative_to(ROOT).as_posix() in shown


@pytest.mark.slow
def test_the_site_builds_without_a_warning(tmp_path):
    pytest.importorskip("mkdocs")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    home = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert 'src="docs/contact_sheet.png"' in home
    assert (tmp_path / "docs" / "contact_sheet.png").is_file()
    assert "preference_loss" in (tmp_path / "api" / "objectives" / "index.html").read_text(encoding="utf-8")
    assert 'href="../../adding/#a-model"' in (tmp_path / "docs" / "faq" / "index.html").read_text(encoding="utf-8")
