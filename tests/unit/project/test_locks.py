"""locks/ and pyproject.toml agree: what `make` installs is what the package asks for, on each platform named there."""

import re
import tomllib
from itertools import product
from pathlib import Path

import pytest
from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[3]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PYTHONS = ("3.11", "3.12", "3.13")
PLATFORMS = (("linux", "x86_64"), ("linux", "aarch64"), ("darwin", "arm64"))
EXTRAS = {"dev": set(PROJECT["project"]["optional-dependencies"]) - {"vllm"}, "vllm": {"vllm"}}
REMEDY = "make lock LOCK="


def read(name):
    """The pins of a lock: (requirement, hashes) each."""
    text = (ROOT / "locks" / f"{name}.txt").read_text()
    entries = re.split(r"\n(?=[a-z0-9])", re.sub(r"(?m)^\s*#.*\n", "", text).strip())
    return [
        (Requirement(entry.split(" \\\n")[0]), re.findall(r"--hash=sha256:([0-9a-f]{64})", entry)) for entry in entries
    ]


def environments():
    for python, (system, machine) in product(PYTHONS, PLATFORMS):
        yield {
            "python_version": python,
            "python_full_version": f"{python}.7",
            "sys_platform": system,
            "platform_machine": machine,
            "platform_system": {"linux": "Linux", "darwin": "Darwin"}[system],
            "platform_python_implementation": "CPython",
            "implementation_name": "cpython",
            "os_name": "posix",
        }


def pinned(pins, environment):
    """Name -> version of what the lock installs there."""
    found = {}
    for requirement, _ in pins:
        if requirement.marker is None or requirement.marker.evaluate(environment):
            name = canonicalize_name(requirement.name)
            assert name not in found, f"{name} has two versions in {environment}"
            (specifier,) = requirement.specifier
            found[name] = specifier.version
    return found


def asked(extras, environment):
    """What pyproject.toml asks for there, with these extras."""
    project = PROJECT["project"]
    lines = project["dependencies"] + [line for extra in extras for line in project["optional-dependencies"][extra]]
    found = map(Requirement, lines)
    return [line for line in found if line.marker is None or line.marker.evaluate(environment)]


def disagreements(pins, extras, environment):
    versions = pinned(pins, environment)
    for requirement in asked(extras, environment):
        version = versions.get(canonicalize_name(requirement.name))
        if version is None or not requirement.specifier.contains(version, prereleases=True):
            yield f"{requirement} but the lock has {version}: {REMEDY}"


@pytest.mark.parametrize("environment", list(environments()), ids=lambda e: " ".join(list(e.values())[1:4]))
@pytest.mark.parametrize("lock", ["dev", "vllm"])
def test_the_lock_meets_every_requirement(lock, environment):
    assert list(disagreements(read(lock), EXTRAS[lock], environment)) == []


@pytest.mark.parametrize("lock", ["dev", "vllm"])
def test_the_lock_has_nothing_that_is_asked_for_no_more(lock):
    """uv writes beside each pin who asked for it."""
    text = (ROOT / "locks" / f"{lock}.txt").read_text()
    blocks = re.split(r"\n(?=[a-z0-9])", text)[1:]
    ours = {re.match(r"[a-z0-9._-]+", block)[0] for block in blocks if "emorealm (pyproject.toml)" in block}
    names = {canonicalize_name(line.name) for e in environments() for line in asked(EXTRAS[lock], e)}
    assert ours == names, REMEDY


@pytest.mark.parametrize("lock", ["dev", "vllm", "build", "uv"])
def test_every_pin_is_exact_and_hashed_and_no_address_is_named(lock):
    for requirement, hashes in read(lock):
        assert [s.operator for s in requirement.specifier] == ["=="], requirement
        assert hashes, requirement
    assert "://" not in (ROOT / "locks" / f"{lock}.txt").read_text()


def test_the_build_backend_is_locked():
    (requirement,) = map(Requirement, PROJECT["build-system"]["requires"])
    assert requirement.specifier.contains(pinned(read("build"), next(environments()))[requirement.name])


def test_the_pythons_and_platforms_are_those_of_pyproject():
    wanted = SpecifierSet(PROJECT["project"]["requires-python"])
    assert [minor for minor in range(8, 20) if f"3.{minor}" in wanted] == [int(p.split(".")[1]) for p in PYTHONS]
    markers = list(map(Marker, PROJECT["tool"]["uv"]["environments"]))
    for environment in environments():
        assert sum(marker.evaluate(environment) for marker in markers) == 1
    assert len(markers) == len(PLATFORMS)


def test_a_new_bound_that_the_lock_does_not_meet_is_found():
    """The test itself notices: filelock's pin against a bound it breaks, and a requirement the lock lacks."""
    environment = next(environments())
    pins = [(Requirement("filelock==4.3.1"), []), *((r, h) for r, h in read("dev") if r.name not in ("filelock", "av"))]
    found = list(disagreements(pins, EXTRAS["dev"], environment))
    assert [line.split(" but ")[0] for line in found] == ["filelock<4.3", "av<16,>=13"]


def test_what_make_installs_has_no_pre_release():
    for requirement, _ in read("dev"):
        (specifier,) = requirement.specifier
        assert not Version(specifier.version).is_prerelease, requirement
