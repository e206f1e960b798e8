from dataclasses import dataclass, field
from pathlib import Path

import pytest

from avem_train import cli, config


@dataclass(frozen=True)
class Inner:
    steps: int = 3
    rate: float = 0.1


@dataclass(frozen=True)
class Outer:
    out: Path
    inner: Inner = field(default_factory=Inner)
    bf16: bool = False


def test_values_reach_nested_settings(tmp_path):
    recipe = tmp_path / "r.yaml"
    recipe.write_text("out: somewhere\ninner: {rate: 1e-3}\n")
    filled = config.from_mapping(Outer, config.read(str(recipe), ["inner.steps=7", "bf16=true"]))
    assert filled == Outer(Path("somewhere"), Inner(7, 0.001), True)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"out": "x", "inner": {"step": 1}}, "unknown key 'inner.step': did you mean 'steps'"),
        ({}, "out must be given"),
        ({"out": "x", "inner": {"steps": "many"}}, "inner.steps must be of type int"),
        ({"out": "x", "inner": {"rate": "fast"}}, "inner.rate must be a number"),
        ({"out": "x", "bf16": 1}, "bf16 must be of type bool"),
        ({"out": "x", False: 1}, "unknown key 'False'"),
    ],
)
def test_mistakes_are_named(content, message):
    with pytest.raises(config.RecipeError, match=message):
        config.from_mapping(Outer, content)


def test_a_recipe_names_only_what_differs(tmp_path):
    base = tmp_path / "base.yaml"
    base.write_text("out: a\ninner: {steps: 5, rate: 0.5}\n")
    child = tmp_path / "child.yaml"
    child.write_text(f"base: {base}\ninner: {{steps: 6}}\n")
    assert config.read(str(child), []) == {"out": "a", "inner": {"steps": 6, "rate": 0.5}}


def test_every_shipped_recipe_fills_its_program():
    from avem_train.dpo import settings as dpo_settings

    for name in config.shipped():
        content = config.read(name, [])
        form, _ = cli.PROGRAMS[content.pop("program")]()
        given = {"data": "preferences.jsonl", "out": "out"} if form is dpo_settings.DpoSettings else {}
        config.from_mapping(form, given | content)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "mini_bas"], "did you mean 'mini_base'"),
        (["run", "mini_base", "steps"], "is not key=value"),
        (["run", "mini_base", "program=dpo"], "program must be one of"),
        (["run", "mini_base", "balanced.step=1"], "did you mean 'steps'"),
    ],
)
def test_the_command_ends_in_one_line(arguments, message, capsys):
    assert cli.main(arguments) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_the_command_lists_recipes(capsys):
    assert cli.main(["list"]) == 0
    assert "mini_base" in capsys.readouterr().out
