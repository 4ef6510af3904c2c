import json
import re
from dataclasses import replace
from typing import Any

import pytest
from files import pages_at

from rag.types import (
    NO_ANSWER,
    STAGES,
    Answer,
    Citation,
    Document,
    Passage,
    Place,
    Quote,
    RetrievedPassage,
    Span,
    Statement,
)

MUSEUM = Document("d", "Museum", "The museum [2] was founded in 1911. A bank paid for it.", "d.txt")
FOUNDED = Citation(1, "d", "Museum", 0, 35, MUSEUM.text[:35], 0.9, highlight=Span(30, 34))
PAID = Citation(2, "d", "Museum", 36, 55, MUSEUM.text[36:], 0.5)


def answer(*statements: Statement) -> Answer:
    return Answer("q?", "q?", statements, citations=(FOUNDED, PAID))


def test_an_articles_own_markers_are_text() -> None:
    quoted = answer(Statement(FOUNDED.quote, (1,), verbatim=True))
    assert quoted.text == "“The museum [2] was founded in 1911.” [1]"
    assert quoted.spoken == "The museum [2] was founded in 1911."
    written = answer(Statement("The museum [2] was founded in 1911. [1]", (1, 2)))
    assert written.text == "The museum [2] was founded in 1911. [1] [1][2]"
    assert Answer.from_json(written.to_json(), {}).statements == written.statements


def test_an_answer_is_statements_that_cite_what_is_there_or_a_refusal() -> None:
    assert Answer("q?", "q?", refusal=NO_ANSWER).text == NO_ANSWER
    for number in ((3,), (1, 3), ()):
        with pytest.raises(ValueError, match="needs a citation"):
            answer(Statement("Two.", number))
    with pytest.raises(ValueError, match="neither statements nor citations"):
        Answer("q?", "q?", refusal=NO_ANSWER, citations=(FOUNDED,))


def test_a_notebook_shows_statements_and_quotes_and_runs_nothing() -> None:
    quote = "<script>alert('$1')</script> & 1911"
    cited = Citation(
        1, "d", "<b>Title</b>", 5, 5 + len(quote), quote, 0.9, Span(5 + len(quote) - 4, 5 + len(quote)), 3, "page 3"
    )
    shown = Answer("q?", "q?", (Statement("<i>1911</i>", (1,), verbatim=True),), citations=(cited, PAID))._repr_html_()
    assert "“&lt;i&gt;1911&lt;/i&gt;” <sup>[1]</sup>" in shown
    assert "&lt;script&gt;alert(&#x27;$1&#x27;)&lt;/script&gt; &amp; <mark>1911</mark></q>" in shown
    assert f"&lt;b&gt;Title&lt;/b&gt;, page 3, characters 5 to {cited.end}<" in shown
    assert '<li value="2"><q>A bank paid for it.</q>' in shown
    assert set(re.findall(r"</?(\w+)", shown)) == {"div", "p", "sup", "ol", "li", "q", "mark", "br", "small"}
    assert NO_ANSWER in Answer("q?", "q?", refusal=NO_ANSWER)._repr_html_()


@pytest.mark.parametrize("refusal", [None, NO_ANSWER])
def test_an_answer_comes_back_from_its_json(refusal: str | None) -> None:
    whole = Answer(
        "q?",
        "p? ; q?",
        () if refusal else (Statement("It was 1911.", (1, 2)), Statement(PAID.quote, (2,), verbatim=True)),
        refusal,
        None if refusal else "1911",
        () if refusal else (FOUNDED, PAID),
        (RetrievedPassage(Passage("d", Span(0, 35), MUSEUM.text[:35]), 0.25),),
        dict.fromkeys(STAGES, 1.0),
        {"llm": "l"},
    )
    kept = json.loads(json.dumps(whole.to_json()))
    assert Answer.from_json(kept, {"d": MUSEUM}) == whole
    assert Answer.from_json(kept, {}) == replace(whole, passages=())


