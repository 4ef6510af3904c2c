"""Web pages and PDF files of every kind that the tests read, made when they are needed."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from io import BytesIO
from zipfile import ZIP_DEFLATED, ZipFile

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from fpdf import FPDF

from rag.types import Place

PARAGRAPHS = (
    (
        "The harbour of Aland was closed for two days in March because the ice broke the southern pier and no "
        "pilot could be found who was willing to take a ship past it."
    ),
    (
        "Clara Lindt, who founded the maritime museum in 1911, had warned the council about the pier many times. It "
        "ignored her well-known letters until the spring of that year."
    ),
    (
        "Repairs to the northern dam will cost 40 million crowns. The water board borrows the money from a bank in "
        "Oslo, and pays it back over thirty years."
    ),
)
BOOK_CHAPTER = """\
<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml"><head><title>no</title></head><body>
<h1>Ice in the harbour</h1><p>The pier broke in <b>March</b>,<br/>as
Clara <i>Lindt</i> had said.</p><!-- not this --><script>nor(this)</script>
<ul><li>No pilot came.</li></ul>
<table><tr><td><p>Year</p></td><td>Ships</td></tr><tr><td>1911</td><td>12</td></tr></table>
</body></html>"""
PAGE = """\
<!doctype html><html><head><meta charset="{charset}"><title>Harbour museum reopens - Åland Times</title>
<script>var menu = 1;</script></head><body>
<nav><ul><li><a href="/">Home</a></li><li><a href="/sport">Sport</a></li><li><a href="/w">Weather</a></li></ul></nav>
<div class="cookie-banner">We use cookies. Accept all</div>
<article><h1>Harbour museum reopens</h1>
<p>The ferry to Åland was two hours late on Monday. A spokeswoman said the <a href="x">harbour
pilot</a> had fallen <b>ill</b>, says <code>log.txt</code>.</p>
<h2>A founder remembered</h2>
<p>Clara Lindt founded the maritime museum in 1911. It moved to Basel after the war.</p>
<ul><li>Entry is free on Sundays.</li><li><p>Dogs stay outside.</p></li></ul>
<table><tr><td>Year</td><td>Visitors</td></tr><tr><td>1990</td><td>12000</td></tr></table>
<p>Repairs cost 40 crowns &amp; more. <script>alert(1)</script>The board writes &lt;b&gt;.</p></article>
<aside>Related: ten best boats</aside><footer>© Åland Times. Imprint. Privacy</footer></body></html>
"""


class _Paper(FPDF):
    """A paper with a running header and a page number on each page."""

    def header(self) -> None:
        self.set_font("Helvetica", size=8)
        self.cell(0, 8, "Harbour Review, volume 7", align="C", new_x="LMARGIN", new_y="NEXT")

    def footer(self) -> None:
        self.set_y(-15)
        self.set_font("Helvetica", size=8)
        self.cell(0, 10, f"Page {self.page_no()}", align="C")


def paper(paragraphs: Sequence[str], *, title: str = "Ice in the harbour", named: str = "", gap: float = 2) -> bytes:
    """A PDF with running headers and the paragraphs in one column; `named` is the title that only programs see."""
    pdf = _Paper()
    pdf.set_title(named)
    pdf.add_page()
    pdf.set_font("Times", "B", 20)
    pdf.multi_cell(0, 10, title, new_x="LMARGIN", new_y="NEXT")
    pdf.set_font("Times", size=11)
    for text in paragraphs:
        pdf.multi_cell(0, 5, text, new_x="LMARGIN", new_y="NEXT")
        pdf.ln(gap)
    return bytes(pdf.output())


def columns(paragraphs: Sequence[str]) -> bytes:
    """A PDF with the paragraphs in two justified columns."""
    pdf = FPDF()
    pdf.add_page()
    pdf.set_font("Times", size=10)
    with pdf.text_columns(ncols=2, gutter=8, text_align="J") as text:
        for paragraph in paragraphs:
            text.write(paragraph + "\n")
            text.ln()
    return bytes(pdf.output())


def pages(*texts: str, password: str | None = None) -> bytes:
    """A PDF with one text on each page, which may be empty."""
    pdf = FPDF()
    pdf.set_font("Times", size=11)
    for text in texts:
        pdf.add_page()
        pdf.multi_cell(0, 5, text)
    if password is not None:
        pdf.set_encryption(owner_password="owner", user_password=password)
    return bytes(pdf.output())


def paper_with_table(text: str, rows: Sequence[Sequence[str]], *, ruled: bool) -> bytes:
    """A PDF with a paragraph and a table below it, with lines around its cells or without."""
    pdf = FPDF()
    pdf.add_page()
    pdf.set_font("Times", size=11)
    pdf.multi_cell(0, 5, text, new_x="LMARGIN", new_y="NEXT")
    pdf.ln(3)
    with pdf.table(borders_layout="ALL" if ruled else "NONE") as table:
        for row in rows:
            table.row(row)
    return bytes(pdf.output())


def pages_at(*starts: int) -> tuple[Place, ...]:
    """The places of a document whose pages begin there."""
    return tuple(Place(start, "page", number) for number, start in enumerate(starts, 1))


def scan() -> bytes:
    """A PDF of two pages that hold a drawing and no text."""
    pdf = FPDF()
    for _ in range(2):
        pdf.add_page()
        pdf.rect(20, 20, 100, 100, style="F")
    return bytes(pdf.output())


def word(title: str = "") -> bytes:
    """A Word document with a heading, paragraphs, a list and a table with a merged cell."""
    import docx

    document = docx.Document()
    document.core_properties.title = title
    document.add_heading("Ice in the harbour", 0)
    document.add_paragraph(PARAGRAPHS[0])
    document.add_paragraph("No pilot came.", style="List Bullet")
    table = document.add_table(rows=2, cols=2)
    for cell, text in zip([c for row in table.rows for c in row.cells], ["Year", "Ships", "1911", "12"], strict=True):
        cell.text = text
    merged = table.add_row().cells
    merged[0].merge(merged[1]).text = "both years"
    document.add_paragraph(PARAGRAPHS[1])
    out = BytesIO()
    document.save(out)
    return out.getvalue()


def zipped(files: Mapping[str, str | bytes], *, method: int = ZIP_DEFLATED) -> bytes:
    """A ZIP file of the files, by their paths."""
    out = BytesIO()
    with ZipFile(out, "w", method) as whole:
        for path, data in files.items():
            whole.writestr(path, data)
    return out.getvalue()


def replaced(data: bytes, files: Mapping[str, str | bytes]) -> bytes:
    """The ZIP file with these files beside those that it has, or in the place of those under their paths."""
    with ZipFile(BytesIO(data)) as whole:
        return zipped({path: whole.read(path) for path in whole.namelist()} | dict(files))


def book(*chapters: str | bytes, title: str = "The pier", nav: str | None = None, ncx: str | None = None) -> bytes:
    """An electronic book of the chapters, which are the files 0.xhtml, 1.xhtml …; the last is no part of the text.

    `nav` are the entries of its table of contents, and `ncx` the same in the older form: "" leaves it out, None leaves
    it empty.
    """
    items = {f"{n}.xhtml": chapter for n, chapter in enumerate(chapters)}
    manifest = "".join(item(name, name) for name in items)
    spine = "".join(itemref(name) for name in items if name != f"{len(chapters) - 1}.xhtml")
    spine += f'<itemref idref="{len(chapters) - 1}.xhtml" linear="no"/>'
    if nav != "":
        items["nav.xhtml"] = f'<html><body><nav epub:type="toc"><ol>{nav or ""}</ol></nav></body></html>'
        manifest += '<item id="nav" href="nav.xhtml" media-type="application/xhtml+xml" properties="nav"/>'
        spine = itemref("nav") + spine
    if ncx != "":
        items["toc.ncx"] = f'<ncx xmlns="http://www.daisy.org/z3986/2005/ncx/"><navMap>{ncx or ""}</navMap></ncx>'
        manifest += item("ncx", "toc.ncx", "application/x-dtbncx+xml")
    files = {
        "mimetype": "application/epub+zip",
        "META-INF/container.xml": container("EPUB/content.opf"),
        "EPUB/content.opf": package(manifest, spine, title=title),
    }
    return zipped(files | {f"EPUB/{path}": data for path, data in items.items()})


def container(*packages: str) -> str:
    """The file of a book that leads to its package files."""
    kind = "application/oebps-package+xml"
    roots = "".join(f'<rootfile full-path="{path}" media-type="{kind}"/>' for path in packages)
    return (
        f'<?xml version="1.0"?><container xmlns="urn:oasis:names:tc:opendocument:xmlns:container" version="1.0">'
        f"<rootfiles>{roots}</rootfiles></container>"
    )


def package(manifest: str, spine: str, *, title: str = "The pier") -> str:
    """A package file of these items, in this order."""
    return (
        f'<?xml version="1.0"?><package xmlns="http://www.idpf.org/2007/opf" version="3.0">'
        f'<metadata xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:title>{title}</dc:title></metadata>'
        f"<manifest>{manifest}</manifest><spine>{spine}</spine></package>"
    )


def item(name: str, href: str, kind: str = "application/xhtml+xml") -> str:
    """An entry of the manifest."""
    return f'<item id="{name}" href="{href}" media-type="{kind}"/>'


def itemref(name: str) -> str:
    """An entry of the spine."""
    return f'<itemref idref="{name}"/>'


def nav_entry(href: str, title: str, within: str = "") -> str:
    """An entry of a table of contents, and those within it."""
    return f'<li><a href="{href}">{title}</a>{f"<ol>{within}</ol>" if within else ""}</li>'


def ncx_entry(href: str, title: str, within: str = "") -> str:
    """The same in the older form."""
    label = f"<navLabel><text>{title}</text></navLabel>"
    return f'<navPoint id="{title}">{label}<content src="{href}"/>{within}</navPoint>'


ROLLING = """\
WEBVTT
Kind: captions
Language: en

