"""Tables in files of every kind: a line of text for each row, and prose where a table only lays out a page."""

from collections.abc import Callable, Sequence

import pytest
from files import book, paper_with_table, replaced, word

from rag.ingest.documents import read_document
from rag.ingest.formats.book import read_epub
from rag.ingest.formats.page import draw_page
from rag.ingest.formats.tables import Cell, lines_of
from rag.ingest.formats.web import read_html
from rag.ingest.formats.word import read_docx
from rag.sentences import sentence_texts
from rag.settings import Settings

INTRO = "The northern coast has several towns, and most of the people who live there are fishers."
ROWS = (
    *(("Town", "Population", "Mayor"), ("Arlen", "12,300", "Ida Holt")),
    *(("Bexmoor", "", "Dr. P. Moss. He is new."), ("Corvik", "900", "Ann Lee")),
)
NAMED = [
    "| Town: Arlen | Population: 12,300 | Mayor: Ida Holt",
    "| Town: Bexmoor | Mayor: Dr. P. Moss. He is new.",
    "| Town: Corvik | Population: 900 | Mayor: Ann Lee",
]
BARE = ["| Arlen | 12,300 | Ida Holt", "| Bexmoor | | Dr. P. Moss. He is new.", "| Corvik | 900 | Ann Lee"]
PROSE = "It is a quiet town. " * 12
MORE = "Nobody came by boat. " * 12


def page(body: str) -> str:
    """The text that is read of a web page whose article has this in its body."""
    whole = f"<html><body><article><p>{INTRO}</p>{body}</article></body></html>"
    return str(read_html(whole.encode())["text"])


def chapter(body: str) -> str:
    """The text that is read of a book whose chapter has this in its body."""
    return str(read_epub(book(f"<html><body><p>{INTRO}</p>{body}</body></html>", "<p>An advertisement.</p>"))["text"])


def paragraphs(text: str) -> list[str]:
    """Those behind the first."""
    first, *others = text.split("\n\n")
    assert first == INTRO
    return others


def html_table(rows: Sequence[Sequence[str]], head: str = "<tr><th>{}</th></tr>") -> str:
    body = "".join(f"<tr><td>{'</td><td>'.join(row)}</td></tr>" for row in rows[1:])
    return f"<table>{head.format(('</th><th>' if '<th>' in head else '</td><td>').join(rows[0]))}{body}</table>"


def document_of(body: str) -> str:
    """The text that is read of a Word document with this in its body."""
    namespace = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
    xml = f'<w:document xmlns:w="{namespace}"><w:body>{word_cell(INTRO)}{body}</w:body></w:document>'
    return str(read_docx(replaced(word(), {"word/document.xml": xml}))["text"])


def word_cell(text: str) -> str:
    return f"<w:p><w:r><w:t>{text}</w:t></w:r></w:p>"


def word_table(rows: Sequence[Sequence[str]], *, head: str = "<w:trPr><w:tblHeader/></w:trPr>") -> str:
    """A table whose cells are the text of one, or all that stands in it where it begins with "<"."""
    parts = [[cell if cell.startswith("<") else word_cell(cell) for cell in row] for row in rows]
    lines = [f"{'' if n else head}<w:tc>{'</w:tc><w:tc>'.join(row)}</w:tc>" for n, row in enumerate(parts)]
    return f"<w:tbl><w:tr>{'</w:tr><w:tr>'.join(lines)}</w:tr></w:tbl>"


both = pytest.mark.parametrize("read_body", [page, chapter])
Reading = Callable[[str], str]


@both
@pytest.mark.parametrize(
    "head",
    ["<tr><th>{}</th></tr>", "<thead><tr><td>{}</td></tr></thead>"],
)
def test_a_row_of_a_page_or_a_book_names_its_columns_and_is_one_sentence(read_body: Reading, head: str) -> None:
    text = read_body(html_table(ROWS, head))
    assert paragraphs(text) == NAMED
    assert sentence_texts(text) == [INTRO, *NAMED]


def test_a_row_of_a_word_document_names_its_columns_and_is_one_sentence() -> None:
    text = document_of(word_table(ROWS))
    assert paragraphs(text) == NAMED
    assert sentence_texts(text) == [INTRO, *NAMED]


@both
def test_a_first_row_in_bold_letters_names_the_columns(read_body: Reading) -> None:
    bold = [[f"<b>{name}</b>" for name in ROWS[0]], *ROWS[1:]]
    assert paragraphs(read_body(html_table(bold, "<tr><td>{}</td></tr>"))) == NAMED


