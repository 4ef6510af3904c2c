"""Question files for drafts, and the drafts: what comes out is read by `evaluate`, `judge` and `checker`."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from rag.evaluation.questions import read_questions
from rag.training.data import Corpus
from rag.training.sample import SHARES, main, sample


@pytest.fixture
def named(corpus: Corpus) -> Corpus:
    """The tiny corpus as if it were the first of the known files."""
    return Corpus(
        tuple(replace(document, source=next(iter(SHARES))) for document in corpus.documents), corpus.questions
    )


@pytest.mark.parametrize("paragraphs", [1, 2])
def test_a_sample_is_a_question_file(named: Corpus, tmp_path: Path, paragraphs: int) -> None:
    file = tmp_path / "questions.jsonl"
    documents = list(sample(named, 20, paragraphs=paragraphs, seed=1))
    file.write_text("".join(json.dumps(document) + "\n" for document in documents))
    items = read_questions(file)  # checks that every answer stands where it says
    assert len(items) == 10
    ids = [question.id for item in items for question in item.questions]
    assert len(set(ids)) == len(ids)
    for item in items:
        assert item.document.text.count("\n\n") == paragraphs - 1
        first = next(question for question in item.questions if question.answerable)
        assert first.text.startswith("Why")  # reasons first
        assert sum(not question.answerable for question in item.questions) >= paragraphs
    if paragraphs == 1:  # one question that only the other paragraph of the article answers
        elsewhere = [q for item in items for q in item.questions if not q.answerable and q.text.startswith("When")]
        assert elsewhere


def test_questions_in_dialogues_stand_behind_another_and_its_answer(named: Corpus, tmp_path: Path) -> None:
    file = tmp_path / "questions.jsonl"
    file.write_text("".join(json.dumps(document) + "\n" for document in sample(named, 20, dialogues=1.0, seed=1)))
    questions = [question for item in read_questions(file) for question in item.questions]
    behind = [question for question in questions if question.history]
    assert len(behind) > len(questions) / 2
    assert all(len(question.history) == 1 and question.history[0].question for question in behind)
    assert any(question.history[0].answer for question in behind)
    assert any(question.answerable for question in behind)


def test_the_same_seed_gives_the_same_sample(named: Corpus) -> None:
    assert list(sample(named, 20, seed=4)) == list(sample(named, 20, seed=4))
    assert list(sample(named, 20, seed=4)) != list(sample(named, 20, seed=5))


def test_the_command_goes_on_where_it_stopped(data: Path, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "squad2_train.jsonl").write_text((data / "town.jsonl").read_text())
    out = tmp_path / "out.jsonl"
    command = [str(folder), "--out", str(out), "--count", "6"]
    assert main(command) == 0
    plain = out.read_text().splitlines()
    out.write_text(plain[0] + "\n")
    assert main(command) == 0
    assert out.read_text().splitlines() == plain
