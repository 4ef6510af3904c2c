"""What programs can ask by name, and what is read of their requests."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from fakes import FakeEmbedder, OverlapChecker, OverlapReader

from rag.answer.pipeline import Pipeline
from rag.api.articles import OPEN_PIPELINES, Articles
from rag.api.citations import citation_list, content_blocks, url_citations
from rag.api.errors import RefusedError
from rag.api.requests import MOST_TURNS, read_completion, read_response
from rag.api.served import ServedCollection
from rag.errors import CollectionError
from rag.library.collections import Library
from rag.library.index import Chunking, PassageIndex
from rag.library.shelf import Shelf
from rag.settings import Settings
from rag.types import Answer, Citation, Document, Statement, Turn

MILL = Document("mill", "The mill", "The mill in Ost burned down in May.", "mill.txt")
DAM = Document("dam", "The dam", "The dam in West held in June. The mill did not.", "dam.txt")
ANN, BOB = "a" * 32, "b" * 32


@pytest.fixture
def pipeline(settings: Settings) -> Pipeline:
    """A pipeline over two articles."""
    index = PassageIndex.build([MILL, DAM], embedder=FakeEmbedder(), chunking=Chunking(40, 15))
    return Pipeline(index, reader=OverlapReader(), checker=OverlapChecker(), settings=settings)


def names(articles: Articles, owner: str = "") -> list[str]:
    return [named.name for named in articles.named(owner)]


def test_a_collection_comes_first_and_each_of_its_articles_behind_it(pipeline: Pipeline) -> None:
    articles = Articles(ServedCollection(pipeline, "news"))
    assert [(named.name, named.title) for named in articles.named()] == [
        ("news", "news (2 articles)"),
        ("news:mill", "The mill"),
        ("news:dam", "The dam"),
    ]
    assert articles.pipeline("news") is pipeline
    alone = articles.pipeline("news:dam")
    assert list(alone.index.documents.values()) == [DAM]
    assert alone is articles.pipeline("news:dam")
    assert alone.answer("What held in June?").citations[0].quote in DAM.text
    assert alone.answer("What burned down in May?").abstained


@pytest.mark.parametrize("name", ["", ":", "news:", "news:ship", "other", "NEWS", "news:dam:dam", "../news", "seeds"])
def test_there_is_nothing_else(pipeline: Pipeline, settings: Settings, library: Library, name: str) -> None:
    articles = Articles(ServedCollection(pipeline, "news", library), library=library, shelf=Shelf(library, settings))
    with pytest.raises(CollectionError, match="there is, among others: news, news:mill"):
        articles.pipeline(name, ANN)


def test_nothing_of_one_article_is_embedded_again(pipeline: Pipeline) -> None:
    embedder = pipeline.index.embedder
    assert isinstance(embedder, FakeEmbedder)
    before = list(embedder.embedded)
    Articles(ServedCollection(pipeline, "news")).pipeline("news:mill")
    assert embedder.embedded == before


def test_other_collections_of_the_library_are_named_and_read_anew_when_they_change(
    pipeline: Pipeline, library: Library, tmp_path: Path
) -> None:
    articles = Articles(ServedCollection(pipeline, "news", library), library=library)
    ship, sea = tmp_path / "ship.txt", tmp_path / "sea.txt"
    ship.write_text("The ship sank in July.")
    sea.write_text("The sea was calm in August.")
    library.add([ship], "mine")
    assert names(articles) == ["news", "news:mill", "news:dam", "mine"]
    assert articles.named()[-1].title == "Ship"
    opened = articles.pipeline("mine")
    assert articles.pipeline("mine") is opened
    assert articles.pipeline("mine:ship").answer("What sank in July?").citations
    library.add([sea], "mine")
    assert names(articles)[3:] == ["mine", "mine:ship", "mine:sea"]
    assert set(articles.pipeline("mine").index.documents) == {"ship", "sea"}
    library.remove("mine")
    with pytest.raises(CollectionError):
        articles.pipeline("mine")
    assert names(Articles(ServedCollection(pipeline, "news"))) == [
        "news",
        "news:mill",
        "news:dam",
    ]  # without the library


def test_the_collection_that_is_served_is_read_anew_when_it_changes(library: Library, home: Path) -> None:
    (home / "seeds" / "dam.txt").write_text(DAM.text)
    served = Pipeline(library.open(), reader=OverlapReader(), checker=OverlapChecker(), settings=Settings(home=home))
    articles = Articles(ServedCollection(served, "seeds", library), library=library)
    assert articles.pipeline("seeds") is served
    assert articles.pipeline("seeds:dam") is articles.pipeline("seeds:dam")
    assert names(articles) == ["seeds", "seeds:dam", "seeds:harbour-news"]
    (home / "seeds" / "dam.txt").write_text("The dam in West broke in July.")
    library.open()  # as another process does
    assert articles.pipeline("seeds").answer("When did the dam break?").citations[0].quote.endswith("July.")
    assert articles.pipeline("seeds:dam").index.documents["dam"].text.endswith("July.")
    assert articles.pipeline("seeds") is articles.pipeline("seeds")
    (home / "seeds" / "dam.txt").unlink()
    library.open()
    assert [(named.name, named.title) for named in articles.named()] == [("seeds", "Harbour news")]
    library.remove("seeds")
    with pytest.raises(CollectionError, match="among others: nothing"):
        articles.pipeline("seeds")
    assert articles.named() == []


def test_so_many_are_kept_open_and_no_more(pipeline: Pipeline, library: Library, tmp_path: Path) -> None:
    articles, first = Articles(ServedCollection(pipeline, "news", library), library=library), None
    for number in range(OPEN_PIPELINES + 1):
        (tmp_path / "a.txt").write_text("The ship sank in July.")
        library.add([tmp_path / "a.txt"], f"c{number}")
        first = articles.pipeline("c0") if number == 0 else first
        articles.pipeline(f"c{number}")
    assert articles.pipeline("c0") is not first


def test_an_own_article_is_its_owners_alone(pipeline: Pipeline, settings: Settings, library: Library) -> None:
    shelf = Shelf(library, settings)
    entry = shelf.add(ANN, Document("x", "Ann's", "Ann sailed to Oslo in May.", ""))
    articles = Articles(ServedCollection(pipeline, "news", library), library=library, shelf=shelf)
    assert articles.named(ANN)[-1].title == "Ann's"
    assert articles.pipeline(entry.id, ANN).answer("Who sailed to Oslo?").citations
    assert entry.id not in names(articles, BOB)
    for other in (entry.id, f"{entry.id}:{entry.id}"):
        articles.pipeline(other, ANN)  # whatever is kept of it
        with pytest.raises(CollectionError):
            articles.pipeline(other, BOB)


def test_citations_are_numbered_places_in_each_form() -> None:
    quotes = [Citation(n, "d", "Title", 10 * n, 10 * n + 2, "ab", 0.9) for n in (1, 2, 3)]
    said = (Statement("An article's own [2].", (2,), verbatim=True), Statement("Two.", (1, 2)))
    answer = Answer("q?", "q?", said, citations=tuple(quotes))
    found = url_citations(answer, lambda cited: f"#{cited.start}")
    assert [answer.text[one["start_index"] : one["end_index"]] for one in found] == ["[1]", "[2]", "[2]"]
    assert [one["url"] for one in found] == ["#10", "#20", "#20"]
    assert found[1]["start_index"] < found[0]["start_index"]  # the order is that of the numbers
    assert [quote["number"] for quote in citation_list(answer)] == [1, 2, 3]
    first, second = content_blocks(answer, ("c", "d"))
    assert first["text"] == "An article's own [2]."
    assert [cited["start_char_index"] for cited in first["citations"]] == [20]
    assert {cited["document_index"] for cited in second["citations"]} == {1}


def request(**sent: Any) -> bytes:
    return json.dumps({"model": "m", "messages": [{"role": "user", "content": "why?"}], **sent}).encode()


def said(*messages: tuple[str, Any]) -> bytes:
    return request(messages=[{"role": role, "content": content} for role, content in messages])


def test_a_request_is_a_question_and_what_was_said_before() -> None:
    asked = read_completion(
        said(
            ("system", "Answer in verse."),
            ("user", "one?"),
            ("user", "two?"),
            ("assistant", "“It was [4] two.” [1][2] And more. [3]"),
            ("assistant", None),
            ("tool", "x"),
            ("user", [{"type": "text", "text": "and"}, {"type": "text", "text": "three?"}]),
            ("developer", "Be brief."),
        )
    )
    assert asked.question == "and three?"
    assert asked.history == (Turn("one?"), Turn("two?", "“It was two.” And more."))
    assert (asked.stream, asked.usage, asked.blocks) == (False, False, False)


def test_an_article_s_own_number_is_lost_only_where_it_stands_like_ours() -> None:
    (turn,) = read_completion(said(("user", "a?"), ("assistant", "See[1] and [2]nd. [3]"), ("user", "b?"))).history
    assert turn.answer == "See[1] and [2]nd."


def test_a_long_conversation_of_another_model_is_cut() -> None:
    talk = [("user", "q" * 5000), ("assistant", "a" * 5000)] * (MOST_TURNS + 5)
    asked = read_completion(said(*talk, ("user", "why?")))
    assert len(asked.history) == MOST_TURNS
    assert {(len(turn.question), len(turn.answer)) for turn in asked.history} == {(1000, 1000)}


def test_fields_that_change_nothing_are_not_looked_at() -> None:
    more = {"temperature": "hot", "tools": [], "n": 1, "response_format": {"type": "text"}, "stream_options": None}
    assert read_completion(request(**more)) == read_completion(request())


@pytest.mark.parametrize(
    ("body", "param"),
    [
        (b"", None),
        (b"[]", None),
        (b"[" * 100_000, None),
        (b"\xff", None),
        (request(model=1), "model"),
        (request(model="\ud800"), "model"),
        (request(messages="why?"), "messages"),
        (request(messages=["why?"]), "messages"),
        (request(messages=[{"role": "user", "content": 1}]), "messages"),
        (request(messages=[{"role": "user", "content": ["why?"]}]), "messages"),
        (request(messages=[{"role": "user", "content": "\ud800"}]), "messages"),
        (request(stream=1), "stream"),
        (request(stream_options=[1]), "stream_options"),
        (request(stream_options={"include_usage": "yes"}), "include_usage"),
        (request(n=0), "n"),
        (request(n=[1]), "n"),
        (request(messages=[{"role": "user", "content": " "}]), "messages"),
    ],
)
@pytest.mark.usefixtures("nothing_to_collect")
def test_what_is_no_request_for_a_completion_is_refused_by_the_field_at_fault(body: bytes, param: str | None) -> None:
    with pytest.raises(RefusedError) as refused:
        read_completion(body)
    assert (refused.value.status, refused.value.param) == (400, param)
    assert "\n" not in str(refused.value)


def response(asked: Any, **sent: Any) -> bytes:
    return json.dumps({"model": "m", "input": asked, **sent}).encode()


def test_an_input_is_a_question_or_a_conversation_like_that_of_messages() -> None:
    talk = [
        {"role": "developer", "content": "Answer in verse."},
        {"role": "user", "content": [{"type": "input_text", "text": "one?"}]},
        {"type": "reasoning", "id": "rs_1", "summary": []},
        {"type": "function_call", "call_id": "1", "name": "look", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "1", "output": "nothing"},
        {
            "type": "message",
            "role": "assistant",
            "id": "msg_1",
            "content": [{"type": "output_text", "text": "It was one. [1]", "annotations": []}],
        },
        {"type": None, "role": "user", "content": "two?"},
    ]
    more = {"instructions": "Be brief.", "store": True, "tools": [{"type": "web_search"}], "text": {"verbosity": "low"}}
    asked = read_response(response(talk, **more, previous_response_id=None))
    assert (asked.question, asked.history) == ("two?", (Turn("one?", "It was one."),))
    assert read_response(response("two?")) == read_completion(said(("user", "two?")))
    flags = read_response(response("two?", stream=True, char_location=True))
    assert (flags.stream, flags.blocks) == (True, True)


@pytest.mark.parametrize(
    ("body", "param"),
    [
        (b"[]", None),
        (b'{"model": "m"}', "input"),
        (b'{"input": "why?"}', "model"),
        (response(None), "input"),
        (response([]), "input"),
        (response(["why?"]), "input"),
        (response(" "), "input"),
        (response("\ud800"), "input"),
        (response("x" * 1001), "input"),
        (response([{"role": "user", "content": [{"type": "input_image", "image_url": "x"}]}]), "input"),
        (response([{"type": "item_reference", "id": "msg_1"}, {"role": "user", "content": "why?"}]), "input"),
        (response("why?", previous_response_id="resp_1"), "previous_response_id"),
        (response("why?", conversation={"id": "conv_1"}), "conversation"),
        (response("why?", text="long"), "text"),
        (response("why?", text={"format": {"type": "json_object"}}), "text.format"),
        (response("why?", stream="yes"), "stream"),
    ],
)
def test_what_is_no_request_for_a_response_is_refused_by_the_field_at_fault(body: bytes, param: str | None) -> None:
    with pytest.raises(RefusedError) as refused:
        read_response(body)
    assert (refused.value.status, refused.value.param) == (400, param)
    assert "\n" not in str(refused.value)
