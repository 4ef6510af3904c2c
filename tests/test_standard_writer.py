"""The standard writer, the reader and the embedder themselves on the article that comes with the program."""

from __future__ import annotations

import os
import shutil
import threading
import time
from pathlib import Path

import pytest

from rag import NO_ANSWER, Answer, Library, Pipeline, Settings, Turn, build_pipeline
from rag.models.catalogue import STANDARD, find

pytestmark = pytest.mark.e2e
SEED = Path(__file__).parent.parent / "seeds" / "hanoi-summit.txt"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home folder with the article."""
    folder = tmp_path_factory.mktemp("home")
    (folder / "seeds").mkdir()
    shutil.copy(SEED, folder / "seeds")
    return folder


@pytest.fixture(scope="module")
def settings(home: Path) -> Settings:
    chosen = Settings(home=home, llm=STANDARD.name, threads=2)
    if find(STANDARD, chosen) is None:
        assert not os.environ.get("CI"), "the standard writer is not here: run `article-chat download`"
        pytest.skip("the standard writer is not here: run `article-chat download`")
    return chosen


@pytest.fixture(scope="module")
def hanoi(settings: Settings) -> Pipeline:
    """The pipeline, which has read the article."""
    pipeline = build_pipeline(Library(settings).open(), settings)
    assert pipeline.study()
    return pipeline


def is_cited(answer: Answer, pipeline: Pipeline) -> bool:
    """Whether it is written, and every citation is exact."""
    documents = pipeline.index.documents
    exact = all(documents[citation.document_id].cites(citation) for citation in answer.citations)
    return exact and not answer.abstained and not any(statement.verbatim for statement in answer.statements)


def test_why_is_answered_in_a_sentence_of_its_own(hanoi: Pipeline) -> None:
    answer = hanoi.answer("why did the talks end?")
    assert is_cited(answer, hanoi)
    assert "sanctions" in answer.text
    assert answer.spoken[0].isupper()
    assert answer.spoken not in [citation.quote for citation in answer.citations]
    first = answer.citations[answer.statements[0].citations[0] - 1]
    assert "sanctions be dropped" in first.quote


def test_a_follow_up_is_answered_from_what_was_said(hanoi: Pipeline) -> None:
    first = "Who is Otto Warmbier?"
    before = hanoi.answer(first)
    answer = hanoi.answer("when was he released from prison?", [Turn(first, before.spoken)])
    assert is_cited(answer, hanoi)
    assert "2017" in answer.text


@pytest.mark.parametrize("question", ["How much did the summit cost?", "What is the capital of France?"])
def test_what_the_article_does_not_say_is_refused(hanoi: Pipeline, question: str) -> None:
    assert hanoi.answer(question).text == NO_ANSWER


def test_a_question_that_assumes_what_is_false_is_not_agreed_with(hanoi: Pipeline) -> None:
    answer = hanoi.answer("Did Trump and Kim sign an agreement in Hanoi?")
    assert answer.abstained or answer.spoken.startswith("No")


def test_both_sides_are_told_with_their_words(hanoi: Pipeline) -> None:
    answer = hanoi.answer("What did Schumer and Pelosi say about the summit?")
    assert is_cited(answer, hanoi)
    assert "Schumer" in answer.text
    assert "Pelosi" in answer.text


def test_another_process_goes_on_with_what_was_read(hanoi: Pipeline, settings: Settings, home: Path) -> None:
    (state,) = (home / "indexes" / "seeds" / "read").iterdir()
    assert state.stat().st_size > 10_000_000
    again = build_pipeline(Library(settings).open(), settings)
    told: list[tuple[int, int]] = []
    assert again.study(lambda done, total: told.append((done, total)))
    assert [done == total for done, total in told] == [True]  # all at once: there was nothing left to read
    question = "Who is North Korea's foreign minister?"
    assert again.answer(question).text == hanoi.answer(question).text


def test_stop_ends_the_writing_and_frees_the_model(hanoi: Pipeline) -> None:
    stop = threading.Event()
    for step in hanoi.stream("Tell me more about Otto Warmbier", stopped=stop.is_set):
        if step.stage == "write":
            threading.Timer(0.5, stop.set).start()
            begun = time.monotonic()
    assert step.stage == "done"
    assert not any(not statement.verbatim for statement in step.answer.statements)
    assert stop.is_set()
    assert time.monotonic() - begun < 60
    assert hanoi.answer("Who is North Korea's foreign minister?").statements
