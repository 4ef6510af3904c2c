"""An article's summary, outline, questions and timeline: what is in them, and that people's questions go first."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import pytest
from fakes import FakeEmbedder, GatedModel, OverlapChecker, OverlapReader, ScriptedModel

from rag.answer.digest import MOST_DATES, MOST_QUESTIONS, SUMMARISE, Digest, Digests, digest, timeline
from rag.answer.pipeline import Pipeline
from rag.errors import ModelError
from rag.library.index import Chunking, PassageIndex
from rag.models.llm import LanguageModel, Prompt, Token
from rag.settings import Settings
from rag.types import Document

TEXT = """\
Ms Okafor said repairs of the Northern Dam would cost 40 million. The Northern Dam was built in 1911 by Clara Lindt.

Mr Lund said the flood of 12 May 1875 took the old bridge away. A second flood came in 1874, before there was a dam.

Dr Weiss said eels live in the lake behind the dam. Mrs Hale said anglers come for them from far away on Sundays.
"""


def document(text: str = TEXT, name: str = "dam") -> Document:
    return Document(id=name, title=name.title(), text=text, source="")


@pytest.fixture
def over(settings: Settings) -> Callable[..., Pipeline]:
    """A pipeline over documents, drafting with a model, in quotes without."""

    def over(*documents: Document, model: LanguageModel | None = None) -> Pipeline:
        index = PassageIndex.build(documents or [document()], embedder=FakeEmbedder(), chunking=Chunking(40, 15))
        return Pipeline(index, reader=OverlapReader(), checker=OverlapChecker(), model=model, settings=settings)

    return over


def last(steps: Iterator[Digest]) -> Digest:
    *_, complete = steps
    return complete


def test_each_line_is_quoted_from_the_article(over: Callable[..., Pipeline]) -> None:
    article, made = document(), last(digest(over()))
    assert made.complete
    assert made.summary is not None
    assert len(made.summary.statements) == len(made.summary.citations) == 3
    starts = [citation.start for citation in made.summary.citations]
    assert starts == sorted(starts)
    assert {answer.question for answer in made.questions} >= {"What did Ms Okafor say?", "What did Mr Lund say?"}
    assert 1 < len(made.questions) <= MOST_QUESTIONS
    answers = (made.summary, *made.questions)
    quotes = [*made.outline, *(dated.citation for dated in made.timeline)]
    quotes += [citation for answer in answers for citation in answer.citations]
    assert made.outline
    assert all(article.cites(quote) for quote in quotes)
    assert all(statement.citations for answer in answers for statement in answer.statements)


def test_no_two_questions_are_answered_with_the_same_words(over: Callable[..., Pipeline]) -> None:
    text = "Mr Lund said Ms Okafor said the repairs would cost 40 million crowns in all."
    made = last(digest(over(document(text))))
    assert made.complete
    assert len(made.questions) == 1


def test_it_grows_part_by_part_and_ends_with_all_its_parts(over: Callable[..., Pipeline]) -> None:
    steps = list(digest(over()))
    assert [step.done for step in steps[:5]] == [0, 1, 2, 3, 4]
    assert [step.done for step in steps] == sorted(step.done for step in steps)
    assert [step.complete for step in steps[:-1]].count(True) == 0
    assert steps[1].outline == steps[-1].outline
    assert (steps[1].timeline, steps[2].timeline) == ((), steps[-1].timeline)
    assert steps[-1].done == 4 + len(steps[-1].questions)


def test_what_a_writer_says_is_shown_only_where_the_article_says_it(over: Callable[..., Pipeline]) -> None:
    model = ScriptedModel(["The Northern Dam was built in 1911 by Clara Lindt. Bakers sang loudly."], reads=True)
    made = last(digest(over(model=model)))
    assert made.summary is not None
    assert made.summary.question == SUMMARISE
    assert made.summary.text == "The Northern Dam was built in 1911 by Clara Lindt. [1]"
    assert len(model.studied) == 1  # it has read the article before it wrote


def test_the_timeline_is_in_the_order_of_its_dates(over: Callable[..., Pipeline]) -> None:
    dated = timeline(over().index)
    assert [(d.date, d.citation.around_highlight()[1]) for d in dated] == [
        ("1874", "1874"),
        ("1875-05-12", "12 May 1875"),
        ("1911", "1911"),
    ]
    assert [d.citation.number for d in dated] == [1, 2, 3]


def test_dates_without_a_year_come_last_in_the_order_of_the_text(over: Callable[..., Pipeline]) -> None:
    text = "It closed on 3 June. It was built in 1911. It opens on 2 May. It burned in the 1870s, and in 1874.\n"
    index = over(document(text)).index
    assert [d.date for d in timeline(index)] == ["187X", "1911", "XXXX-06-03", "XXXX-05-02"]


def test_one_date_is_no_timeline_and_of_many_there_are_so_many(over: Callable[..., Pipeline]) -> None:
    assert timeline(over(document("It was built in 1911. It is of stone.")).index) == ()
    years = " ".join(f"The mill was sold once more in {year}." for year in range(1850, 1900))
    dates = [dated.date for dated in timeline(over(document(years)).index)]
    assert len(dates) == MOST_DATES
    assert dates == sorted(dates)


def test_several_articles_have_a_digest_together(over: Callable[..., Pipeline]) -> None:
    mill = document("Mr Brandt said the mill was closed for good. It was built in 1850.", "mill")
    made = last(digest(over(document(), mill)))
    assert {line.document_id for line in made.outline} == {"dam", "mill"}
    assert {dated.citation.document_id for dated in made.timeline} == {"dam", "mill"}
    assert "What did Mr Brandt say?" in [answer.question for answer in made.questions]


def test_what_is_written_while_somebody_asks_is_given_up_and_written_anew(over: Callable[..., Pipeline]) -> None:
    summary = "The Northern Dam was built in 1911 by Clara Lindt."
    model = GatedModel(summary)
    model.reads = True
    busy = threading.Event()
    digests, pipeline = Digests(busy.is_set), over(model=model)
    digests.of(pipeline)
    assert model.begun.wait(60)
    busy.set()
    assert model.was_stopped.wait(60)
    assert digests.of(pipeline).done == 2
    assert digests.of(pipeline).outline
    model.gate.set()
    busy.clear()
    made = finished(digests, pipeline)
    digests.stop()
    assert made.summary is not None
    assert made.summary.text == f"{summary} [1]"


def finished(digests: Digests, pipeline: Pipeline) -> Digest:
    deadline = time.monotonic() + 60
    while not ((made := digests.of(pipeline)).complete or made.failure) and time.monotonic() < deadline:
        time.sleep(0.01)
    return made


def test_it_is_made_once_in_the_background_and_forgotten_with_its_article(over: Callable[..., Pipeline]) -> None:
    busy = threading.Event()
    digests, pipeline = Digests(busy.is_set), over()
    made = finished(digests, pipeline)
    assert made.complete
    assert digests.of(pipeline) is made
    busy.set()
    digests.forget("mill")
    assert digests.of(pipeline) is made
    digests.forget("dam")
    assert digests.of(pipeline).done == 0
    digests.stop()


def test_it_can_be_given_up_while_it_is_written_and_asked_for_anew(over: Callable[..., Pipeline]) -> None:
    model = GatedModel("The Northern Dam was built in 1911 by Clara Lindt.")
    model.reads = True
    digests, pipeline = Digests(), over(model=model)
    digests.of(pipeline)
    assert model.begun.wait(60)
    digests.give_up(pipeline)
    assert digests.of(pipeline) == Digest()
    assert model.was_stopped.wait(60)
    model.gate.set()
    assert finished(digests, pipeline).complete
    digests.stop()


def test_it_ends_with_the_server_while_it_is_written_and_while_it_waits(over: Callable[..., Pipeline]) -> None:
    model = GatedModel()
    model.reads = True
    digests = Digests()
    digests.of(over(model=model))
    assert model.begun.wait(60)
    digests.stop()
    assert model.was_stopped.is_set()
    waiting = Digests(lambda: True)
    waiting.of(over())
    waiting.stop()
    assert waiting.of(over()).done == 0


class BrokenModel(ScriptedModel):
    """Cannot be loaded."""

    def generate(
        self, prompt: Prompt, *, max_tokens: int, seconds: float, stopped: Callable[[], bool], avoid: str = ""
    ) -> Iterator[Token]:
        raise ModelError("the model cannot be loaded")


def test_what_fails_is_told_with_what_there_is(over: Callable[..., Pipeline]) -> None:
    digests = Digests()
    made = finished(digests, over(model=BrokenModel(reads=True)))
    digests.stop()
    assert made.failure == "the model cannot be loaded"
    assert not made.complete
    assert made.outline
    assert made.timeline


def test_its_json_has_the_documented_fields(over: Callable[..., Pipeline]) -> None:
    told = last(digest(over())).to_json()
    assert set(told) == {"complete", "done", "parts", "failure", "summary", "outline", "questions", "timeline"}
    assert told["timeline"][0]["date"] == "1874"
    assert told["timeline"][0]["citation"]["quote"] == "A second flood came in 1874, before there was a dam."
    assert told["summary"]["question"] == SUMMARISE
