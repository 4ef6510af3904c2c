"""Pages of PDF files as pictures, with the words of a range marked and nothing else: from parser to library."""

import hashlib
import json
import struct
import sys
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pypdfium2
import pytest
from fakes import FakeEmbedder
from files import PARAGRAPHS, assembled, columns, pages, paper, zipped
from hypothesis import given
from hypothesis import strategies as st
from manifests import resealed

from rag.errors import CollectionError, DocumentError
from rag.ingest.archives import read_articles
from rag.ingest.documents import read_document
from rag.ingest.formats.cleaning import Refused, clean
from rag.ingest.formats.page import _letters, _made_of, draw_page
from rag.ingest.sandbox import Drawn, draw
from rag.library.collections import Library
from rag.library.index import Chunking, PassageIndex
from rag.library.originals import page_image, pages_of
from rag.library.shelf import Shelf
from rag.settings import Settings
from rag.types import Document, Original, Span

ANN = "a" * 32
LINDT = "Clara Lindt, who founded the maritime museum in 1911, had warned the council about the pier many times."


def read(data: bytes, name: str = "ice.pdf") -> Document:
    return read_document(data, name, Settings())


def text_of(document: Document, number: int) -> tuple[int, str]:
    """Where the page begins in the text, and its part of it."""
    bounds = [*(place.start for place in document.places), len(document.text)]
    return bounds[number - 1], document.text[bounds[number - 1] : bounds[number]]


def marks_of(data: bytes, document: Document, number: int, quote: str) -> list[list[float]]:
    """The boxes of the quote on the page, as they are drawn."""
    text = text_of(document, number)[1]
    start = text.index(quote)
    result, _ = draw_page(data, number=number, width=400, text=text, ranges=[(start, start + len(quote))])
    (marks,) = result["marks"]
    return list(marks)


def words_in(data: bytes, number: int, marks: list[list[float]]) -> str:
    """What PDFium finds in the boxes of a page that is not turned, without white space."""
    page = pypdfium2.PdfDocument(data)[number - 1]
    across, down = page.get_size()
    found = []
    for left, top, width, height in marks:
        # A letter counts where its middle is inside; a hair less, for none of the next.
        x, y = left * across + 0.2, (1 - top - height) * down + 0.2
        found.append(page.get_textpage().get_text_bounded(x, y, x + width * across - 0.4, y + height * down - 0.4))
    return "".join("".join(found).replace("\x02", "-").replace("\ufffe", "-").split())


def squeezed(text: str) -> str:
    return "".join(text.split())


def lettered(body: bytes) -> bytes:
    """A PDF whose one page draws the body in Times with the standard encoding, which has ligatures."""
    parts = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 300 200]/Contents 4 0 R/Resources<</Font<</F 5 0 R>>>>>>",
        b"<</Length %d>>stream\n%s\nendstream" % (len(body), body),
        b"<</Type/Font/Subtype/Type1/BaseFont/Times-Roman/Encoding/StandardEncoding>>",
    ]
    return assembled(parts)


def turned(data: bytes, degrees: int) -> bytes:
    """The PDF with its first page turned."""
    pdf = pypdfium2.PdfDocument(data)
    pdf[0].set_rotation(degrees)
    out = BytesIO()
    pdf.save(out)
    return out.getvalue()


@pytest.mark.parametrize("data", [paper(PARAGRAPHS * 8), columns(PARAGRAPHS * 6)], ids=["running lines", "columns"])
def test_a_quote_is_marked_word_for_word(data: bytes) -> None:
    document = read(data)
    for number in range(1, len(document.places) + 1):
        for quote in (LINDT, "40 million crowns", "Lindt"):
            assert words_in(data, number, marks_of(data, document, number, quote)) == squeezed(quote)


def test_headers_and_footers_are_in_no_mark() -> None:
    data = paper(PARAGRAPHS * 8)
    document = read(data)
    text = text_of(document, 2)[1]
    assert words_in(data, 2, marks_of(data, document, 2, text.rstrip())) == squeezed(text)
    assert "Harbour Review" not in text


