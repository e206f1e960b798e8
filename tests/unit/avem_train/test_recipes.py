import re
import shlex
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


def test_a_setting_that_was_added_tells_trainings_apart_only_where_it_is_used():
    @dataclass(frozen=True)
    class Later(Inner):
        noise: float = field(default=0.0, metadata={"added": True})
        names: tuple[str, ...] = field(default_factory=tuple, metadata={"added": True})

    before = {"out": Path("x"), "inner": {"steps": 3, "rate": 0.1}, "bf16": False}
    assert config.decided(Outer(Path("x"))) == config.decided(Outer(Path("x"), Later())) == before
    assert config.decided(Later(noise=0.5)) == {"steps": 3, "rate": 0.1, "noise": 0.5}
    assert config.decided(Later(names=("a",)))["names"] == ("a",)


def test_every_shipped_recipe_fills_its_program_and_every_program_has_one():
    filled = set()
    for name in config.shipped():
        content = config.read(name, [])
        program = content.pop("program")
        form, _ = cli.PROGRAMS[program]()
        given = {"data": "records.jsonl", "out": "out"} if hasattr(form, "PROGRAM") else {}
        assert isinstance(config.from_mapping(form, given | content), form)
        filled.add(program)
    assert filled == set(cli.PROGRAMS)


GUIDE = (Path(__file__).resolve().parents[3] / "docs" / "training.md").read_text(encoding="utf-8")


def test_the_guides_commands_and_settings_are_there():
    """Dry run: parsers take the lines, every stage starts from what the one before writes, every key is a setting."""
    from avem_train import settings_help
    from avem_train.dpo.settings import DpoSettings
    from avem_train.supervised.settings import SupervisedSettings
    from emorealm_tasks.mini.cli import _parser

    forms = {"preference": DpoSettings, "supervised": SupervisedSettings}
    lines = [
        shlex.split(line) for block in re.findall(r"```bash\n(.*?)```", GUIDE, re.DOTALL) for line in block.splitlines()
    ]
    built = {str(_parser().parse_args(words[1:]).out) for words in lines if words[0] == "emorealm-mini"}
    written = ["avere_nano"]
    for words in [words[2:] for words in lines if words[0] == "avem-train"]:
        content = config.read(words[0], words[1:])
        filled = config.from_mapping(forms[content.pop("program")], content)
        if words[0].startswith("mini_"):
            read = {str(one.parent) for one in (*filled.files, Path(filled.evaluation.data))}
            assert read <= built
            assert filled.model == written[-1]
            written.append(str(filled.out))
    assert written == ["avere_nano", "data/mini_projectors", "data/mini_sft", "data/mini_dpo"]
    listed = "\n".join(line for form in forms.values() for line in settings_help.lines(form, {}))
    for key in re.findall(r"^\| `([a-z_.]+)`", GUIDE, re.MULTILINE):
        if key not in config.shipped():
            assert f"  {key}=" in listed, key


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


def test_nothing_behind_a_key_is_an_empty_text_and_no_path():
    @dataclass(frozen=True)
    class Named:
        out: Path
        model: str = "usual"

    assert config.from_mapping(Named, config.changes(["out=x", "model="])) == Named(Path("x"), "")
    with pytest.raises(config.RecipeError, match="out must name a file or folder"):
        config.from_mapping(Named, config.changes(["out="]))


def test_every_path_may_begin_with_the_home_folder(monkeypatch):
    from avem_train.dpo.settings import DpoSettings
    from avem_train.supervised.settings import SupervisedSettings

    monkeypatch.setenv("HOME", "/home/somebody")
    places = ["model=~/m", "root=~/r", "out=~/o", "evaluation.data=~/e.jsonl", "evaluation.root=~/r"]
    preference = config.read("avem_dpo", ["data=~/d.jsonl", "running.reference=~/kept", *places])
    supervised = config.read("avere_sft", ["data=[~/d.jsonl,~/e.jsonl]", "start=~/adapters", *places])
    for settings, content in ((DpoSettings, preference), (SupervisedSettings, supervised)):
        del content["program"]
        found = config.from_mapping(settings, content)
        assert "~" not in str(found)
        assert str(found).count("/home/somebody/") == 7 + (settings is SupervisedSettings)