def test_a_first_row_in_bold_letters_or_of_its_own_style_names_the_columns_of_a_word_document() -> None:
    bold = [f"<w:p><w:r><w:rPr><w:b/></w:rPr><w:t>{name}</w:t></w:r></w:p>" for name in ROWS[0]]
    assert paragraphs(document_of(word_table([bold, *ROWS[1:]], head=""))) == NAMED
    look = '<w:tbl><w:tblPr><w:tblStyle w:val="LightGrid"/><w:tblLook w:firstRow="1"/></w:tblPr>'
    assert paragraphs(document_of(word_table(ROWS, head="").replace("<w:tbl>", look))) == NAMED


@pytest.mark.parametrize("read_body", [page, chapter, document_of])
def test_the_cells_of_a_table_without_names_are_told_apart(read_body: Reading) -> None:
    table = word_table(ROWS[1:], head="") if read_body is document_of else html_table(ROWS[1:], "<tr><td>{}</td></tr>")
    assert paragraphs(read_body(table)) == BARE


MERGED = """<table><caption>Towns by people</caption>
<tr><th rowspan=2>Town<th colspan=2>People<th></tr><tr><th>1990<th>2020<th>Mayor:</tr>
<tr><td rowspan=3>Arlen<td>10<td>20<td>Holt</tr><tr><td colspan=2>nobody counted<td>Moss</tr><tr><td>11<td><td></tr>
<tr><td colspan=4>All in thousands</tr></table>"""


@both
def test_merged_cells_stand_in_each_row_and_under_each_name(read_body: Reading) -> None:
    assert paragraphs(read_body(MERGED)) == [
        "Towns by people",
        "| Town: Arlen | People 1990: 10 | People 2020: 20 | Mayor: Holt",
        "| Town: Arlen | nobody counted | Mayor: Moss",
        "| Town: Arlen | People 1990: 11",
        "All in thousands",
    ]


def test_merged_cells_of_a_word_document_stand_in_each_row() -> None:
    wide = f'<w:tcPr><w:gridSpan w:val="2"/></w:tcPr>{word_cell("not known")}'
    first = f'<w:tcPr><w:vMerge w:val="restart"/></w:tcPr>{word_cell("Arlen")}'
    others = "<w:tcPr><w:vMerge/></w:tcPr><w:p/>"
    rows = [ROWS[0], [first, "10", "Holt"], [others, wide], [others, "11", "Moss"]]
    assert paragraphs(document_of(word_table(rows))) == [
        "| Town: Arlen | Population: 10 | Mayor: Holt",
        "| Town: Arlen | not known",
        "| Town: Arlen | Population: 11 | Mayor: Moss",
    ]


@both
def test_a_table_that_lays_out_a_page_is_prose(read_body: Reading) -> None:
    inner = html_table(ROWS)
    prose = f"<p>{PROSE}</p><p>{MORE}</p>"
    laid_out = (
        f"<table><tr><td>{prose}</td><td>{inner}</td></tr><tr><td><p>The end.</p><p>Really.</p></td></tr></table>"
    )
    assert paragraphs(read_body(laid_out)) == [PROSE.strip(), MORE.strip(), *NAMED, "The end.", "Really."]


def test_a_table_that_lays_out_a_word_document_is_prose() -> None:
    prose, inner = word_cell(PROSE) + word_cell(MORE), word_table(ROWS) + "<w:p/>"
    laid_out = word_table([[prose, inner], [word_cell("The end.") + word_cell("Really.")]], head="")
    assert paragraphs(document_of(laid_out)) == [PROSE.strip(), MORE.strip(), *NAMED, "The end.", "Really."]


@both
def test_prose_in_a_row_stands_below_it(read_body: Reading) -> None:
    table = html_table([("Town", "Population", "Remarks"), ("Arlen", "12,300", f"<p>{PROSE}</p>")])
    assert paragraphs(read_body(table)) == ["| Town: Arlen | Population: 12,300", PROSE.strip()]


@both
def test_words_of_a_cell_are_on_a_line_without_what_nobody_sees(read_body: Reading) -> None:
    cell = "<div><i>Ar</i>len</div><div><b>on</b> the<!-- no -->coast<br>of<script>nor()</script>ice</div>"
    assert paragraphs(read_body(html_table([("Town", "People"), (cell, "1")]))) == [
        "| Town: Arlen on thecoast of ice | People: 1"
    ]


