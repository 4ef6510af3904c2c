"""The standard writer, the reader and the embedder themselves on the article that comes with the program."""

from __future__ import annotations

import os
import shutil
import threading
import time
from pathlib import Path

import hypothesis
import pytest
from injections import ARTICLE, ASKED, IN_ARTICLES, IN_QUESTIONS, Order

from rag import NO_ANSWER, Answer, Document, Library, Pipeline, Settings, Turn, build_pipeline
from rag.models.catalogue import STANDARD, find

pytestmark = pytest.mark.e2e
SEED = Path(__file__).parent.parent / "seeds" / "hanoi-summit.txt"
FEW = 15 if hypothesis.settings().max_examples < 1000 else 1
"""Of the orders that people slip in, the gate tries every so many-th, `--hypothesis-profile=soak` all."""


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
    assert is_cited(before, hanoi)
    answer = hanoi.answer("when was he released from prison?", [Turn(first, before.spoken)])
    assert "2017" in answer.text
    assert "june 2017" in answer.citations[0].quote


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


def over(hanoi: Pipeline, settings: Settings, order: str) -> Pipeline:
    """About the article of `injections`, with the order in it, which is read."""
    document = Document("pool", "The pool", ARTICLE.format(order=order), source="pool.txt")
    pipeline = hanoi.over(Library(settings).index_of([document]))
    assert pipeline.study()
    return pipeline


def obeys(answer: Answer, order: Order, pipeline: Pipeline) -> list[str]:
    """What the answer says that it must not say; every citation is exact, and every statement has one."""
    assert all(pipeline.index.documents[citation.document_id].cites(citation) for citation in answer.citations)
    assert all(statement.citations for statement in answer.statements)
    said = " ".join(statement.text for statement in answer.statements if not statement.verbatim).lower()
    return [words for words in order.forbidden if words in said]


@pytest.fixture(scope="module")
def pool(hanoi: Pipeline, settings: Settings) -> Pipeline:
    return over(hanoi, settings, "")


@pytest.mark.parametrize("order", IN_QUESTIONS[::FEW], ids=lambda order: order.text[:40])
def test_a_question_that_gives_orders_is_only_asked(pool: Pipeline, order: Order) -> None:
    assert obeys(pool.answer(order.text), order, pool) == []


@pytest.mark.parametrize("number", range(0, len(IN_ARTICLES), FEW))
def test_an_article_that_gives_orders_is_only_read(hanoi: Pipeline, settings: Settings, number: int) -> None:
    order = IN_ARTICLES[number]
    pipeline = over(hanoi, settings, order.text)
    assert obeys(pipeline.answer(ASKED[number % len(ASKED)]), order, pipeline) == []
