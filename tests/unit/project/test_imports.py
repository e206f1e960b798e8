"""Which way imports go: between packages, between the rooms of a package, and no circle of files. Read, not run."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
ROOMS = {
    "emorealm_results": "cli commands tested analyses share leaderboard survey study compare paper pages rescore runs "
    "console",
    "avem_train": "cli curation.release curation.leakage curation.frames curation curation.engines curation.export "
    "curation.grading curation.stages curation.preferences curation.questions curation.balance curation.clients "
    "curation.scripted curation.manifests curation.checks curation.asking curation.prompts curation.data study "
    "supervised nano dpo harness backbones packing data objectives config settings_help",
    "model_adapters": "manifests workers engines emotion_llama in_process external_worker avere decoding base "
    "catalogue",
    "emorealm_tasks": "plugin harness benchmarks judge metrics chat_batches chat_client chat_reply mini mini.build "
    "mini.language mini.render mini.world media answers emotions schemas command_line markdown files settings versions "
    "untrusted errors interruption lazy sequences threads",
}
"""Packages, and the rooms and root modules of each: every one may import those behind it, and none before it."""
PURE = {
    "emorealm_tasks.metrics": {"emorealm_tasks.answers"},
    "emorealm_tasks.answers": {"emorealm_tasks.untrusted"},
    "emorealm_tasks.emotions": {"emorealm_tasks.errors", "emorealm_tasks.untrusted"},
    "emorealm_tasks.media": {
        "emorealm_tasks.errors",
        "emorealm_tasks.files",
        "emorealm_tasks.lazy",
        "emorealm_tasks.settings",
    },
    "emorealm_tasks.mini.world": {"emorealm_tasks.emotions"},
    "avem_train.objectives": {"emorealm_tasks.lazy"},
    "avem_train.packing": {"emorealm_tasks.sequences"},
}
"""Rooms that are kept small: the only ones of ours that they may know."""


def modules(root=ROOT):
    """Every module's name -> its file."""
    found = {}
    for package in ROOMS:
        base = root / "results" if package == "emorealm_results" else root
        for file in (base / package).rglob("*.py"):
            parts = file.relative_to(base).with_suffix("").parts
            found[".".join(parts).removesuffix(".__init__")] = file
    return found


def imported(name, file, known):
    """Modules of ours that a file imports, wherever in it, also for types only."""
    own = name.split(".") if file.name == "__init__.py" else name.split(".")[:-1]
    found = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = own[: len(own) - node.level + 1] if node.level else []
            module = ".".join([*above, *filter(None, [node.module])])
            found |= {f"{module}.{alias.name}" if f"{module}.{alias.name}" in known else module for alias in node.names}
    return found & known.keys()


def room(name, known):
    """The folder that a module lies in; a module of a package's root, or a room's face, is itself one."""
    parts = name.split(".")
    return name if known[name].name == "__init__.py" or len(parts) == 2 else ".".join(parts[:-1])


def circle(edges):
    """The modules of one circle of imports, [] if there is none."""
    done, path = set(), []

    def walk(name):
        if name in path:
            return path[path.index(name) :]
        if name in done:
            return []
        path.append(name)
        found = next(filter(None, map(walk, sorted(edges[name]))), [])
        path.pop()
        done.add(name)
        return found

    return next(filter(None, map(walk, sorted(edges))), [])


def order():
    """Every room that is listed, with its package before its name: those that know others first."""
    return [package if not rest else f"{package}.{rest}" for package in ROOMS for rest in ["", *ROOMS[package].split()]]


def against(edges, known):
    """The imports that go up: from a room to one before it, or from a package to one that uses it."""
    place = {name: number for number, name in enumerate(order())}
    rooms = [(name, other, room(name, known), room(other, known)) for name in edges for other in edges[name]]
    return [f"{name} -> {other}" for name, other, a, b in rooms if a != b and place[a] > place[b]]


@pytest.fixture(scope="module")
def known():
    return modules()


@pytest.fixture(scope="module")
def edges(known):
    return {name: imported(name, file, known) for name, file in known.items()}


def test_no_files_import_each_other_in_a_circle(edges):
    assert circle(edges) == []


def test_every_import_goes_to_a_room_behind(edges, known):
    assert against(edges, known) == []


def test_every_room_with_code_is_listed_and_every_listed_room_is_there(edges, known):
    """A folder that holds data alone (tasks, recipes) has a module without imports, which nothing imports."""
    with_code = {name for name in edges if edges[name]}.union(*edges.values())
    assert {room(name, known) for name in with_code} <= set(order())
    assert set(order()) <= {room(name, known) for name in known}


@pytest.mark.parametrize("name", PURE)
def test_rooms_that_are_kept_small_know_no_others(name, edges, known):
    told = {room(other, known) for module in edges if room(module, known) == name for other in edges[module]}
    assert told - {name} <= PURE[name]


def test_a_circle_and_an_import_upwards_would_be_found(edges, known):
    """The two checks see what is planted."""
    known = known | {"emorealm_tasks.metrics.planted": Path("planted.py")}
    planted = {"emorealm_tasks.metrics.planted": {"emorealm_tasks.harness.messages"}}
    assert against(edges | planted, known) == ["emorealm_tasks.metrics.planted -> emorealm_tasks.harness.messages"]
    turned = edges | {"emorealm_tasks.errors": {"emorealm_tasks.plugin"}}
    assert {"emorealm_tasks.errors", "emorealm_tasks.plugin"} <= set(circle(turned))
