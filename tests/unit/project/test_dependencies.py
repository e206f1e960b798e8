"""What the packages import is what pyproject.toml declares, in an extra where it is imported when needed."""

import ast
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[3]
FOLDERS = {"emorealm_results": "results", "avem_train": ".", "model_adapters": ".", "emorealm_tasks": "."}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
NAMESAKES = {"google": "google-genai", "vllm": "vllm", "decord": "decord", "_typeshed": ""}
"""Modules whose distribution the installed ones do not tell: several have it, or it is not on every machine."""


def declared(lines):
    return {canonicalize_name(Requirement(line).name) for line in lines}


MAIN = declared(PROJECT["dependencies"])
EXTRAS = set().union(*(declared(lines) for name, lines in PROJECT["optional-dependencies"].items() if name != "test"))


def imports(tree):
    """(module, whether it is imported at once) of every absolute import."""
    inside = {
        node for one in ast.walk(tree) if isinstance(one, ast.FunctionDef | ast.If | ast.Try) for node in ast.walk(one)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node not in inside) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield node.module, node not in inside


def undeclared(package):
    """File: module, for each import of `package` that nothing declares."""
    distributions = packages_distributions()
    for file in sorted((ROOT / FOLDERS[package] / package).rglob("*.py")):
        if file.parent.name == "workers":  # run in other environments; protocol.py needs the standard library alone
            continue
        for module, at_once in imports(ast.parse(file.read_text(encoding="utf-8"))):
            top = module.partition(".")[0]
            if top in sys.stdlib_module_names or top in FOLDERS or NAMESAKES.get(top) == "":
                continue
            names = [NAMESAKES[top]] if top in NAMESAKES else distributions.get(top, [top])
            found = {canonicalize_name(name) for name in names}
            if not found & (MAIN if at_once else MAIN | EXTRAS):
                yield f"{file.relative_to(ROOT)}: {module}"


@pytest.mark.slow
@pytest.mark.parametrize("package", FOLDERS)
def test_what_is_imported_is_declared(package):
    assert list(undeclared(package)) == []
