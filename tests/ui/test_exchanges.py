import copy
import json

import pytest
from fakes import FakeEmbedder

from rag import (
    NO_ANSWER,
    NOTHING_ELSE,
    Answer,
    Citation,
    CollectionError,
    Document,
    IndexDamagedError,
    Passage,
    PassageIndex,
    RetrievedPassage,
    Span,
    Statement,
)
from rag.library.index import Chunking
from ui.exchanges import LONGEST_RECORD, Conversation, Exchange, record, restored

DOC = Document(
    id="harbour", title="Harbour news", text="The ferry was late. The 😀 pilot had fallen ill.", source="h.txt"
)
OWN = "0123456789abcdef012"
DAMAGED = "0123456789abcdef013"


def documents_of(article):
    """The shared article; the visitor's own is gone, or damaged."""
    if article:
        raise IndexDamagedError("damaged") if article == DAMAGED else CollectionError("gone")
    return {DOC.id: DOC}


def citation(quote: str, number: int = 1) -> Citation:
    start = DOC.text.index(quote)
    return Citation(
        number,
        DOC.id,
        DOC.title,
        start,
        start + len(quote),
        quote,
        0.5,
        Span(start + 4, start + 9) if number == 1 else None,
    )


ANSWERED = Answer(
    question="why?",
    standalone_question="ferry? ; why?",
    statements=(Statement("The pilot was ill.", (1,)), Statement("The ferry was late.", (2,), verbatim=True)),
    short_answer="pilot",
    citations=(citation("The 😀 pilot had fallen ill."), citation("The ferry was late.", 2)),
    passages=(RetrievedPassage(Passage(DOC.id, Span(0, 19), DOC.text[:19]), 0.25),),
    timings_ms={"retrieve": 1.0, "read": 2.0, "write": 3.0, "total": 6.0},
    model={"embedder": "e", "reader": "r", "llm": "l"},
)
ABSTAINED = Answer("cost?", "cost?", refusal=NO_ANSWER, passages=ANSWERED.passages, timings_ms={"total": 1.0})


def kept(*exchanges: Exchange) -> dict:
    return json.loads(json.dumps({"id": "abc", "exchanges": [record(exchange) for exchange in exchanges]}))


def test_what_was_kept_comes_back():
    nothing = Answer("why?", "why?", refusal=NOTHING_ELSE)
    whole = (Exchange(ANSWERED), Exchange(ABSTAINED), Exchange(nothing, (ANSWERED,)))
    found = restored(json.dumps(kept(*whole)), documents_of)
    assert found.id == "abc"
    assert kept(*found.exchanges) == kept(*whole)
    assert not any(exchange.outdated for exchange in found.exchanges)
    assert all(DOC.text[c.start : c.end] == c.quote for exchange in found.exchanges for c in exchange.cited())


@pytest.mark.parametrize(
    "wrong",
    [
        {"start": 19, "end": 46},
        {"start": 10_000, "end": 10_027, "highlight": None},
        {"quote": "The 😀 pilot had been fired."},
        {"document_id": "other"},
    ],
)
def test_a_citation_that_does_not_hold_is_dropped_with_what_it_supports(wrong):
    changed = kept(Exchange(ANSWERED))
    changed["exchanges"][0]["answer"]["citations"][0] |= wrong
    (exchange,) = restored(json.dumps(changed), documents_of).exchanges
    assert exchange.outdated
    assert [c.number for c in exchange.answer.citations] == [2]
    assert exchange.answer.text == "“The ferry was late.” [2]"
    assert exchange.answer.short_answer is None
    again = restored(json.dumps(kept(exchange)), documents_of).exchanges
    assert again == (exchange,)


