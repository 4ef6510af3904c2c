from collections.abc import Callable
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from zipfile import ZipFile

import pytest
from files import (
    BOOK_CHAPTER,
    PAGE,
    PARAGRAPHS,
    book,
    columns,
    nav_entry,
    ncx_entry,
    pages,
    pages_at,
    paper,
    replaced,
    scan,
    word,
)

from rag.errors import DocumentError
from rag.ingest.documents import load_document, read_document
from rag.ingest.formats.cleaning import clean
from rag.ingest.formats.lines import Line, joined, without_running_lines
from rag.settings import Settings
from rag.types import Document


def read(data: bytes, name: str = "a.pdf", **settings: float) -> Document:
    return read_document(data, name, replace(Settings(), **settings))  # type: ignore[arg-type]


@pytest.mark.parametrize("charset", ["utf-8", "iso-8859-1", "utf-16"])
def test_a_web_page_is_read_without_its_menus(charset: str) -> None:
    document = read(PAGE.format(charset=charset).encode(charset), "saved-page.html")
    assert document.text.split("\n\n") == [
        "Harbour museum reopens",
        (
            "The ferry to Åland was two hours late on Monday. A spokeswoman said the harbour pilot had fallen ill, "
            "says log.txt."
        ),
        "A founder remembered",
        "Clara Lindt founded the maritime museum in 1911. It moved to Basel after the war.",
        "- Entry is free on Sundays.",
        "Dogs stay outside.",
        "| Year | Visitors",
        "| 1990 | 12000",
        "Repairs cost 40 crowns & more. The board writes <b>.",
    ]
    assert (document.id, document.title, document.places) == ("saved-page", "Harbour museum reopens", ())


def test_a_page_without_a_title_is_called_after_its_file() -> None:
    document = read(b"<html><body><p>The bee visits two thousand flowers.</p></body></html>", "the-bee.htm")
    assert (document.title, document.text) == ("The bee", "The bee visits two thousand flowers.")


@pytest.mark.parametrize("data", [b"", b"<html><nav><a href=x>Home</a></nav></html>", b"\x00\xff" * 50, b"<" * 9000])
def test_a_page_without_an_article_is_refused(data: bytes) -> None:
    with pytest.raises(DocumentError, match=r"^a\.html: there is no article in this web page; copy"):
        read(data, "a.html")


def test_the_lines_of_a_paragraph_are_joined_and_running_lines_left_out() -> None:
    document = read(paper(PARAGRAPHS * 8))
    assert document.text == "\n\n".join(["Ice in the harbour", *PARAGRAPHS * 8])
    assert document.title == "Ice in the harbour"
    assert len(document.places) == 2
    assert document.page_at(document.text.index("harbour of Aland")) == 1
    assert document.page_at(document.text.rindex("thirty years")) == 2


def test_paragraphs_without_space_between_them_are_found() -> None:
    assert read(paper(PARAGRAPHS * 2, gap=0)).text.split("\n\n")[-7:-1] == [*PARAGRAPHS * 2]


def test_a_paragraph_goes_on_over_columns_and_pages() -> None:
    document = read(columns(PARAGRAPHS * 20))
    assert document.text.split("\n\n") == [*PARAGRAPHS * 20]
    assert len(document.places) == 2
    assert 0 < document.places[1].start < len(document.text)


def test_a_title_that_only_programs_see_is_used_where_a_reader_sees_it_too() -> None:
    assert read(paper(PARAGRAPHS, named="untitled.doc")).title == "Ice in the harbour"
    assert read(pages("The Ice Report\n\nIt was cold."), "b-c.pdf").title == "B c"
    assert read(paper(PARAGRAPHS, named="ice in the harbour")).title == "ice in the harbour"


def test_a_page_without_text_has_a_number_all_the_same() -> None:
    document = read(pages("One is here.", "", "Three is here.", ""))
    assert document.text == "One is here.\n\nThree is here."
    assert document.places == pages_at(0, 14, 14, 28)
    assert document.page_at(document.text.index("Three")) == 3


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (scan(), "it holds no text, perhaps pictures of pages only; run text recognition"),
        (pages("Secret.", password="key"), "the PDF is locked with a password; save a copy without one"),
        (pages("Text.")[:300], "the file is damaged, or not what its name says"),
        (b"no PDF at all", "the file is damaged, or not what its name says"),
        (b"", "the file is damaged, or not what its name says"),
    ],
    ids=["scan", "locked", "cut off", "no PDF", "empty"],
)
def test_what_is_no_readable_pdf_is_refused_in_one_line(tmp_path: Path, data: bytes, says: str) -> None:
    (tmp_path / "a.pdf").write_bytes(data)
    with pytest.raises(DocumentError) as caught:
        load_document(tmp_path / "a.pdf", Settings())
    assert str(caught.value).startswith(f"{tmp_path / 'a.pdf'}: {says}")
    assert "\n" not in str(caught.value)


