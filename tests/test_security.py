"""What SECURITY.md says of tests and versions is so."""

from __future__ import annotations

import re
import tomllib
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

import rag

ROOT = Path(rag.__file__).resolve().parent.parent
SECURITY = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
NEEDED = {one.name.lower(): one for one in map(Requirement, PROJECT["dependencies"])}
BOUNDS = [Requirement(bound) for bound in re.findall(r"^\| `([\w.-]+>=[\w.]+)`", SECURITY, re.MULTILINE)]
LOCKED = dict(re.findall(r"^([a-z0-9-]+)==([\w.]+)", (ROOT / "install" / "chat.lock").read_text(), re.MULTILINE))


def test_every_test_that_is_named_exists() -> None:
    named = re.findall(r"`((?:ui/)?test_\w+\.py)`", SECURITY)
    assert len(named) > 30
    assert [name for name in named if not (ROOT / "tests" / name).is_file()] == []


def test_every_file_and_option_that_is_named_exists() -> None:
    for path in re.findall(r"`([a-z]+/[\w/.]+\.(?:py|lock))`", SECURITY):
        assert any((folder / path).is_file() for folder in (ROOT, ROOT / "tests")), path


@pytest.mark.parametrize("bound", BOUNDS, ids=str)
def test_the_lower_bounds_are_those_of_the_advisories(bound: Requirement) -> None:
    assert NEEDED[bound.name].specifier == bound.specifier
    assert bound.specifier.contains(LOCKED[bound.name])
    try:
        assert bound.specifier.contains(version(bound.name))
    except PackageNotFoundError:
        pytest.fail(f"{bound.name} is not installed")


def test_there_are_bounds_and_the_lock_keeps_all_of_ours() -> None:
    assert len(BOUNDS) > 8
    for name, one in NEEDED.items():
        if name in LOCKED:
            assert one.specifier.contains(Version(LOCKED[name])), name
