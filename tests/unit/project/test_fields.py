"""Every field of a public dataclass, TypedDict, NamedTuple, pydantic model or model config says what it holds."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
PACKAGES = ("emorealm_tasks", "model_adapters", "avem_train", "results/emorealm_results")
MARKS = {"dataclass", "TypedDict", "NamedTuple", "BaseModel"}
MARKS |= {"PreTrainedConfig", "CLIPVisionConfig", "WhisperConfig", "Blip2QFormerConfig"}
"""A decorator or a base that makes annotated names fields; so does a class of ours that has one."""


def words(node):
    """The names that a decorator or a base is called by, its parameters left out."""
    if isinstance(node, ast.Call | ast.Subscript):
        return words(node.func if isinstance(node, ast.Call) else node.value)
    return {node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")}


def classes(text):
    """The classes of a module, inner ones too -> the names of their decorators and bases."""
    found = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.ClassDef)]
    return {node: set().union(*map(words, [*node.decorator_list, *node.bases])) for node in found}


def undocumented(node):
    """The fields of a class that no docstring follows."""
    return [
        field.target.id
        for field, after in zip(node.body, [*node.body[1:], None], strict=True)
        if isinstance(field, ast.AnnAssign) and "ClassVar" not in ast.unparse(field.annotation)
        if not (isinstance(after, ast.Expr) and isinstance(getattr(after.value, "value", None), str))
    ]


def bare(texts):
    """Name of a file -> its content becomes `FILE: CLASS.FIELD` of each field of a public class without a docstring."""
    known = {name: classes(text) for name, text in texts.items()}
    marked, before = set(MARKS), set()
    while marked != before:
        before = set(marked)
        marked |= {node.name for found in known.values() for node, marks in found.items() if marks & marked}
    return [
        f"{name}: {node.name}.{field}"
        for name, found in known.items()
        for node, marks in found.items()
        if marks & marked and not node.name.startswith("_")
        for field in undocumented(node)
    ]


def test_every_public_field_says_what_it_holds():
    files = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]
    assert bare({path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8") for path in files}) == []


@pytest.mark.parametrize(
    "head", ["@dataclass(frozen=True)\nclass A:", "class A(TypedDict, Generic[T]):", "class A(pydantic.BaseModel):"]
)
def test_a_field_without_a_docstring_is_found_also_in_a_subclass(head):
    base = f'{head}\n    a: int\n    b: int = 0\n    """Pixels."""\n    c: ClassVar[int] = 1\n'
    assert bare({"a.py": base, "b.py": "class B(A):\n    d: str\n"}) == ["a.py: A.a", "b.py: B.d"]
    assert bare({"a.py": base.replace("class A", "class _A"), "b.py": "class B:\n    d: str\n"}) == []