STYLE
::cue { color: lime }

NOTE Nobody says this,
nor this.

00:00:00.000 --> 00:00:02.000 align:start position:0%
\x20
the<00:00:00.500><c> ferry</c><00:00:00.700><c> was</c>

00:00:02.000 --> 00:00:02.010 align:start position:0%
the ferry was
\x20

00:00:02.010 --> 00:00:04.000 align:start position:0%
the ferry was
two<00:00:03.000><c> hours</c> late

00:00:04.000 --> 00:00:04.010 align:start position:0%
two hours late
\x20

00:12:05.010 --> 00:12:06.000 align:start position:0%
[Applause]
"""
"""As a video site writes the captions that it makes by itself: each line is shown again."""


def assembled(parts: Sequence[bytes]) -> bytes:
    """A PDF file of these objects, the first of which is the catalogue."""
    file, offsets = b"%PDF-1.4\n", []
    for number, part in enumerate(parts, 1):
        offsets.append(len(file))
        file += b"%d 0 obj%s endobj\n" % (number, part)
    start, size = len(file), len(parts) + 1
    file += b"xref\n0 %d\n0000000000 65535 f \n" % size
    file += b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    return file + b"trailer<</Root 1 0 R/Size %d>>startxref %d %%%%EOF" % (size, start)
