"""lmms-eval's task files read by libyaml are what pure Python reads."""

import pytest
import yaml
from lmms_eval.tasks import TaskManager
from lmms_eval.utils import load_yaml_config

from emorealm_tasks import plugin
from emorealm_tasks.harness import task_files

pytestmark = pytest.mark.skipif(not yaml.__with_libyaml__, reason="PyYAML without libyaml here")
FILES = sorted(plugin.FOLDER.rglob("*.yaml"))


@pytest.mark.parametrize("mode", ["simple", "full"])
def test_every_file_of_ours_is_read_alike(mode):
    assert len(FILES) > 50
    for path in FILES[::8] if mode == "full" else FILES:
        slow = load_yaml_config(str(path), mode=mode)
        with task_files.read_by_libyaml():
            fast = load_yaml_config(str(path), mode=mode)
        assert list(fast.items()) == list(slow.items()) or repr(fast) == repr(slow), path


def test_functions_are_named_by_whichever_constructor_was_added_last(tmp_path):
    file = tmp_path / "task.yaml"
    file.write_text("task: t\nscore: !function os.getcwd\nshared: &a {x: 1e-3, y: [on, ~]}\nagain: *a\n")
    with file.open("rb") as stream, task_files.read_by_libyaml():
        yaml.add_constructor("!function", lambda loader, node: ("first", loader.construct_scalar(node)))
        assert yaml.full_load(stream)["score"] == ("first", "os.getcwd")
        yaml.add_constructor("!function", lambda loader, node: "second")
        stream.seek(0)
        assert yaml.full_load(stream)["score"] == "second"
        stream.seek(0)
        fast = yaml.full_load(stream)
    assert fast == yaml.full_load(file.read_bytes())


def test_lmms_evals_index_is_read_by_libyaml_and_nothing_after_it(monkeypatch):
    plugin.register()
    own, read = yaml.full_load, []
    monkeypatch.setattr(yaml, "CFullLoader", type("Noting", (yaml.CFullLoader,), {}))
    monkeypatch.setattr(yaml.CFullLoader, "get_single_data", lambda self: read.append(1) or _data(self), raising=False)
    TaskManager("ERROR", include_defaults=False)
    assert len(read) >= len(FILES)
    assert yaml.full_load is own


def _data(loader):
    return yaml.constructor.BaseConstructor.get_single_data(loader)
