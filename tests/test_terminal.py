import logging

import pytest
from files import pages_at

from rag.answer.digest import Dated, Digest
from rag.cli.logs import logged
from rag.cli.terminal import plain, readable, readable_digest
from rag.types import NO_ANSWER, Answer, Citation, Document, Passage, RetrievedPassage, Span, Statement


def test_quotes_are_folded_and_indented_under_their_place() -> None:
    quote = "Clara Lindt founded\nthe maritime museum in 1911."
    answer = Answer(
        "q", "q", (Statement("She did.", (1,)),), citations=(Citation(1, "d", "News", 7, 7 + len(quote), quote, 0.5),)
    )
    assert readable(answer, {}, width=40) == (
        "She did. [1]\n\n[1] News, characters 7-55\n    “Clara Lindt founded the maritime\n    museum in 1911.”"
    )


def test_the_words_that_answer_are_bold_and_cannot_be_forged() -> None:
    quote = "Clara\x1b[7m Lindt \ue000founded the maritime museum"
    highlight = Span(7, 7 + len("Clara\x1b[7m Lindt"))
    answer = Answer(
        "q",
        "q",
        (Statement("She.", (1,)),),
        citations=(Citation(1, "d", "N", 7, 7 + len(quote), quote, 0.5, highlight),),
    )
    shown = readable(answer, {}, width=60, bold=True).splitlines()
    assert shown[-1] == "    “\x1b[1mClara\ufffd[7m Lindt\x1b[22m \ufffdfounded the maritime museum”"
    assert "\x1b" not in readable(answer, {}, width=60)
    assert "\ue000" not in readable(answer, {}, width=60)


def test_nearest_passages_are_shortened() -> None:
    text = "word " * 100
    passage = RetrievedPassage(Passage("d", Span(0, len(text)), text), 0.5)
    answer = Answer("q", "q", refusal=NO_ANSWER, passages=(passage,))
    lines = readable(answer, {"d": Document("d", "News", text, "d.txt")}, width=80).splitlines()
    assert lines[:4] == [
        NO_ANSWER,
        "",
        "Nearest passages, which may not answer the question:",
        "  News, characters 0-500",
    ]
    assert lines[-1].endswith(" …")
    assert sum(map(len, lines[4:])) < 200


def test_places_in_a_document_with_pages_name_the_page() -> None:
    document = Document("d", "News", "One. Two. Six.", "d.pdf", pages_at(0, 5))
    citation = Citation(1, "d", "News", 5, 9, "Two.", 0.5, page=2, place="page 2")
    shown = readable(
        Answer("q", "q", (Statement("Two.", (1,), verbatim=True),), citations=(citation,)), {"d": document}
    )
    assert "[1] News, page 2, characters 5-9\n" in shown
    near = RetrievedPassage(Passage("d", Span(0, 4), "One."), 0.5)
    shown = readable(Answer("q", "q", refusal=NO_ANSWER, passages=(near,)), {"d": document})
    assert "  News, page 1, characters 0-4\n" in shown


def test_a_text_cannot_steer_the_terminal() -> None:
    assert plain("a\x1b[2Jb\u202ec\x9bd é 漢 🙂") == "a\ufffd[2Jb\ufffdc\ufffdd é 漢 🙂"


@pytest.mark.parametrize("name", ["rag.library", "ui.articles", "uvicorn"])
def test_what_is_logged_cannot_steer_the_terminal(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with logged():
        logging.getLogger(name).error("ow\x1b[2Jls.txt: %s", "a\x9bb", exc_info=ValueError("no \x1b]0;evil\x07"))
    shown = capsys.readouterr().err
    assert shown.startswith("article-chat: error: ow\ufffd[2Jls.txt: a\ufffdb\n")
    assert "no \ufffd]0;evil\ufffd" in shown
    assert not set("\x1b\x07\x9b") & set(shown)


def test_a_digest_has_its_parts_in_order_each_line_with_its_quote_and_those_that_are_not_there_left_out() -> None:
    text = "It was built in 1911. It burned."
    built = Citation(1, "d", "News", 0, 21, "It was built in 1911.", 0.5, highlight=Span(16, 20))
    burned = Citation(2, "d", "News", 22, 32, "It burned.", 0.5)
    said = Answer("q", "q", (Statement("It is of 1911.", (1,)),), citations=(built, burned))
    quoted = Answer("When?", "When?", (Statement(built.quote, (1,), verbatim=True),), citations=(built,))
    digest = Digest(summary=said, outline=(built, burned), questions=(quoted, said), timeline=(Dated("1911", built),))
    quote = "News, characters 0-21\n    “It was built in 1911.”"
    assert text[22:32] == burned.quote
    assert readable_digest(digest, width=80).split("\n\n") == [
        "SUMMARY",
        f"It is of 1911. [1]\n[1] {quote}",
        "OUTLINE",
        f"[1] {quote}\n[2] News, characters 22-32\n    “It burned.”",
        "QUESTIONS",
        f"When?\n[1] {quote}",
        f"q\nIt is of 1911. [1]\n[1] {quote}",
        "TIMELINE",
        f"[1] 1911: {quote}",
    ]
    assert readable_digest(Digest(outline=(burned,))).split("\n")[0] == "OUTLINE"