def test_pages_text_and_file_have_limits() -> None:
    with pytest.raises(DocumentError, match=r"more than the 2 pages allowed; .*max_pages"):
        read(pages("a", "b", "c"), max_pages=2)
    with pytest.raises(DocumentError, match=r"longer than the 0\.001 MB of text allowed; .*max_document_mb"):
        read(pages("word " * 500), max_document_mb=0.001)
    with pytest.raises(DocumentError, match=r"longer than the 0\.001 MB of text allowed; .*max_document_mb"):
        read(f"<html><p>{chr(246) * 600} a b c d e</p></html>".encode(), "a.html", max_document_mb=0.001)
    with pytest.raises(DocumentError, match=r"allowed; raise the setting max_file_mb"):
        read(paper(PARAGRAPHS), max_file_mb=0.001)


def line(text: str, bottom: float, left: float = 0.0, right: float = 100.0, height: float = 10.0) -> Line:
    return Line(text, left, right, bottom, height, first_word=20.0, begins=bottom)


def test_broken_words_keep_their_hyphen() -> None:
    assert joined([[line("the knowl\x02", 50), line("edge of it", 38)]])[0] == "the knowl-edge of it"


@pytest.mark.parametrize(
    ("second", "separator"),
    [
        (line("and so on", 38), " "),
        (line("A heading", 36, height=14), "\n\n"),
        (line("• an item", 38), "\n\n"),
        (line("after a gap", 20), "\n\n"),
        (line("in the next column", 90, left=120, right=220), " "),
        (line("In the next column", 90, left=120, right=220), " "),
    ],
)
def test_where_a_paragraph_ends(second: Line, separator: str) -> None:
    page = [line("a first line", 74), line("a line", 62), line("a full line", 50), second]
    assert joined([page])[0].endswith(f"a full line{separator}{second.text}")


def test_a_footnotes_mark_does_not_end_a_line() -> None:
    mark = Line("1 when it was cold", 101, 100, bottom=38, height=10, first_word=4, begins=54)
    assert joined([[line("a line", 62), line("in March,", 50), mark]])[0] == "a line in March,1 when it was cold"


def test_a_line_that_was_ended_on_purpose_ends_a_paragraph() -> None:
    short = line("It ended here.", 62, right=50)
    assert joined([[line("a full line", 74), short, line("Next one", 50)]])[0].endswith("here.\n\nNext one")


def test_headers_are_what_comes_back_at_the_same_place() -> None:
    book = [[line(f"Review {n}", 90), line("Same words", 80 - 9 * n), line(f"- {n} -", 5)] for n in range(4)]
    assert [[x.text for x in page] for page in without_running_lines(book)] == [["Same words"]] * 4


def test_titles_of_slides_are_no_headers_and_something_always_stays() -> None:
    slides = [
        [line(f"Day {n}", 90, height=20), line(f"It {verb}", 70), line(f"and {verb}", 58)]
        for n, verb in ((1, "rains"), (2, "snows"))
    ]
    assert without_running_lines(slides) == slides
    same = [[line("Page", 90)], [line("Page", 90)]]
    assert without_running_lines(same) == same
    assert without_running_lines([[], []]) == [[], []]


def test_clean_text_has_no_control_characters_and_is_composed() -> None:
    assert clean("a\x00b\x1b  u\u0308\ufffe \ud83d\ude00 \ud83d") == "ab ü- 😀"


def test_a_word_document_is_read_in_its_order() -> None:
    document = read(word("Of ice"), "harbour-ice.docx")
    assert document.text.split("\n\n") == [
        *("Ice in the harbour", PARAGRAPHS[0], "- No pilot came."),
        *("| Year | Ships", "| 1911 | 12", "both years", PARAGRAPHS[1]),
    ]
    assert (document.title, document.id, document.places) == ("Ice in the harbour", "harbour-ice", ())
    assert read(word("ice in the Harbour"), "a.docx").title == "ice in the Harbour"


def test_a_book_is_read_in_the_order_of_its_chapters() -> None:
    document = read(book(BOOK_CHAPTER, "<p>Nobody was hurt.</p>", "<p>An advertisement.</p>"), "pier.epub")
    assert document.text.split("\n\n") == [
        *("Ice in the harbour", "The pier broke in March, as Clara Lindt had said.", "- No pilot came."),
        *("| Year | Ships", "| 1911 | 12", "Nobody was hurt."),
    ]
    assert document.title == "The pier"