@pytest.mark.parametrize(
    "wrong",
    [
        {"citations": [{"number": 1}]},
        {"citations": [FOUNDED.quote]},
        {"statements": [{"text": "Two.", "citations": [3]}]},
        {"statements": [{"text": "Two.", "citations": 1}]},
        {"statements": [["Two.", [1]]]},
        {"passages": None},
        {"passages": [{"document_id": "d", "start": 5, "end": 2, "score": 0.5}]},
        {"passages": [{"document_id": "d", "start": 0, "end": 2, "score": float("nan")}]},
        {"passages": [{"document_id": ["d"], "start": 0, "end": 2, "score": 0.5}]},
        {"question": None},
        {"question": "\ud800"},
        {"timings_ms": {"read": float("inf")}},
        {"timings_ms": {"read": "long"}},
        {"model": {"llm": 7}},
        {"abstained": True},
    ],
)
def test_what_is_no_answer_does_not_come_back(wrong: dict[str, Any]) -> None:
    good = answer(Statement("It was 1911.", (1,))).to_json()
    assert Answer.from_json(good, {"d": MUSEUM}).citations == (FOUNDED, PAID)
    with pytest.raises(ValueError, match=r"\w"):
        Answer.from_json(good | wrong, {"d": MUSEUM})
    with pytest.raises(ValueError, match="no answer"):
        Answer.from_json([good], {})


@pytest.mark.parametrize("wrong", [{"end": 36}, {"start": 35}, {"start": -1}, {"highlight": Span(34, 36)}])
def test_a_citation_is_as_long_as_its_place_and_holds_its_highlight(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"as long as|inside|start < end"):
        replace(FOUNDED, **wrong)


@pytest.mark.parametrize(("start", "end"), [(-1, 2), (2, 2), (3, 2)])
def test_spans_are_validated(start: int, end: int) -> None:
    with pytest.raises(ValueError, match="0 <= start < end"):
        Span(start, end)


def test_texts_are_as_long_as_their_spans_and_highlights_inside() -> None:
    with pytest.raises(ValueError, match="as long as"):
        Passage("d", Span(0, 3), "ab")
    with pytest.raises(ValueError, match="as long as"):
        Quote("d", Span(0, 3), "ab", 0.5)
    with pytest.raises(ValueError, match="inside"):
        Quote("d", Span(2, 4), "ab", 0.5, Span(3, 5))


def test_every_stage_has_a_time_in_json_also_when_it_did_not_run() -> None:
    assert answer().to_json()["timings_ms"] == dict.fromkeys(STAGES, 0)


@pytest.mark.parametrize("starts", [(1,), (0, 3, 2), (0, 5)])
def test_places_begin_at_0_and_go_on_in_order(starts: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="places must begin at 0"):
        Document("d", "D", "Text", "d.pdf", pages_at(*starts))


def test_every_character_stands_on_a_page_also_where_pages_are_empty() -> None:
    document = Document("d", "D", "onetwo", "d.pdf", pages_at(0, 0, 3, 6))
    assert [document.page_at(offset) for offset in range(6)] == [2, 2, 2, 3, 3, 3]
    assert document.label_at(3) == "page 3"
    assert Document("d", "D", "one", "d.txt").page_at(0) is None
    assert Document("d", "D", "one", "d.txt").label_at(0) is None


def test_every_character_of_a_transcript_has_the_time_at_which_it_is_spoken_and_no_page() -> None:
    document = Document("d", "D", "one two", "d.vtt", (Place(0, "time", 0), Place(4, "time", 363_725)))
    assert [document.label_at(offset) for offset in (3, 4)] == ["at 00:00:00", "at 101:02:05"]
    assert document.page_at(4) is None


def test_a_chapter_is_called_by_its_title_or_else_by_its_number() -> None:
    chapters = (Place(0, "chapter", 1, "Ice"), Place(4, "chapter", 2))
    document = Document("d", "D", "one two", "d.epub", chapters)
    assert [document.label_at(offset) for offset in (3, 4)] == ["“Ice”", "chapter 2"]
    assert document.page_at(4) is None
