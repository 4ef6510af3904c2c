import asyncio
import json
import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest
from fakes import FakeEmbedder, GatedModel, OverlapChecker, OverlapReader, ScriptedModel

from rag.answer.grounding import check
from rag.answer.pipeline import Pipeline, Progress
from rag.answer.question import clean_question
from rag.errors import UsageError
from rag.library.index import Chunking, PassageIndex
from rag.settings import Settings
from rag.types import (
    NO_ANSWER,
    NONE_SAYS,
    NONE_SAYS_MORE,
    NOTHING_ELSE,
    STAGES,
    Document,
    Quote,
    Reading,
    RetrievedPassage,
    Span,
    Turn,
)


class OneQuoteReader(OverlapReader):
    """Quotes the best sentence only."""

    def read(
        self, question: str, documents: Mapping[str, Document], passages: Sequence[RetrievedPassage], *, max_quotes: int
    ) -> Reading:
        return super().read(question, documents, passages, max_quotes=1)


def index_of(text: str) -> PassageIndex:
    return PassageIndex.build([Document("d", "D", text, "")], embedder=FakeEmbedder(), chunking=Chunking(40, 15))


def test_a_supported_draft_is_shown_with_its_citation(pipeline: Pipeline, model: ScriptedModel) -> None:
    model.replies.append("Clara Lindt founded the maritime museum in 1911.")
    answer = pipeline.answer("Who founded the maritime museum?")
    assert answer.text == "Clara Lindt founded the maritime museum in 1911. [1]"
    assert not answer.abstained
    text = pipeline.index.documents["harbour-news"].text
    assert [c.number for c in answer.citations] == list(range(1, len(answer.citations) + 1))
    assert all(text[c.start : c.end] == c.quote for c in answer.citations)
    assert "Clara Lindt founded" in answer.citations[0].quote


@pytest.mark.parametrize(
    "draft",
    [
        "Clara Lindt founded the maritime museum in 1912.",
        "Otto Brandt founded the maritime museum in 1911.",
        "Clara Lindt did not found the maritime museum.",
        "The maritime museum founded Clara Lindt in 1911.",
        "Clara Lindt founded the maritime museum in 1911 and",
        "",
        "\n\n",
    ],
)
def test_an_unsupported_or_unfinished_draft_gives_way_to_the_quote(
    pipeline: Pipeline, model: ScriptedModel, draft: str
) -> None:
    model.replies.append(draft)
    answer = pipeline.answer("Who founded the maritime museum?")
    assert answer.text == f"“{' '.join(answer.citations[0].quote.split())}” [1]"


def test_sentences_after_an_unsupported_one_are_dropped(pipeline: Pipeline, model: ScriptedModel) -> None:
    model.replies.append("Clara Lindt founded the maritime museum in 1911. She was born in Zurich. It was 1911.")
    assert pipeline.answer("Who founded the maritime museum?").text.endswith("in 1911. [1]")


def test_a_true_draft_that_leaves_out_the_answer_gives_way_to_the_quote(settings: Settings) -> None:
    text = "Anna Brandt refined this work by showing that fire needs air."
    index = index_of(text)

    class FireReader:
        name = "finds fire, else the first word"

        def read(
            self, _: str, documents: Mapping[str, Document], passages: Sequence[RetrievedPassage], *, max_quotes: int
        ) -> Reading:
            passage = passages[0].passage
            at = max(0, passage.text.find("fire"))
            highlight = Span(at, passage.text.index(" ", at))
            return Reading((Quote(passage.document_id, passage.span, passage.text, 0.9, highlight),), 0.9)

    def ask(draft: str) -> str:
        model = ScriptedModel([draft])
        return (
            Pipeline(index, reader=FireReader(), checker=OverlapChecker(), model=model, settings=settings)
            .answer("What did she show?")
            .text
        )

    assert check("Anna Brandt refined this work.", text).supported
    assert ask("Anna Brandt refined this work.") == f"“{text}” [1]"
    assert ask(text) == f"{text} [1]"


def test_a_question_about_two_sides_shows_both(settings: Settings) -> None:
    text = "Anna Brandt wanted a bridge. The rain fell on the harbour for days. Otto Lindt wanted a tunnel."
    index = index_of(text)
    asked = Pipeline(index, reader=OneQuoteReader(), checker=OverlapChecker(), settings=settings)
    quotes = [c.quote for c in asked.answer("What did Otto Lindt and Anna Brandt want?").citations]
    assert sorted(quotes) == ["Anna Brandt wanted a bridge.", "Otto Lindt wanted a tunnel."]
    assert len(asked.answer("What did Otto Lindt want?").citations) == 1


