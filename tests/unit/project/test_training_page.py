"""What the page on training says of TRL's settings is so in the TRL that is installed."""

import inspect
import re
from dataclasses import MISSING, fields
from pathlib import Path

import pytest

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "training.md").read_text(encoding="utf-8")
OTHERS = {"bfd", "image", "images", "use_kernels"}
"""What its cells name besides settings: a strategy, columns, a keyword of `model_init_kwargs`."""


@pytest.fixture(scope="module")
def settings():
    """Name -> default and help of each setting of TRL's."""
    import trl
    from trl.scripts.utils import DatasetConfig

    if trl.__version__ not in PAGE:
        pytest.skip(f"the page is about another TRL than {trl.__version__}")
    configs = (trl.ModelConfig, trl.ScriptArguments, trl.DatasetMixtureConfig, DatasetConfig, trl.SFTConfig)
    found = dict.fromkeys(inspect.signature(trl.DPOTrainer).parameters, (MISSING, ""))
    for each in (field for config in (*configs, trl.DPOConfig) for field in fields(config)):
        found[each.name] = each.default, each.metadata.get("help", "")
    return found


def cells():
    """The cells of TRL's column."""
    table = PAGE.split("## Beside ms-swift and TRL")[1].split("\n## ")[0]
    rows = [line.strip("| ").split(" | ") for line in table.splitlines() if line.startswith("| ")]
    return [row[-1] for row in rows[1:] if set(row[0]) != {"-"}]


def test_each_setting_of_trl_is_there_with_its_default(settings):
    named = [one for cell in cells() for one in re.findall(r"`([a-z_0-9]+)(?:=([^`]+))?`", cell)]
    assert len(named) > 30
    assert {name for name, _ in named} <= settings.keys() | OTHERS
    assert [(name, value) for name, value in named if value and str(settings[name][0]) != value] == []


def test_a_deprecated_setting_of_trl_is_called_so(settings):
    for cell in cells():
        for name in re.findall(r"`([a-z_0-9]+)[=`]", cell):
            if "Deprecated" in settings.get(name, ("", ""))[1]:
                assert "deprecated" in cell, cell