def test_ligatures_and_broken_words_are_marked_whole() -> None:
    body = b"BT /F 12 Tf 30 150 Td (The of\256ce was in\255) Tj 0 -14 Td (formed, and the \257oor was wet.) Tj ET"
    data = lettered(body)
    document = read(data)
    quote = document.text[document.text.index("The") : document.text.index(",")]
    assert words_in(data, 1, marks_of(data, document, 1, quote)) == squeezed(quote)
    assert len(marks_of(data, document, 1, "was wet")) == 1
    assert "office" in document.text
    whole, part = (marks_of(data, document, 1, words)[0] for words in ("office", "fi"))
    assert whole[0] < part[0] < part[0] + part[2] < whole[0] + whole[2]


def test_each_page_has_its_part_of_a_quote() -> None:
    data = columns(PARAGRAPHS * 20)
    document = read(data)
    at = document.places[1].start
    span = Span(at - 60, at + 60)
    found = ""
    for number in (1, 2):
        start, text = text_of(document, number)
        part = (max(span.start - start, 0), min(span.end - start, len(text)))
        result, _ = draw_page(data, number=number, width=300, text=text, ranges=[part])
        found += words_in(data, number, result["marks"][0])
    assert found == squeezed(document.text[span.start : span.end])


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_the_marks_turn_with_the_page(degrees: int) -> None:
    upright = paper(PARAGRAPHS)
    data = turned(upright, degrees)
    document = read(data)
    before = marks_of(upright, read(upright), 1, "founded the maritime museum")
    after = marks_of(data, document, 1, "founded the maritime museum")
    for _ in range(degrees // 90):
        before = [[1 - top - height, left, height, width] for left, top, width, height in before]
    (left, top, width, height), *none = before
    assert not none
    # Letters that stand above each other have a box each.
    edges = [
        min(m[0] for m in after),
        min(m[1] for m in after),
        max(m[0] + m[2] for m in after),
        max(m[1] + m[3] for m in after),
    ]
    assert edges == pytest.approx([left, top, left + width, top + height], abs=0.01)


def test_where_the_text_is_not_the_pages_nothing_is_marked() -> None:
    data = pages("One mill stands.\nOne mill stands.", "Two mills burned.")
    for text in ("Two mills stand.", "mill stands.", "One mill stands.", ""):  # the third is there twice
        result, picture = draw_page(data, number=1, width=200, text=text, ranges=[(0, min(len(text), 3))])
        assert result["marks"] == [[]]
        assert picture
    result, _ = draw_page(
        data, number=1, width=200, text="One mill stands. One mill stands.", ranges=[(0, 3), (21, 25)]
    )
    assert [words_in(data, 1, boxes) for boxes in result["marks"]] == ["One", "mill"]


def test_a_page_without_text_is_drawn() -> None:
    data = pages("One mill stands.", "", "Two mills burned.")
    document = read(data)
    assert text_of(document, 2)[1] == ""
    result, picture = draw_page(data, number=2, width=200, text="", ranges=[])
    assert (result["marks"], picture[:4]) == ([], b"\x89PNG")


def test_the_picture_is_a_png_of_the_page() -> None:
    _, picture = draw_page(pages("Mill"), number=1, width=210, text="Mill", ranges=[])
    width, height = struct.unpack(">II", picture[16:24])
    assert (width, abs(height - 297) <= 1) == (210, True)
    chunk = picture.index(b"IDAT")
    rows = zlib.decompress(picture[chunk + 4 : chunk + 4 + struct.unpack(">I", picture[chunk - 4 : chunk])[0]])
    assert len(rows) == height * (3 * width + 1)
    assert {rows[i] for i in range(0, len(rows), 3 * width + 1)} == {0}
    assert rows.count(255) > 0.9 * len(rows)
    assert min(rows[1 : 3 * width * 40]) < 100  # the word


@pytest.mark.parametrize("data", [b"", b"%PDF-1.4 nothing", pages("A mill")[:300]], ids=["empty", "none", "cut"])
def test_a_damaged_file_has_no_pages(data: bytes) -> None:
    with pytest.raises(Refused):
        draw_page(data, number=1, width=200, text="", ranges=[])


def lines() -> Iterator[str]:
    yield from (
        "nai\u0308ve",
        "o\ufb03ce",
        "in\x02",
        "a\0\u0301b",
        "\ud83d\ude00 smile",
        "\ud83d lone",
        "\u1112\u1161\u11ab",
        "e \u0301x",
    )


@given(
    st.one_of(
        st.sampled_from(list(lines())), st.text(st.characters(), max_size=30), st.text("ae\u0301\u0308 \0", max_size=9)
    )
)
def test_the_letters_of_a_line_are_those_of_the_text(line: str) -> None:
    line = line.encode("utf-16", "surrogatepass").decode("utf-16", "replace") if "lone" not in line else line
    units = line.encode("utf-16-le", "surrogatepass")
    halves = [chr(unit) for (unit,) in struct.iter_unpack("<H", units)]
    made = list(_made_of(halves, range(len(halves))))
    assert "".join(letters for letters, _ in made) == squeezed(clean("".join(halves)))
    places = [place for _, group in made for place in group]
    assert places == sorted(set(places))


def test_characters_that_become_one_letter_are_marked_together() -> None:
    assert _letters(list("zwo\u0308lf"), "zwölf") == [[0], [1], [2, 3], [4], [5]]


# The child.


def test_the_child_draws_the_page() -> None:
    data = pages("One mill stands.", "Two mills burned.")
    drawn = draw(data, 2, "Two mills burned.", [(4, 9)], width=300, settings=Settings())
    assert (drawn.error, drawn.picture[:4]) == (None, b"\x89PNG")
    assert words_in(data, 2, [list(box) for box in drawn.marks[0]]) == "mills"
    assert draw(data, 9, "", [], width=300, settings=Settings()) == Drawn(error="broken")
    assert draw(b"no file", 1, "", [], width=300, settings=Settings()) == Drawn(error="broken")


@pytest.mark.parametrize(
    ("said", "error"),
    [
        ("time.sleep(600)", "time"),
        ("print('no JSON')", "crashed"),
        ("print(json.dumps({'marks': [[]], 'size': 3})); print('abc', end='')", "crashed"),
        (
            "os.write(1, json.dumps({'marks': [[[0, 0, 2, 0]]], 'size': 8}).encode() + b'\\n\\x89PNG\\r\\n\\x1a\\n')",
            "crashed",
        ),
        ("os.write(1, json.dumps({'marks': [], 'size': 8}).encode() + b'\\n\\x89PNG\\r\\n\\x1a\\n')", "crashed"),
    ],
)
def test_what_the_child_says_is_looked_at(tmp_path: Path, said: str, error: str) -> None:
    program = tmp_path / "child.py"
    program.write_text(
        "import json, os, sys, time\n"
        "request = json.loads(sys.stdin.buffer.readline()); data = sys.stdin.buffer.read(request['size'])\n"
        f"{said}\n"
    )
    quick = replace(Settings(), parse_seconds=2.0)
    assert draw(b"x", 1, "a", [(0, 1)], width=100, settings=quick, program=program) == Drawn(error=error)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not keep this limit")
def test_a_page_that_takes_too_much_memory_is_not_drawn() -> None:
    once = zlib.compressobj(9)
    image = zlib.compress(b"".join(once.compress(bytes(10_000_000)) for _ in range(90)) + once.flush(), 9)
    body = b"q 300 0 0 200 0 0 cm BI /W 30000 /H 10000 /CS /RGB /BPC 8 /F [/Fl /Fl] ID " + image + b" EI Q"
    drawn = draw(lettered(body), 1, "", [], width=300, settings=replace(Settings(), parse_memory_mb=512))
    assert drawn.error is not None or len(drawn.picture) < 100_000


# The library.


@pytest.fixture
def shelf(library: Library, settings: Settings) -> Shelf:
    return Shelf(library, settings)


def test_a_visitors_file_is_kept_for_nobody_else_and_goes_with_the_article(
    shelf: Shelf, home: Path, settings: Settings
) -> None:
    data = paper(PARAGRAPHS * 8)
    article = shelf.add(ANN, read(data))
    (kept,) = home.rglob("originals/*")
    assert (kept.read_bytes(), kept.stat().st_mode & 0o777) == (data, 0o600)
    index = shelf.open(ANN, article.id)
    assert index.documents[article.id].original.data == b""
    assert pages_of(index, article.id, settings) == 2
    start = index.documents[article.id].text.index(LINDT)
    drawn = page_image(index, article.id, 1, [Span(start, start + len(LINDT))], width=300, settings=settings)
    assert words_in(data, 1, [list(box) for box in drawn.marks[0]]) == squeezed(LINDT)
    for number in (0, 3):
        with pytest.raises(CollectionError, match="no such page"):
            page_image(index, article.id, number, [], width=300, settings=settings)
    shelf.remove(ANN, article.id)
    assert [path for path in home.rglob("*") if path.is_file() and path.read_bytes() == data] == []


@pytest.mark.parametrize("damage", [lambda path: path.write_bytes(b"%PDF-1.4 other"), Path.unlink])
def test_a_damaged_file_is_told_and_the_text_still_works(
    shelf: Shelf, home: Path, settings: Settings, damage: Callable[[Path], object]
) -> None:
    article = shelf.add(ANN, read(pages("Seven owls sleep.")))
    damage(next(home.rglob("originals/*")))
    index = shelf.open(ANN, article.id)
    assert index.search_lexical("owls", 1)
    with pytest.raises(CollectionError, match="gone, damaged or another than it was; its text is whole"):
        page_image(index, article.id, 1, [], width=300, settings=settings)


def test_a_file_is_kept_while_it_fits(library: Library, settings: Settings, home: Path) -> None:
    data = pages("Seven owls sleep.")
    tight = replace(settings, max_articles_mb=1.5 * len(data) / 1_000_000)
    shelf = Shelf(library, tight)
    first, second = (shelf.add(ANN, read(one)) for one in (data, pages("Eight owls sleep.")))
    assert [path.stem for path in home.rglob("originals/*")] == [first.id]
    assert pages_of(shelf.open(ANN, second.id), second.id, tight) == 0
    shelf.remove(ANN, first.id)
    third = shelf.add(ANN, read(pages("Nine owls sleep.")))
    assert [path.stem for path in home.rglob("originals/*")] == [third.id]


def test_each_article_of_a_zip_file_brings_its_own(shelf: Shelf, home: Path) -> None:
    data = zipped({"a.pdf": pages("One owl."), "b.txt": "Two owls."})
    for document in read_articles(data, "owls.zip", Settings()):
        assert isinstance(document, Document)
        shelf.add(ANN, document)
    assert len(list(home.rglob("originals/*"))) == 1


def test_what_is_built_again_keeps_its_file(shelf: Shelf, settings: Settings, home: Path) -> None:
    article = shelf.add(ANN, read(pages("Seven owls sleep.")))
    next(home.rglob("_owners/*/*/*/index.faiss")).write_bytes(b"")
    again = Shelf(Library(settings, FakeEmbedder()), settings)
    assert page_image(again.open(ANN, article.id), article.id, 1, [], width=100, settings=settings).picture


def test_the_pages_of_seeds_are_read_where_they_lie(library: Library, settings: Settings, home: Path) -> None:
    file = home / "seeds" / "owls.pdf"
    file.write_bytes(pages("Seven owls sleep."))
    index = library.open()
    assert list(home.rglob("originals/*")) == []
    assert (pages_of(index, "owls", settings), pages_of(index, "harbour-news", settings)) == (1, 0)
    assert page_image(index, "owls", 1, [], width=100, settings=settings).picture
    file.write_bytes(pages("Nine owls sleep."))
    with pytest.raises(CollectionError, match="another than it was"):
        page_image(index, "owls", 1, [], width=100, settings=settings)
    assert page_image(library.open(), "owls", 1, [], width=100, settings=settings).picture
    file.unlink()
    assert pages_of(index, "owls", settings) == 0


def test_an_index_from_before_shows_no_pages_until_it_is_made_anew(
    library: Library, settings: Settings, home: Path
) -> None:
    (home / "seeds" / "owls.pdf").write_bytes(pages("Seven owls sleep."))
    library.open()
    path = home / "indexes" / "seeds" / "manifest.json"
    manifest = json.loads(path.read_bytes())
    for entry in manifest["documents"]:
        del entry["original"]
    path.write_bytes(resealed(manifest))
    index = library.open()  # which sees that the file has pages
    assert pages_of(index, "owls", settings) == 1


def test_a_page_that_cannot_be_drawn_is_refused_in_a_line(settings: Settings, home: Path) -> None:
    data = b"%PDF-1.4 nothing"
    (home / "bad.pdf").write_bytes(data)
    good = read(pages("Seven owls sleep."))
    bad = replace(good, source="bad.pdf", original=Original(hashlib.sha256(data).hexdigest()))
    index = PassageIndex.build([bad], embedder=FakeEmbedder(), chunking=Chunking(40, 15))
    with pytest.raises(DocumentError, match=r"^this page cannot be drawn; read it in the text$"):
        page_image(index, bad.id, 1, [], width=100, settings=settings)
