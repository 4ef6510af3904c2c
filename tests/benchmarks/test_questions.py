"""The questions that ship, and the systems by name."""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path

import pytest

import benchmarks
from benchmarks.__main__ import main
from benchmarks.interleave import QUESTIONS
from benchmarks.systems.bare import SHARED, WORDS, passages
from benchmarks.systems.catalogue import OURS, SYSTEMS
from rag.evaluation.metrics import mentions
from rag.evaluation.questions import Item, read_questions

ITEMS = [item for file in sorted(QUESTIONS.glob("*.jsonl")) for item in read_questions(file)]


def test_three_articles_of_a_few_minutes_with_twelve_questions_of_all_kinds_each() -> None:
    assert len(ITEMS) == 3
    for item in ITEMS:
        assert 400 <= len(item.document.text.split()) <= 700
        kinds = Counter(question.kind for question in item.questions)
        assert sum(kinds.values()) == 12
        assert kinds["unanswerable"] == sum(not question.answerable for question in item.questions) == 3
        assert kinds["why"] >= 2
        assert kinds["compare"] == kinds["yesno"] == kinds["followup"] == 1
        assert all(bool(question.history) == (question.kind == "followup") for question in item.questions)


@pytest.mark.parametrize("item", ITEMS, ids=lambda item: item.document.id)
def test_an_answer_in_the_words_of_the_article_would_count_as_right(item: Item) -> None:
    for question in item.questions:
        words = " ".join(item.document.text[gold.start : gold.end] for gold in question.golds)
        if question.answerable and question.kind != "yesno":
            assert mentions(words, question.must_mention), question.id


def test_every_system_has_a_module_and_its_environment_pinned_versions() -> None:
    folder = Path(benchmarks.__file__).parent
    assert {OURS, "langchain", "llama-index-refusing", "bare", "whole-refusing"} <= set(SYSTEMS)
    for kind in SYSTEMS.values():
        assert (folder / "systems" / f"{kind.module}.py").is_file()
        if kind.environment is not None:
            pins = (folder / "requirements" / f"{kind.environment}.txt").read_text(encoding="utf-8")
            assert pins.count("==") >= 10
            assert "--hash=sha256:" in pins


def test_what_runs_in_the_peers_environments_knows_nothing_of_article_chat() -> None:
    folder = Path(benchmarks.__file__).parent
    for path in (folder / "worker.py", *(folder / "systems").glob("*.py")):
        allowed = {"rag"} if path.stem == "article_chat" else set()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert {name for name in names if name.split(".")[0] in {"rag", "ui"}} <= allowed, path


def test_bare_passages_are_the_articles_own_words_and_leave_none_out() -> None:
    text = ITEMS[0].document.text
    found = passages(text)
    assert all(passage in text for passage in found)
    assert found[0].split() + [word for passage in found[1:] for word in passage.split()[SHARED:]] == text.split()
    assert max(len(passage.split()) for passage in found) == WORDS
    assert passages("Two words.") == ["Two words."]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--systems", "mine"], "--systems must name some of article-chat, "),
        (["--data", "nowhere.jsonl"], "nowhere.jsonl: cannot be read"),
        (["--llm", "none"], "--llm must name a language model"),
        (["--report", "--out", "nowhere"], "nowhere holds no run yet; leave --report out"),
        (["--every", "0"], "--every must be at least 1"),
    ],
)
def test_bad_options_are_one_line(arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert told in error
    assert error.count("\n") == 1