def test_asked_again_it_answers_from_the_next_best_quotes_until_there_are_none(pipeline: Pipeline) -> None:
    question, seen = "Who founded the maritime museum?", []
    for _ in range(20):
        *_, last = pipeline.stream(question, exclude=seen)
        if last.answer.abstained:
            break
        shown = {(c.document_id, c.start) for c in seen}
        assert shown.isdisjoint((c.document_id, c.start) for c in last.answer.citations)
        seen += last.answer.citations
    assert last.answer.text == NOTHING_ELSE
    assert len(seen) > 1


def test_a_quote_far_less_likely_than_the_best_is_shown_only_when_asked_again(settings: Settings) -> None:
    text = "One mill burned. Two mills stood. Three mills fell."
    index = index_of(text)

    class ThreeQuoteReader:
        name = "three quotes"

        def read(
            self, _: str, documents: Mapping[str, Document], passages: Sequence[RetrievedPassage], *, max_quotes: int
        ) -> Reading:
            found = zip(passages[0].passage.sentences, (0.9, 0.3, 0.2), strict=True)
            quotes = [Quote("d", span, text[span.start : span.end], score) for span, score in found]
            return Reading(tuple(quotes[:max_quotes]), 0.9)

    asked = Pipeline(index, reader=ThreeQuoteReader(), checker=OverlapChecker(), settings=settings)
    first = asked.answer("Which mills?").citations
    assert [c.score for c in first] == [0.9, 0.3]
    *_, again = asked.stream("Which mills?", exclude=first)
    assert [c.score for c in again.answer.citations] == [0.2]


def test_only_the_first_line_of_a_draft_counts(pipeline: Pipeline, model: ScriptedModel) -> None:
    model.replies.append("Clara Lindt founded the maritime museum in 1911.\nQuote: The museum burned down.")
    assert pipeline.answer("Who founded the maritime museum?").text.endswith("in 1911. [1]")


def test_the_model_sees_the_question_the_short_answer_and_the_best_quote_only(
    pipeline: Pipeline, model: ScriptedModel
) -> None:
    answer = pipeline.answer("Who founded the maritime museum?")
    quote = " ".join(answer.citations[0].quote.split())
    question = "Who founded the maritime museum?"
    assert (
        model.prompts[0].messages[-1].content == f"Question: {question}\nAnswer: {answer.short_answer}\nQuote: {quote}"
    )
    pipeline.answer("How much will the repairs to the northern dam cost?")
    assert model.prompts[0].messages[:-1] == model.prompts[1].messages[:-1]


@pytest.mark.parametrize("question", ["What did Napoleon eat?", "Write a poem about spring", "xyzzy plugh"])
def test_what_the_article_does_not_say_is_refused_without_asking_the_model(
    pipeline: Pipeline, model: ScriptedModel, question: str
) -> None:
    answer = pipeline.answer(question)
    assert answer.abstained
    assert answer.text == NO_ANSWER
    assert answer.citations == ()
    assert answer.short_answer is None
    assert answer.passages
    assert model.prompts == []


def test_the_stages_come_in_order_and_quotes_before_sentences(pipeline: Pipeline, model: ScriptedModel) -> None:
    model.replies.append("Clara Lindt founded the maritime museum in 1911.")
    steps = list(pipeline.stream("Who founded the maritime museum?"))
    assert [step.stage for step in steps] == ["retrieve", "read", "write", "attribute", "check", "done"]
    assert steps[2].answer.citations
    assert steps[2].answer.text == ""
    assert [steps[-1].answer.text.startswith("Clara"), steps[-2].answer.text] == [True, ""]
    assert set(steps[-1].answer.timings_ms) == set(STAGES)


def test_stopping_shows_the_quote(pipeline: Pipeline, model: ScriptedModel) -> None:
    stop = threading.Event()
    model.replies.append("Clara Lindt founded the maritime museum in 1911.")
    for step in pipeline.stream("Who founded the maritime museum?", stopped=stop.is_set):
        if step.stage == "write":
            stop.set()
    assert step.answer.statements[0].verbatim
    assert step.answer.text.startswith("“Clara Lindt founded")


def test_the_steps_are_the_same_for_asynchronous_programs(pipeline: Pipeline, model: ScriptedModel) -> None:
    question, reply = "Who founded the maritime museum?", "Clara Lindt founded the maritime museum in 1911."

    async def steps() -> list[Progress]:
        return [step async for step in pipeline.astream(question)]

    model.replies += [reply, reply]
    told, expected = asyncio.run(steps()), list(pipeline.stream(question))
    assert [step.stage for step in told] == [step.stage for step in expected]
    assert told[-1].answer.statements == expected[-1].answer.statements
    with pytest.raises(UsageError):
        asyncio.run(anext(pipeline.astream("")))


def test_who_is_cancelled_stops_the_model(index: PassageIndex, settings: Settings) -> None:
    model = GatedModel("Clara Lindt founded the maritime museum in 1911.")
    pipeline = Pipeline(index, reader=OverlapReader(), checker=OverlapChecker(), model=model, settings=settings)

    async def cancelled_while_it_writes() -> None:
        async def ask() -> list[Progress]:
            return [step async for step in pipeline.astream("Who founded the maritime museum?")]

        asking = asyncio.ensure_future(ask())
        assert await asyncio.to_thread(model.begun.wait, 60)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking

    asyncio.run(cancelled_while_it_writes())
    assert model.was_stopped.wait(60)


