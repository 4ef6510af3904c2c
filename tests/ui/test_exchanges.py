import copy
import json

import pytest

from rag import (
    NO_ANSWER,
    NOTHING_ELSE,
    Answer,
    Citation,
    CollectionError,
    Document,
    IndexDamagedError,
    Passage,
    RetrievedPassage,
    Span,
)
from ui.exchanges import LONGEST_RECORD, Exchange, record, restored

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
    text="The pilot was ill. [1] It was late. [2]",
    abstained=False,
    short_answer="pilot",
    citations=(citation("The 😀 pilot had fallen ill."), citation("The ferry was late.", 2)),
    passages=(RetrievedPassage(Passage(DOC.id, Span(0, 19), DOC.text[:19]), 0.25),),
    timings_ms={"retrieve": 1.0, "read": 2.0, "write": 3.0, "total": 6.0},
    model={"embedder": "e", "reader": "r", "llm": "l"},
)
ABSTAINED = Answer("cost?", "cost?", NO_ANSWER, abstained=True, passages=ANSWERED.passages, timings_ms={"total": 1.0})


def kept(*exchanges: Exchange) -> dict:
    return json.loads(json.dumps({"id": "abc", "exchanges": [record(exchange) for exchange in exchanges]}))


def test_what_was_kept_comes_back():
    nothing = Answer("why?", "why?", NOTHING_ELSE, abstained=True)
    whole = (Exchange(ANSWERED), Exchange(ABSTAINED), Exchange(nothing, (ANSWERED,)))
    found = restored(json.dumps(kept(*whole)), documents_of)
    assert found.id == "abc"
    assert kept(*found.exchanges) == kept(*whole)
    assert not any(exchange.outdated for exchange in found.exchanges)
    assert all(DOC.text[c.start : c.end] == c.quote for exchange in found.exchanges for c in exchange.cited())


@pytest.mark.parametrize(
    "wrong",
    [
        {"start": 1},
        {"start": -4},
        {"end": 10_000},
        {"start": "20"},
        {"start": True},
        {"quote": "The pilot had drowned."},
        {"document_id": "other"},
        {"document_id": ["harbour"]},
        {"number": None},
        {"score": "high"},
        {"score": float("nan")},
        {"score": 10**400},
        {"highlight": {"start": 0, "end": 2}},
        {"highlight": 7},
    ],
)
def test_a_citation_that_does_not_hold_is_dropped_with_what_it_supports(wrong):
    changed = kept(Exchange(ANSWERED))
    changed["exchanges"][0]["answer"]["citations"][0] |= wrong
    (exchange,) = restored(json.dumps(changed), documents_of).exchanges
    assert exchange.outdated
    assert [c.number for c in exchange.answer.citations] == [2]
    assert exchange.answer.text == "It was late. [2]"
    assert exchange.answer.short_answer is None
    again = restored(json.dumps(kept(exchange)), documents_of).exchanges
    assert again == (exchange,)


@pytest.mark.parametrize(
    "text", ["The harbour has closed.", "The pilot was ill. [1] It has closed. [7]", "", "A <b>claim</b> [3]"]
)
def test_a_statement_without_its_citation_is_not_shown(text):
    changed = kept(Exchange(ANSWERED))
    changed["exchanges"][0]["answer"]["answer"] = text
    (exchange,) = restored(json.dumps(changed), documents_of).exchanges
    assert exchange.outdated
    assert exchange.answer.text in ("", "The pilot was ill. [1]")


def test_an_abstention_says_nothing_but_that():
    changed = kept(Exchange(ABSTAINED))
    changed["exchanges"][0]["answer"]["answer"] = "It cost a million."
    changed["exchanges"][0]["answer"]["citations"] = kept(Exchange(ANSWERED))["exchanges"][0]["answer"]["citations"]
    (exchange,) = restored(json.dumps(changed), documents_of).exchanges
    assert exchange.outdated
    assert exchange.answer.text == NO_ANSWER
    assert exchange.cited() == ()


def test_passages_and_earlier_answers_are_checked_as_well():
    changed = kept(Exchange(ABSTAINED, (ANSWERED,)))
    entry = changed["exchanges"][0]
    entry["answer"]["passages"].append(entry["answer"]["passages"][0] | {"end": 10_000})
    assert len(restored(json.dumps(changed), documents_of).exchanges[0].answer.passages) == 1
    entry["earlier"][0]["citations"][0]["start"] += 1
    (exchange,) = restored(json.dumps(changed), documents_of).exchanges
    assert exchange.outdated
    assert exchange.earlier == ()


@pytest.mark.parametrize("missing", ["question", "answer", "citations", "passages", "timings_ms", "model"])
@pytest.mark.parametrize("value", [None, 7, [[]], "x" * 20_001])
def test_what_is_no_exchange_is_left_out(missing, value):
    changed = kept(Exchange(ANSWERED), Exchange(ABSTAINED))
    changed["exchanges"][0]["answer"][missing] = value
    found = restored(json.dumps(changed), documents_of).exchanges
    assert found[-1].answer.question == "cost?"
    assert all({DOC.text[c.start : c.end] for c in e.cited()} == {c.quote for c in e.cited()} for e in found)
    del changed["exchanges"][0]["answer"][missing]
    assert len(restored(json.dumps(changed), documents_of).exchanges) == 1


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
    changed["exchanges"][0]["answer"]["question"] = "why \ud800?"
    found = restored(json.dumps(changed), documents_of)
    assert found.id == ""
    assert found.named().id
    assert found.exchanges[0].answer.question == "why ??"


@pytest.mark.parametrize(("article", "lost"), [(OWN, "removed"), (DAMAGED, "damaged")])
def test_of_an_article_that_cannot_be_read_everything_is_as_it_was_kept(article, lost):
    found = restored(json.dumps(kept(Exchange(ANSWERED), Exchange(ABSTAINED)) | {"article": article}), documents_of)
    assert (found.article, found.lost) == (article, lost)
    first, second = found.exchanges
    assert (first.answer.text, first.answer.citations) == (ANSWERED.text, ANSWERED.citations)
    assert second.answer.text == NO_ANSWER
    assert not any(exchange.outdated or exchange.answer.passages for exchange in found.exchanges)
    assert restored(json.dumps(kept(Exchange(ANSWERED))), documents_of).lost == ""


@pytest.mark.parametrize(
    "wrong", [{"end": 10_000}, {"page": "3"}, {"quote": 7}, {"title": None}, {"highlight": {"start": 0, "end": 2}}]
)
def test_a_citation_of_a_gone_article_must_still_be_one(wrong):
    changed = kept(Exchange(ANSWERED)) | {"article": OWN}
    changed["exchanges"][0]["answer"]["citations"][0] |= wrong
    (exchange,) = restored(json.dumps(changed), documents_of).exchanges
    assert exchange.outdated
    assert [c.number for c in exchange.answer.citations] == [2]


@pytest.mark.parametrize("article", [7, None, "../seeds", "a b", "x" * 41, "\x00"])
def test_an_article_is_known_by_an_id(article):
    with pytest.raises(ValueError, match="known by its id"):
        restored(json.dumps(kept(Exchange(ANSWERED)) | {"article": article}), documents_of)
