"""The page's server under several visitors at once: what they see is counted, and an answer to another's is seen."""

from __future__ import annotations

import signal
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from benchmarks import load
from benchmarks.load import Seen, Visitor

SERVE = """
import sys
sys.path.insert(0, sys.argv[3])
from fakes import FakeEmbedder, OverlapChecker, OverlapReader, ScriptedModel
from rag import Pipeline
from rag.cli import main
from ui import app

def build(index, settings):
    return Pipeline(index, reader=OverlapReader(), checker=OverlapChecker(), model=ScriptedModel(), settings=settings)

app.build_pipeline = build
sys.exit(main(["serve", "--home", sys.argv[1], "--port", sys.argv[2]], embedder=FakeEmbedder()))
"""


def test_what_visitors_see_is_counted_and_the_server_ends(tmp_path: Path) -> None:
    questions = load.prepare(load.QUESTIONS / "invented.jsonl", tmp_path)
    tests = Path(__file__).parent.parent
    command = [sys.executable, "-c", SERVE, str(tmp_path), str(load.free_port()), str(tests)]
    found = load.measure(command, questions, visitors=3, minutes=0.1, impatient=0.5)
    assert found.asked >= found.answered > 0
    assert (found.busy, found.mixed, found.errors, found.ended_with) == (0, 0, {}, -signal.SIGTERM)
    assert found.waited_p50_s is not None
    assert found.waited_p95_s is not None
    assert 0 < found.waited_p50_s <= found.waited_p95_s
    assert found.health_longest_s is not None


def test_an_answer_to_anothers_question_is_seen() -> None:
    seen = Seen()
    visitor = Visitor("", 1, [], impatient=0.0, seen=seen, over=threading.Event())
    visitor.own.add("Who is “he”? (visitor 1)")
    shown = '<p class="question"><span class="unseen">You asked&#58; </span>Who is “he”&#63; &#40;visitor {}&#41;</p>'
    visitor.look([["replace", [], shown.format(1)]])
    assert seen.mixed == 0
    visitor.look(shown.format(1) + shown.format(2))
    assert seen.mixed == 1


def test_a_server_that_does_not_start_is_told_in_one_line(capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    assert load.main(["--visitors", "1", "--minutes", "0.1"]) == 2
    assert capsys.readouterr().err.startswith("benchmarks.load: the server did not start: ")