@pytest.mark.parametrize(
    "wrong",
    [
        {"start": 1},
        {"start": -4},
        {"end": 10_000},
        {"start": "20"},
        {"start": True},
        {"quote": "The pilot had drowned."},
        {"document_id": ["harbour"]},
        {"number": None},
        {"number": 3},
        {"score": "high"},
        {"score": float("nan")},
        {"score": 10**400},
        {"highlight": {"start": 0, "end": 2}},
        {"highlight": 7},
    ],
)
def test_an_answer_with_what_is_no_citation_is_left_out(wrong):
    changed = kept(Exchange(ANSWERED), Exchange(ABSTAINED))
    changed["exchanges"][0]["answer"]["citations"][0] |= wrong
    assert [e.answer.question for e in restored(json.dumps(changed), documents_of).exchanges] == ["cost?"]


def test_a_quotation_that_no_quote_has_is_not_shown():
    changed = kept(Exchange(ANSWERED))
    changed["exchanges"][0]["answer"]["statements"][1]["text"] = "The ferry was early."
    (exchange,) = restored(json.dumps(changed), documents_of).exchanges
    assert exchange.outdated
    assert exchange.answer.text == "The pilot was ill. [1]"


@pytest.mark.parametrize("text", ["It has closed. [1]", "“The ferry was late.” [2]", "[1] " * 10_000, ""])
def test_what_an_older_page_kept_is_outdated_and_never_read_back_from_its_text(text):
    changed = kept(Exchange(ANSWERED))
    del changed["exchanges"][0]["answer"]["statements"]
    changed["exchanges"][0]["answer"]["answer"] = text
    (exchange,) = restored(json.dumps(changed), documents_of).exchanges
    assert exchange.outdated
    assert exchange.answer.text == ""
    assert exchange.answer.citations == ANSWERED.citations


def test_an_abstention_says_nothing_but_that():
    changed = kept(Exchange(ABSTAINED))
    changed["exchanges"][0]["answer"]["answer"] = "It cost a million."
    (exchange,) = restored(json.dumps(changed), documents_of).exchanges
    assert exchange.outdated
    assert exchange.answer.text == NO_ANSWER
    assert exchange.cited() == ()


def test_passages_and_earlier_answers_are_checked_as_well():
    changed = kept(Exchange(ABSTAINED, (ANSWERED,)))
    entry = changed["exchanges"][0]
    entry["answer"]["passages"].append(entry["answer"]["passages"][0] | {"document_id": "other"})
    assert len(restored(json.dumps(changed), documents_of).exchanges[0].answer.passages) == 1
    entry["earlier"][0]["citations"][0] |= {"start": 19, "end": 46}
    (exchange,) = restored(json.dumps(changed), documents_of).exchanges
    assert exchange.outdated
    assert exchange.earlier == ()


@pytest.mark.parametrize("field", ["question", "statements", "citations", "passages", "timings_ms", "model"])
@pytest.mark.parametrize("value", [None, 7, [[]], "x"])
def test_what_is_no_exchange_is_left_out(field, value):
    changed = kept(Exchange(ANSWERED), Exchange(ABSTAINED))
    changed["exchanges"][0]["answer"][field] = {field: value} if field == "question" else value
    assert [e.answer.question for e in restored(json.dumps(changed), documents_of).exchanges] == ["cost?"]


@pytest.mark.usefixtures("nothing_to_collect")
@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[]",
        "{",
        '{"id": 1, "exchanges": []}',
        '{"id": "a", "exchanges": {}}',
        "[" * 100_000,
        "1" * 5000,
        "x" * (LONGEST_RECORD + 1),
    ],
    ids=lambda text: text[:20],
)
def test_what_is_no_conversation_is_refused(text):
    with pytest.raises(ValueError, match=r"\w"):
        restored(text, documents_of)


def test_an_odd_name_and_lone_surrogates_do_not_come_back():
    changed = copy.deepcopy(kept(Exchange(ABSTAINED)))
    changed["id"] = "<script>"
    changed["exchanges"] += copy.deepcopy(changed["exchanges"])
    changed["exchanges"][0]["answer"]["question"] = "why \ud800?"
    found = restored(json.dumps(changed), documents_of)
    assert found.id == ""
    assert found.named().id
    assert [exchange.answer.question for exchange in found.exchanges] == ["cost?"]


