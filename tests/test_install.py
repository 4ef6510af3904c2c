"""The ways to install: what is packaged, and that what starts the program elsewhere starts it rightly."""

from __future__ import annotations

import configparser
import json
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

import rag
from rag.cli.arguments import build_parser
from rag.settings import ENVIRONMENT_PREFIX, Settings

ROOT = Path(rag.__file__).resolve().parent.parent
DOCKERFILE = (ROOT / "install" / "Dockerfile").read_text(encoding="utf-8")


def test_the_wheel_has_all_that_the_program_reads(tmp_path: Path) -> None:
    source = tmp_path / "source"
    for name in ("rag", "ui"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("node_modules", "__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*command, "--wheel-dir", str(tmp_path), str(source)], check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        packed = set(archive.namelist())
    wanted = {
        str(path.relative_to(ROOT))
        for folder in (ROOT / "rag", ROOT / "ui" / "assets")
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert {"rag/weights/judge.json", "ui/assets/page.js", "rag/models/server.py"} <= wanted
    assert wanted <= packed
    assert {name.split("/")[0] for name in packed if ".dist-info/" not in name} == {"rag", "ui"}


def test_installed_it_keeps_its_indexes_in_the_users_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("rag.settings.__file__", str(tmp_path / "site-packages" / "rag" / "settings.py"))
    monkeypatch.setenv("HOME", str(tmp_path))
    assert Settings().home == tmp_path / ".article-chat"


def commands() -> list[list[str]]:
    """The command lines of the container and of the service."""
    unit = configparser.ConfigParser(interpolation=None)
    unit.optionxform = str  # type: ignore[assignment, method-assign]
    unit.read(ROOT / "install" / "article-chat.service", encoding="utf-8")
    container = json.loads(re.findall(r"^CMD (\[.*\])$", DOCKERFILE, re.MULTILINE)[0])
    return [container, shlex.split(unit["Service"]["ExecStart"])]


@pytest.mark.parametrize("command", commands(), ids=["container", "service"])
def test_what_starts_it_elsewhere_is_a_command_line_that_it_takes(command: list[str]) -> None:
    assert Path(command[0]).name == "article-chat"
    assert build_parser().parse_args(command[1:]).command == "serve"


def test_the_container_sets_what_can_be_set_and_copies_from_what_is_there() -> None:
    settings = {name.lower() for name in re.findall(rf"{ENVIRONMENT_PREFIX}([A-Z_]+)=", DOCKERFILE)}
    assert settings
    assert settings <= set(Settings.__slots__)
    needed = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["requires-python"]
    assert needed == ">=3.11"
    assert all(int(minor) >= 11 for minor in re.findall(r"^FROM python:3\.(\d+)", DOCKERFILE, re.MULTILINE))


def test_a_shell_completes_the_commands(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "shtab", "--shell", "bash", "rag.cli.arguments.build_parser"]
    script = tmp_path / "article-chat"
    script.write_bytes(subprocess.run(command, cwd=ROOT, check=True, capture_output=True).stdout)
    function = script.read_text(encoding="utf-8").rpartition(" -F ")[2].split()[0]
    asked = f"source {script}; COMP_WORDS=(article-chat ser); COMP_CWORD=1; {function}; echo ${{COMPREPLY[@]}}"
    told = subprocess.run(["bash", "-c", asked], check=True, capture_output=True, text=True).stdout
    assert told.split() == ["serve", "servers"]