THREE = ("<h1>One</h1><p>Ice.</p>", "<p>Snow.</p>", "<h2>Three</h2><p>Rain.</p>")
LAST = "<p>An advertisement.</p>"
OF_THREE = {"0.xhtml": "Of ice", "1.xhtml": "Of snow", "2.xhtml": "Of rain"}


def chapters_of(document: Document) -> list[tuple[str, str]]:
    """What each chapter is called, and its text."""
    assert {place.kind for place in document.places} == {"chapter"}
    assert [place.number for place in document.places] == list(range(1, len(document.places) + 1))
    ends = [*(place.start for place in document.places[1:]), len(document.text)]
    return [
        (place.label, document.text[place.start : end].strip())
        for place, end in zip(document.places, ends, strict=True)
    ]


def contents_of(entries: str, entry: Callable[..., str]) -> dict[str, str]:
    """The table of contents, in the form of the entry, as `book` takes it."""
    return {"nav": entries} if entry is nav_entry else {"nav": "", "ncx": entries}


@pytest.mark.parametrize("entry", [nav_entry, ncx_entry])
def test_chapters_are_called_as_in_the_table_of_contents(entry: Callable[..., str]) -> None:
    entries = "".join(entry(href, title) for href, title in OF_THREE.items())
    document = read(book(*THREE, LAST, **contents_of(entries, entry)), "a.epub")
    assert chapters_of(document) == [
        ("“Of ice”", "One\n\nIce."),
        ("“Of snow”", "Snow."),
        ("“Of rain”", "Three\n\nRain."),
    ]
    assert document.text == "One\n\nIce.\n\nSnow.\n\nThree\n\nRain."
    assert document.page_at(0) is None


def test_the_newer_table_of_contents_goes_before_the_older() -> None:
    both = book(*THREE, LAST, nav=nav_entry("0.xhtml", "New"), ncx=ncx_entry("0.xhtml", "Old"))
    assert chapters_of(read(both, "a.epub"))[0][0] == "“New”"


@pytest.mark.parametrize("entry", [nav_entry, ncx_entry])
def test_chapters_may_begin_in_the_middle_of_a_file_and_within_others(entry: Callable[..., str]) -> None:
    within = entry("0.xhtml#a b", "Ice") + entry("0.xhtml#table", "Ships") + entry("0.xhtml#pilots", "Pilots")
    entries = entry("0.xhtml", "Part &amp; one", within) + entry("0.xhtml", "Again")
    whole = """<p>Motto.</p><h1 id="a b">Ice</h1><p>It broke.</p><p id="empty"/>
    <div>Of <a id="pilots">pilots</a>.</div><table id="table"><tr><td>1911</td><td>12</td></tr></table>"""
    assert chapters_of(read(book(whole, LAST, **contents_of(entries, entry)), "a.epub")) == [
        ("“Part & one”", "Motto."),
        ("“Ice”", "Ice\n\nIt broke."),
        ("“Pilots”", "Of pilots."),
        ("“Ships”", "| 1911 | 12"),
    ]


def test_a_file_that_the_table_of_contents_does_not_mention_goes_on_up_to_its_first_heading() -> None:
    entries = (
        nav_entry("1.xhtml", "Of snow") + nav_entry("3.xhtml#gone", "Of fog") + nav_entry("4.xhtml#hail", "Of hail")
    )
    files = (
        *("<p>Motto.</p>", "<p>Snow.</p>", "<p>More snow.</p><h2>Rain</h2><p>It fell.</p><h2>Sun</h2>", "<p>Fog.</p>"),
        '<p>More fog.</p><p id="hail">Hail.</p>',
    )
    assert chapters_of(read(book(*files, LAST, nav=entries), "a.epub")) == [
        ("chapter 1", "Motto."),
        ("“Of snow”", "Snow.\n\nMore snow."),
        ("“Rain”", "Rain\n\nIt fell.\n\nSun"),
        ("“Of fog”", "Fog.\n\nMore fog."),
        ("“Of hail”", "Hail."),
    ]


def test_without_a_table_of_contents_each_file_is_a_chapter() -> None:
    document = read(book('<h1><img src="a"/></h1><h2>The <i>first</i><br/>ice</h2>', *THREE[1:], LAST), "a.epub")
    assert [label for label, _ in chapters_of(document)] == ["“The first ice”", "chapter 2", "“Three”"]
    assert document.label_at(document.text.index("Snow")) == "chapter 2"


