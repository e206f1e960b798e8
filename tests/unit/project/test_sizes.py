"""How long a function may be, and a file of the packages: what fits on a screen is read, the rest is scrolled past."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
PACKAGES = ("emorealm_tasks", "model_adapters", "avem_train", "results/emorealm_results")
FILES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
FUNCTION = 50
"""Lines, with signature and docstring."""


def long_functions(text, most=FUNCTION):
    """Names of the functions of a module that are longer, methods and inner ones too."""
    kinds = ast.FunctionDef | ast.AsyncFunctionDef
    functions = [node for node in ast.walk(ast.parse(text)) if isinstance(node, kinds)]
    return [one.name for one in functions if one.end_lineno - one.lineno + 1 > most]


@pytest.mark.parametrize("package", PACKAGES)
def test_no_function_is_longer_than_a_screen(package):
    files = [path for path in FILES if path.is_relative_to(ROOT / package)]
    assert files
    found = [(str(path.relative_to(ROOT)), long_functions(path.read_text(encoding="utf-8"))) for path in files]
    assert [(name, names) for name, names in found if names] == []


def test_files_fit_three_hundred_lines():
    assert [str(path) for path in FILES if len(path.read_text(encoding="utf-8").splitlines()) > 300] == []


def test_a_long_function_is_noticed():
    text = "class A:\n    def f(self):\n        return (\n            1\n        )\n"
    assert (long_functions(text, 3), long_functions(text, 4)) == (["f"], [])