def test_a_menu_in_a_table_is_no_part_of_a_page_and_a_table_in_a_figure_is() -> None:
    links = "".join(
        f'<tr><td><a href="{n}">Weather of town {n}</a></td><td><a href="x">Sport</a></td></tr>' for n in "12345"
    )
    figure = f"<figure>{html_table(ROWS)}<figcaption>Of the coast</figcaption></figure>"
    read = paragraphs(page(f"<table>{links * 3}</table>{figure}<p>{PROSE}</p>"))
    assert [line for line in read if "Weather" in line] == []
    assert read[:3] == NAMED


def test_what_marks_a_table_as_layout_is_believed() -> None:
    table = html_table([("Arlen", "Bexmoor"), ("Corvik", "Dunmere")]).replace("<table", '<table role="presentation"')
    assert paragraphs(chapter(table)) == ["Arlen", "Bexmoor", "Corvik", "Dunmere"]


def cells(*texts: str) -> list[Cell]:
    return [Cell(n, n + 1, text) for n, text in enumerate(texts)]


def test_a_row_of_long_names_or_without_rows_below_stays_a_row() -> None:
    assert lines_of([cells("Town", "x" * 100), cells("Arlen", "1")], 1) == ["| Town | " + "x" * 100, "| Arlen | 1"]
    assert lines_of([cells("Town", "People")], 1) == ["| Town | People"]
    assert (
        lines_of([cells("Of towns"), cells("", ""), cells("", "People"), cells("a", "1")], 3)[-1] == "| a | People: 1"
    )
    assert lines_of([], 0) == []


@both
@pytest.mark.parametrize("span", ["1000000", "9" * 5000, "-1", "0", "x", "1.5", ""])
def test_cells_that_claim_to_cover_everything_cover_what_is_there(read_body: Reading, span: str) -> None:
    table = f"<table><tr><th>Town<th>People</tr>{f'<tr><td>Arlen<td colspan={span}>12 of them</tr>' * 200}</table>"
    assert len(paragraphs(read_body(table))) == 200
    table = f"<table>{f'<tr><td rowspan={span} colspan={span}>Arlen<td rowspan={span}>12 of them</tr>' * 30}</table>"
    assert all(line.startswith("| Arlen") for line in paragraphs(read_body(table)))


@both
def test_a_table_may_have_ten_thousand_rows(read_body: Reading) -> None:
    rows = [("Number", "Square"), *((str(n), f"{n * n} is it") for n in range(10_000))]
    lines = paragraphs(read_body(html_table(rows)))
    assert len(lines) == 10_000
    assert lines[-1] == "| Number: 9999 | Square: 99980001 is it"


def test_a_table_of_a_word_document_may_have_thousands_of_rows_merged_into_one_cell() -> None:
    merged = '<w:tcPr><w:gridSpan w:val="1000000"/><w:vMerge/></w:tcPr><w:p/>'
    first = merged.replace("<w:vMerge/>", '<w:vMerge w:val="restart"/>').replace("<w:p/>", word_cell("Arlen"))
    lines = paragraphs(document_of(word_table([[first, "a"], *([[merged, "b"]] * 2000)], head="")))
    assert lines == ["| Arlen | a", *["| Arlen | b"] * 2000]


@both
@pytest.mark.parametrize("depth", [50, 5000])
def test_tables_within_tables_end(read_body: Reading, depth: int) -> None:
    nested = f"{'<table><tr><td>' * depth}{html_table(ROWS)}{'</td></tr></table>' * depth}<p>{PROSE}</p>"
    text = read_body(nested)
    assert INTRO in text
    assert depth > 50 or all(line in text for line in NAMED)


def test_a_row_of_a_pdf_is_a_line_of_its_own_and_marked_as_it_stands_on_the_page() -> None:
    for ruled in (True, False):
        data = paper_with_table(INTRO, ROWS, ruled=ruled)
        document = read_document(data, "a.pdf", Settings())
        row = "Arlen 12,300 Ida Holt"
        assert row in sentence_texts(document.text)
        start = document.text.index(row)
        marks, _ = draw_page(data, number=1, width=400, text=document.text, ranges=[(start, start + len(row))])
        assert len(marks["marks"][0]) == 3  # one box for each cell