@pytest.mark.parametrize(
    ("options", "path", "broken"),
    [
        ({}, "EPUB/nav.xhtml", ""),
        ({}, "EPUB/nav.xhtml", "\x00\x01 no table"),
        ({}, "EPUB/nav.xhtml", "<html><nav epub:type='toc'>none</nav></html>"),
        ({"nav": ""}, "EPUB/toc.ncx", ""),
        ({"nav": ""}, "EPUB/toc.ncx", "<ncx><navMap><navPoint><content src='0.xhtml'/></navPoint></navMap></ncx>"),
        ({"nav": ""}, "EPUB/toc.ncx", "<ncx><navPoint><navLabel/></navPoint></ncx>"),
        ({"nav": "", "ncx": ""}, "EPUB/more.css", ""),
    ],
)
def test_a_broken_table_of_contents_is_none(options: dict[str, str], path: str, broken: str) -> None:
    data = replaced(book(*THREE, LAST, **options), {path: broken})
    assert [label for label, _ in chapters_of(read(data, "a.epub"))] == ["“One”", "chapter 2", "“Three”"]


def test_a_chapter_without_text_is_no_place() -> None:
    entries = "".join(nav_entry(href, title) for href, title in OF_THREE.items())
    document = read(book("<p><img src='a'/></p>", "<p>*</p>", "<p>Rain.</p>", LAST, nav=entries), "a.epub")
    assert chapters_of(document) == [("“Of rain”", "Rain.")]


def test_a_book_may_have_hundreds_of_chapters() -> None:
    entries = "".join(nav_entry(f"{n}.xhtml", f"Of {n}") for n in range(500))
    document = read(book(*(f"<p>Ice {n}.</p>" for n in range(501)), nav=entries), "a.epub")
    assert chapters_of(document) == [(f"“Of {n}”", f"Ice {n}.") for n in range(500)]


def test_the_title_of_a_chapter_is_a_line_of_text_and_never_long() -> None:
    steering = "<b>Of</b>\n ice &lt;script&gt;\u202e\x85 &#10; **1**"
    entries = nav_entry("0.xhtml", steering) + nav_entry("1.xhtml", "ice " * 1000) + nav_entry("2.xhtml", "<img/>")
    document = read(book(*THREE, LAST, nav=entries), "a.epub")
    assert [place.title for place in document.places] == ["Of ice <script> **1**", ("ice " * 50).strip(), "Three"]


def test_titles_count_as_text() -> None:
    entries = "".join(nav_entry(f"{n}.xhtml", "ice " * 40) for n in range(20))
    data = book(*(f"<p>Ice {n}.</p>" for n in range(21)), nav=entries)
    assert len(read(data, "a.epub", max_document_mb=0.01).places) == 20
    with pytest.raises(DocumentError, match=r"longer than the 0\.001 MB of text allowed"):
        read(data, "a.epub", max_document_mb=0.001)


@pytest.mark.parametrize("name", ["a.docx", "a.epub"])
@pytest.mark.parametrize("data", [b"", b"PK rubbish", word()[:2000], book("<p>a</p>", "<p>b</p>")[:700]])
def test_damaged_documents_and_books_are_refused(name: str, data: bytes) -> None:
    with pytest.raises(DocumentError, match=rf"^{name}: the file is damaged, or not what its name says; open it"):
        read(data, name)


def test_documents_and_books_are_not_taken_for_each_other() -> None:
    for data, name in ((word(), "a.epub"), (book("<p>One.</p>", "<p>b</p>"), "a.docx")):
        with pytest.raises(DocumentError, match="the file is damaged, or not what its name says"):
            read(data, name)


def test_a_book_without_words_is_refused() -> None:
    with pytest.raises(DocumentError, match="it holds no text"):
        read(book("<p>1 2 3</p>", "<p>words</p>"), "a.epub")


@pytest.mark.parametrize(
    ("name", "data", "path"),
    [("a.docx", word(), "word/document.xml"), ("a.epub", book("<p>a</p>", "<p>b</p>"), "EPUB/0.xhtml")],
    ids=["docx", "epub"],
)
def test_a_zip_bomb_ends_at_the_limit_of_memory(name: str, data: bytes, path: str) -> None:
    with ZipFile(BytesIO(data)) as whole:
        bomb = replaced(data, {path: whole.read(path) + b" " * 900_000_000})
    assert len(bomb) < 5_000_000
    with pytest.raises(DocumentError, match=r"takes more than 700 MB of memory|takes more than 60 s|cannot be read"):
        read(bomb, name, parse_memory_mb=700, parse_seconds=60)
