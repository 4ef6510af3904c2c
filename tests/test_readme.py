"""What the README, and those for contributors, say of commands, settings, targets and files is so."""

from __future__ import annotations

import argparse
import re
import shlex
import subprocess
from dataclasses import fields
from pathlib import Path

import pytest

import rag
from rag.cli.arguments import build_parser
from rag.settings import ENVIRONMENT_PREFIX, Settings

ROOT = Path(rag.__file__).resolve().parent.parent
README, CONTRIBUTING, ARCHITECTURE = (
    (ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "CONTRIBUTING.md", "docs/architecture.md")
)
PARSER = build_parser()
COMMANDS: dict[str, argparse.ArgumentParser] = next(
    action.choices for action in PARSER._actions if isinstance(action, argparse._SubParsersAction)
)
CODE = [
    *re.findall(r"^    (\S.*)$", README, re.MULTILINE),
    *(" ".join(inline.split()) for inline in re.findall(r"`([^`]+)`", README)),
]
LINES = [
    line
    for code in CODE
    if (line := re.sub(r"^(\S*/)?article-chat (?=\S)", "", code)) != code or code.split()[0] in COMMANDS
]
"""The command lines, without the program's name."""


def targets() -> set[str]:
    """What `make help` lists."""
    told = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return set(re.findall(r"^make ([a-z-]+)", told, re.MULTILINE))


@pytest.mark.parametrize("line", [line for line in LINES if line not in {"--help", *COMMANDS}])
def test_every_command_line_is_accepted(line: str) -> None:
    words = shlex.split(line)
    assert PARSER.parse_args(words).command == words[0]


def test_every_command_is_told_of_and_there_is_no_other() -> None:
    assert {line.split()[0] for line in LINES} - {"--help"} == set(COMMANDS)


def test_help_lists_every_command() -> None:
    listed = re.findall(r"^    (\w+)", PARSER.format_help().partition("\ncommands:\n")[2], re.MULTILINE)
    assert set(listed) == set(COMMANDS)


@pytest.mark.parametrize("option", [code.split()[0] for code in CODE if code.startswith("--")])
def test_every_option_exists(option: str) -> None:
    assert option in {name for parser in (PARSER, *COMMANDS.values()) for name in parser._option_string_actions}


def test_every_target_of_make_exists_and_the_two_that_all_need_come_first() -> None:
    named = re.findall(r"(?:^    |`)make ([a-z-]+)", README + CONTRIBUTING, re.MULTILINE)
    assert named[:2] == ["chat", "test"]
    assert set(named) <= {*targets(), "help"}


@pytest.mark.parametrize(
    "path", sorted(set(re.findall(r"`([\w.]+/[\w./]+\.(?:py|sh|lock))", README + CONTRIBUTING + ARCHITECTURE)))
)
def test_every_file_that_is_named_exists(path: str) -> None:
    assert any((folder / path).is_file() for folder in (ROOT, ROOT / "rag"))


def test_make_help_lists_every_target_for_people() -> None:
    phony = re.findall(r"^\.PHONY: (.+)$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)[0]
    assert set(phony.split()) - {"help", "always"} == targets()


def test_every_setting_that_is_named_exists() -> None:
    variables = {name.lower() for name in re.findall(rf"{ENVIRONMENT_PREFIX}([A-Z_]+)", README)}
    keys = {key for code in CODE for key in re.findall(r"^([a-z_]+) = \S+$", code) if "(" not in code}
    assert variables
    assert keys
    assert variables | keys <= {field.name for field in fields(Settings)}
