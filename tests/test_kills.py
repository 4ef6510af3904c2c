"""Processes that are killed at any moment while they change what is kept: afterwards it is old or new, and whole."""

import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import hypothesis
from changing import COLLECTION, OWNER, Texts, check_citations, library_of, settings_of, texts_in

import rag
from rag.library.shelf import Shelf

PROGRAM = Path(__file__).parent / "changing.py"
FEWER = 15
"""Processes cost more than the examples of a property: so many times fewer of them, 4 in the gate and 200 in a soak."""


def killed(home: Path, seed: int, seconds: float) -> tuple[Texts, Texts, int]:
    """What was there before the last change began and what was to be there after it, and how many changes there were,
    where the program is killed so long after it began.
    """
    path = os.pathsep.join([str(Path(rag.__file__).parent.parent), str(PROGRAM.parent)])
    command = [sys.executable, str(PROGRAM), str(home), str(seed)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": path}
    ) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        time.sleep(seconds)
        assert process.poll() is None, "it ended by itself"
        process.kill()
        told = [json.loads(line) for line in [first, *process.stdout] if line.endswith("\n")]
    return told[-2] if len(told) > 1 else told[-1], told[-1], len(told) - 1


def test_whenever_it_is_killed_what_is_kept_is_old_or_new_and_can_be_cited(home: Path) -> None:
    random_, changes = random.Random(7), 0
    for seed in range(max(1, hypothesis.settings().max_examples // FEWER)):
        before, then, count = killed(home, seed, random_.uniform(0, 0.6))
        now = texts_in(home)
        assert now in (before, then)
        changes += count
        library = library_of(settings_of(home))
        if now["collection"]:
            check_citations(library.open(COLLECTION), home)
        shelf = Shelf(library, settings_of(home))
        for entry in shelf.articles(OWNER):
            check_citations(shelf.open(OWNER, entry.id), home)
        shelf.close()
        left = {file: file.read_text(encoding="utf-8") for file in (home / "indexes").rglob("*.txt")}
        assert sorted(left.values()) == sorted([*now["collection"].values(), *now["shelf"].values()]), list(left)
    assert changes > 0