def test_a_follow_up_is_asked_as_a_question_that_stands_alone(pipeline: Pipeline) -> None:
    answer = pipeline.answer("When did it move to Basel?", [Turn("Who founded the maritime museum?", "Clara Lindt.")])
    assert answer.question == "When did it move to Basel?"
    assert answer.standalone_question == "Who founded the maritime museum? ; When did it move to Basel?"
    assert any("moved to Basel" in citation.quote for citation in answer.citations)


def test_without_a_model_the_answer_is_the_quote(index: PassageIndex, settings: Settings) -> None:
    pipeline = Pipeline(index, reader=OverlapReader(), checker=OverlapChecker(), model=None, settings=settings)
    answer = pipeline.answer("Who founded the maritime museum?")
    assert answer.text.startswith("“Clara Lindt founded")
    assert answer.model["llm"] == "none"


def test_max_quotes_and_abstaining_are_settings(index: PassageIndex, settings: Settings) -> None:
    def ask(**changes: float) -> object:
        changed = replace(settings, **changes)
        return Pipeline(index, reader=OverlapReader(), checker=OverlapChecker(), settings=changed).answer(
            "Who founded the maritime museum with a bank?"
        )

    assert len(ask(max_quotes=1).citations) == 1  # type: ignore[attr-defined]
    assert not ask(abstain_below=0.0).abstained  # type: ignore[attr-defined]
    assert ask(abstain_below=0.95).abstained  # type: ignore[attr-defined]


def test_the_json_object_has_the_documented_fields(pipeline: Pipeline) -> None:
    data = json.loads(json.dumps(pipeline.answer("Who founded the maritime museum?").to_json()))
    assert set(data) == {
        "question", "standalone_question", "answer", "statements", "short_answer", "abstained", "citations", "passages",
        "timings_ms", "model",
    }  # fmt: skip
    assert data["statements"][0].keys() == {"text", "citations", "verbatim"}
    assert set(data["citations"][0]) == {
        "number", "document_id", "title", "start", "end", "quote", "score", "highlight", "page", "place",
    }  # fmt: skip
    assert set(data["passages"][0]) == {"document_id", "start", "end", "score"}


@pytest.mark.parametrize("question", ["", "  \n ", "\x00", "\ud83d", "x" * 1001])
def test_questions_that_are_none_are_refused(pipeline: Pipeline, question: str) -> None:
    with pytest.raises(UsageError):
        pipeline.answer(question)


def test_control_characters_are_taken_out_of_questions() -> None:
    assert clean_question(" why\x1b\n did\tit? ") == "why did it?"


def test_quotes_of_several_documents_are_cited_by_their_own(settings: Settings) -> None:
    documents = [
        Document("a", "Article A", "The mill in Ost burned down in May.", "a.txt"),
        Document("b", "Article B", "The mill in Ost was insured by a bank.", "b.txt"),
    ]
    embedder = FakeEmbedder()
    index = PassageIndex.build(documents, embedder=embedder, chunking=Chunking(40, 15))
    answer = Pipeline(index, reader=OverlapReader(), checker=OverlapChecker(), settings=settings).answer(
        "When did the mill in Ost burn?"
    )
    assert {c.title for c in answer.citations} == {"Article A", "Article B"}
    assert all(index.documents[c.document_id].text[c.start : c.end] == c.quote for c in answer.citations)


def test_only_what_was_chosen_answers_and_where_all_of_it_is_silent_that_is_said(settings: Settings) -> None:
    texts = {"ost": "The mill in Ost burned down in May.", "inn": "The inn has nine rooms.", "west": "The dam is safe."}
    index = PassageIndex.build(
        [Document(name, name, text, "") for name, text in texts.items()],
        embedder=FakeEmbedder(),
        chunking=Chunking(40, 15),
    )

    def chosen(*names: str) -> Pipeline:
        joined = PassageIndex.joined(names, [index])
        return Pipeline(joined, reader=OverlapReader(), checker=OverlapChecker(), settings=settings)

    question = "When did the mill in Ost burn down?"
    (citation, *_) = chosen("inn", "ost").answer(question).citations
    assert (citation.document_id, citation.quote) == ("ost", texts["ost"])
    silent = chosen("inn", "west").answer(question)
    assert (silent.text, silent.citations) == (NONE_SAYS, ())
    assert {found.passage.document_id for found in silent.passages} == {"inn", "west"}
    *_, more = chosen("inn", "ost").stream(question, exclude=chosen("inn", "ost").answer(question).citations)
    assert more.answer.text == NONE_SAYS_MORE
    assert chosen("inn").answer(question).text == NO_ANSWER
