import pytest

from rag.types import Answer, Document, Passage, Quote, Span


def answer(text: str, *, abstained: bool = False) -> Answer:
    return Answer("q", "q", text, abstained=abstained)


@pytest.mark.parametrize(
    ("text", "statements"),
    [
        ("She did. [1]", (("She did.", 1),)),
        ("She did. [1] He did not. [2]", (("She did.", 1), ("He did not.", 2))),
        ("“The treaty[2] was signed. [3] In Rome.” [1]", (("“The treaty[2] was signed. [3] In Rome.”", 1),)),
        ("The treaty[2] was signed. [1]", (("The treaty[2] was signed.", 1),)),
        ("", ()),
    ],
)
def test_statements_are_what_the_citations_support(text: str, statements: tuple[tuple[str, int], ...]) -> None:
    assert answer(text).statements() == statements


def test_an_abstained_answer_states_nothing() -> None:
    assert answer("The article does not say. [1]", abstained=True).statements() == ()


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
    assert answer("", abstained=True).to_json()["timings_ms"] == {"retrieve": 0, "read": 0, "write": 0, "total": 0}


@pytest.mark.parametrize("pages", [(1,), (0, 3, 2), (0, 5)])
def test_pages_begin_at_0_and_go_on_in_order(pages: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="pages must begin at 0"):
        Document("d", "D", "Text", "d.pdf", pages)


def test_every_character_stands_on_a_page_also_where_pages_are_empty() -> None:
    document = Document("d", "D", "onetwo", "d.pdf", pages=(0, 0, 3, 6))
    assert [document.page_at(offset) for offset in range(6)] == [2, 2, 2, 3, 3, 3]
    assert Document("d", "D", "one", "d.txt").page_at(0) is None
