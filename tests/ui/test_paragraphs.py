from dataclasses import replace
from itertools import accumulate

import pytest

from rag import Document
from rag.types import Place
from ui.paragraphs import LONGEST_PARAGRAPH, article_json, paragraphs, utf16_length


@pytest.mark.parametrize(
    "text",
    [
        "word " * 1000,
        "One sentence of six words here. " * 100,
        "First.\n\nSecond.\n \n\nThird <b>${x}&amp;.",
        "\n\n leading",
        "x" * 5000,
        "a",
        " \n\n ",
        "😀 " * 300 + "\r\x0c\x85",
    ],
)
def test_paragraphs_joined_are_the_text(text):
    found = paragraphs(text)
    assert "".join(found) == text
    assert all(len(part.split()) <= LONGEST_PARAGRAPH for part in found)


def test_paragraphs_break_at_blank_lines_then_known_boundaries_then_full_stops():
    assert paragraphs("One.\n\nTwo.") == ["One.\n\n", "Two."]
    words = "word " * 200
    assert paragraphs(words, [5 * 70])[0] == "word " * 70
    sentences = "One sentence of six words here. " * 40
    assert all(part.endswith("here. ") for part in paragraphs(sentences))


def test_the_article_goes_to_the_script_as_it_is():
    doc = Document("harbour", "Harbour <b>news</b>", "One.\n\nTwo. <b>", "harbour.txt")
    paragraphs = ["One.\n\n", "Two. <b>"]
    about = {"id": doc.id, "title": doc.title, "address": "", "heading": "above", "pages": 0, "english": True}
    assert article_json(doc) == {**about, "paragraphs": paragraphs, "places": []}
    page = replace(doc, source="https://news.example/harbour")
    assert article_json(page) == {**article_json(doc), "address": page.source}


@pytest.mark.parametrize(
    ("title", "text", "heading", "first"),
    [
        ("Harbour news", "Harbour news\n\nThe ferry was late.", "first", "Harbour news\n\n"),
        ("Harbour news", "\n# Harbour  news #\nThe ferry was late.", "first", "\n# Harbour  news #\n"),
        ("Harbour News", "HARBOUR\n\nNEWS\n\nLate.", "first", "HARBOUR\n\nNEWS\n\n"),
        ("1 + 1 (a)", "1 + 1 (a) \nTwo.", "first", "1 + 1 (a) \n"),
        ("The ferry …", "The ferry was late.", "", "The ferry was late."),
        ("The ferry was late.", "The ferry was late.", "", "The ferry was late."),
        ("Ferry", "Ferry 7 was late.", "above", "Ferry 7 was late."),
        ("…", "The ferry was late.", "above", "The ferry was late."),
    ],
)
def test_a_title_that_the_text_says_itself_is_not_said_twice(title, text, heading, first):
    said = article_json(Document("a", title, text, "a.txt"))
    assert (said["heading"], said["paragraphs"][0]) == (heading, first)
    assert "".join(said["paragraphs"]) == text


def test_pages_begin_where_the_script_counts():
    text = "😀 one. two 😀. three."
    starts = (0, text.index("two"), text.index("three"))
    doc = Document("a", "A", text, "a.pdf", tuple(Place(start, "page", n) for n, start in enumerate(starts, 1)))
    units = text.encode("utf-16-le")
    found = [(units[2 * at :].decode("utf-16-le")[:3], label) for at, label in article_json(doc)["places"]]
    assert found == [("😀 o", "page 1"), ("two", "page 2"), ("thr", "page 3")]


def test_of_the_times_of_a_transcript_those_are_shown_at_which_its_paragraphs_begin():
    text = "😀 one. two. three.\n\nfour. five."
    times = tuple(Place(text.index(word), "time", 60 * n) for n, word in enumerate(("😀", "two", "four", "five"), 1))
    shown = article_json(Document("a", "A", text, "a.vtt", times))
    starts = accumulate(map(utf16_length, shown["paragraphs"][:-1]), initial=0)
    assert shown["places"] == list(zip(starts, ["at 00:01:00", "at 00:03:00"], strict=True))


def test_chapters_are_shown_where_they_do_not_begin_with_their_title():
    text = "Ice\n\nIt broke.\n\nIt fell.\n\nMore of it."
    starts = (0, text.index("It fell"), text.index("More"))
    chapters = (
        Place(n, "chapter", i, title) for i, (n, title) in enumerate(zip(starts, ("Ice", "Snow", ""), strict=True), 1)
    )
    shown = article_json(Document("a", "A", text, "a.epub", tuple(chapters)))
    assert shown["places"] == [(starts[1], "“Snow”"), (starts[2], "chapter 3")]