@pytest.mark.parametrize(("article", "unreadable"), [(OWN, "removed"), (DAMAGED, "damaged")])
def test_of_an_article_that_cannot_be_read_everything_is_as_it_was_kept(article, unreadable):
    found = restored(json.dumps(kept(Exchange(ANSWERED), Exchange(ABSTAINED)) | {"article": article}), documents_of)
    assert (found.article, found.unreadable) == (article, unreadable)
    first, second = found.exchanges
    assert (first.answer.text, first.answer.citations) == (ANSWERED.text, ANSWERED.citations)
    assert second.answer.text == NO_ANSWER
    assert not any(exchange.outdated or exchange.answer.passages for exchange in found.exchanges)
    assert restored(json.dumps(kept(Exchange(ANSWERED))), documents_of).unreadable == ""


@pytest.mark.parametrize(
    "wrong",
    [
        {"end": 10_000},
        {"page": "3"},
        {"place": 3},
        {"quote": 7},
        {"title": None},
        {"highlight": {"start": 0, "end": 2}},
    ],
)
def test_a_citation_of_a_gone_article_must_still_be_one(wrong):
    changed = kept(Exchange(ANSWERED)) | {"article": OWN}
    changed["exchanges"][0]["answer"]["citations"][0] |= wrong
    assert restored(json.dumps(changed), documents_of).exchanges == ()


@pytest.mark.parametrize("article", [7, None, "../seeds", "a  b", " a", "a ", "a\nb", "\x00"])
def test_articles_are_known_by_their_ids(article):
    with pytest.raises(ValueError, match="known by their ids"):
        restored(json.dumps(kept(Exchange(ANSWERED)) | {"article": article}), documents_of)


def test_a_quote_of_an_article_that_was_not_chosen_does_not_come_back():
    changed = kept(Exchange(ANSWERED)) | {"article": "owls toads"}
    for documents, statements in (({DOC.id: DOC}, 2), ({}, 0)):
        found = restored(json.dumps(changed), {"owls toads": documents}.__getitem__)
        (exchange,) = found.exchanges
        assert (found.article, len(exchange.answer.statements)) == ("owls toads", statements)
        assert len(exchange.answer.passages) == len(documents)


def test_what_can_be_asked_next_stands_at_the_last_exchange_and_is_not_kept():
    conversation = Conversation("abc", (Exchange(ABSTAINED), Exchange(ANSWERED, (ABSTAINED,))))
    assert conversation.answers() == (ABSTAINED, ABSTAINED, ANSWERED)
    then = conversation.with_next(("why?",))
    assert [exchange.next for exchange in then.exchanges] == [(), ("why?",)]
    assert record(then.exchanges[-1]) == record(conversation.exchanges[-1])
    assert Conversation().with_next(("why?",)) == Conversation()


def test_what_was_asked_before_a_change_is_checked_once_against_the_articles_as_they_are_now():
    def index_of(text):
        changed = Document(DOC.id, DOC.title, text, DOC.source)
        return PassageIndex.build([changed], embedder=FakeEmbedder(), chunking=Chunking(40, 15))

    same, shorter = index_of(DOC.text), index_of("The ferry was late.")
    asked = Conversation("abc", (Exchange(ANSWERED), Exchange(ABSTAINED))).as_of(same)
    assert (
        asked.exchanges == restored(json.dumps(kept(Exchange(ANSWERED), Exchange(ABSTAINED))), documents_of).exchanges
    )
    assert asked.as_of(same) is asked
    first, second = asked.as_of(shorter).exchanges
    assert (first.outdated, [cited.quote for cited in first.answer.citations]) == (True, ["The ferry was late."])
    assert (second.outdated, len(second.answer.passages)) == (False, 1)
    first, second = asked.as_of(index_of("Owls.")).exchanges
    assert (first.answer.citations, first.answer.passages, second.answer.passages) == ((), (), ())
