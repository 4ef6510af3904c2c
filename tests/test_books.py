"""Books (EPUB): which of their files are read, and as what, whoever made them."""

import codecs
from pathlib import Path

import pytest
from files import book, container, item, itemref, nav_entry, package, replaced, zipped

from rag.errors import DocumentError
from rag.ingest.documents import read_document
from rag.ingest.formats.book import read_epub
from rag.ingest.formats.cleaning import Refused
from rag.settings import Settings

WORDS = "Café Žižek: “Ice”"
LAST = "<p>An advertisement.</p>"


def text_of(data: bytes) -> str:
    return str(read_epub(data)["text"])


def page(words: str, *, declared: str = "", meta: str = "") -> str:
    declaration = f'<?xml version="1.0" encoding="{declared}"?>\n' if declared else ""
    head = f'<head><meta charset="{meta}"/></head>' if meta else ""
    return f'{declaration}<html xmlns="http://www.w3.org/1999/xhtml">{head}<body><p>{words}</p></body></html>'


@pytest.mark.parametrize(
    "chapter",
    [
        page(WORDS).encode(),
        codecs.BOM_UTF8 + page(WORDS).encode(),
        page(WORDS, declared="UTF-8").encode(),
        page(WORDS, meta="utf-8").encode(),
        page(WORDS, declared="windows-1250").encode("cp1250"),
        page(WORDS, meta="windows-1250").encode("cp1250"),
        codecs.BOM_UTF16_LE + page(WORDS).encode("utf-16-le"),
        codecs.BOM_UTF16_BE + page(WORDS, declared="UTF-16").encode("utf-16-be"),
        page(WORDS, declared="utf-16").encode("utf-16-le"),
        page(WORDS, declared="iso-8859-1").encode(),
        page(WORDS, declared="utf-16").encode(),
        page(WORDS, declared="klingon", meta="iso-8859-1").encode(),
    ],
    ids=[
        *("none", "mark", "utf-8", "meta", "windows-1250", "windows-1250 as meta", "utf-16-le", "utf-16-be"),
        *("utf-16 without mark", "not iso-8859-1", "not utf-16", "unknown"),
    ],
)
def test_a_chapter_is_read_in_its_encoding(chapter: bytes) -> None:
    assert text_of(book(chapter, LAST)) == WORDS


@pytest.mark.parametrize("declared", ["iso-8859-1", "Windows-1252", "shift_jis"])
def test_a_declared_encoding_is_known_where_no_file_can_be_opened(declared: str) -> None:
    words = "日本" if declared == "shift_jis" else "Café"
    data = book(page(words, declared=declared).encode(declared), LAST)
    assert read_document(data, "a.epub", Settings()).text == words


@pytest.mark.parametrize(
    "declared", ["utf-8", "utf-16", "klingon", "ascii", "shift_jis", "idna", "unicode_escape", "rot13"]
)
def test_bytes_that_are_no_text_spoil_only_themselves(declared: str) -> None:
    chapter = page("Ice %, rain.", declared=declared).encode().replace(b"%", b"\xff\xe9")
    text = text_of(book(chapter, LAST))
    assert text.startswith("Ice ")
    assert text.endswith(", rain.")


@pytest.mark.parametrize(
    ("chapter", "text"),
    [
        (page("Café %", declared="utf-8"), "Café \ufffd"),
        (page("Café %").replace("<html", '<?xml version="1.0"?><html'), "Café \ufffd"),
        (f"\ufeff{page('Café %')}", "Café \ufffd"),
    ],
    ids=["declared", "XML", "mark"],
)
def test_a_byte_that_is_no_text_does_not_change_the_encoding(chapter: str, text: str) -> None:
    assert text_of(book(chapter.encode().replace(b"%", b"\xe9"), LAST)) == text


def test_what_is_neither_utf_8_nor_declared_is_taken_for_western() -> None:
    assert text_of(book(page("“Café”").encode("cp1252"), LAST)) == "“Café”"


def test_links_are_relative_to_the_file_that_they_stand_in() -> None:
    manifest = (
        item("one", "../text/of%20caf%C3%A9.xhtml")
        + item("two", "two.xhtml#part")
        + '<item id="nav" href="nav/the%20nav.xhtml" media-type="application/xhtml+xml" properties="scripted nav"/>'
    )
    nav = nav_entry("../../text/of%20caf%C3%A9.xhtml#%C3%A9", "Of cafés") + nav_entry("../two.xhtml", "Of ice")
    files = {
        "META-INF/container.xml": container("books/my%20pack/a.opf", "no/such.opf"),
        "books/my pack/a.opf": package(manifest, itemref("two") + itemref("one")),
        "books/my pack/nav/the nav.xhtml": f'<nav epub:type="toc"><ol>{nav}</ol></nav>',
        "books/my pack/two.xhtml": "<p>Ice.</p>",
        "books/text/of café.xhtml": '<p>Coffee.</p><p id="é">Cafés.</p>',
    }
    found = read_epub(zipped(files))
    assert found["text"] == "Ice.\n\nCoffee.\n\nCafés."
    assert found["places"] == [(0, "chapter", 1, "Of ice"), (15, "chapter", 2, "Of cafés")]


def test_a_chapter_that_is_named_again_and_again_is_read_once() -> None:
    order = (itemref("0") + itemref("1") + itemref("again")) * 1000
    manifest = item("0", "0.xhtml") + item("1", "1.xhtml") + item("again", "./0.xhtml")
    data = replaced(book("<p>Ice.</p>", "<p>Rain.</p>"), {"EPUB/content.opf": package(manifest, order)})
    assert text_of(data) == "Ice.\n\nRain."


def test_what_has_no_text_may_be_missing() -> None:
    manifest = (
        item("0", "0.xhtml")
        + item("picture", "a.png", "image/png")
        + item("ncx", "toc.ncx", "application/x-dtbncx+xml")
        + item("unread", "unread.xhtml")
    )
    order = itemref("picture") + itemref("nothing") + itemref("0")
    data = replaced(book("<p>Ice.</p>", LAST, ncx=""), {"EPUB/content.opf": package(manifest, order)})
    assert text_of(data) == "Ice."


@pytest.mark.parametrize("href", ["gone.xhtml", "/etc/passwd", "../../../etc/passwd", "", "http://localhost/0.xhtml"])
def test_a_book_without_one_of_its_chapters_is_refused(href: str) -> None:
    package_file = package(item("0", "0.xhtml") + item("1", href), itemref("0") + itemref("1"))
    with pytest.raises(Refused, match=r"^broken$"):
        text_of(replaced(book("<p>Ice.</p>", LAST), {"EPUB/content.opf": package_file}))


@pytest.mark.parametrize(
    ("path", "content"),
    [
        *(
            (path, data)
            for path in ("META-INF/container.xml", "EPUB/content.opf")
            for data in ("", "\0", "no XML", "<a/>")
        ),
        ("META-INF/container.xml", container()),
        ("META-INF/container.xml", container("gone.opf")),
        ("META-INF/container.xml", container("../../EPUB/content.opf")),
        ("META-INF/encryption.xml", "no XML"),
        ("EPUB/0.xhtml", "<!-- nothing -->"),
    ],
)
def test_a_book_whose_files_are_not_what_they_should_be_is_refused(path: str, content: str) -> None:
    with pytest.raises(Refused, match=r"^broken$"):
        text_of(replaced(book("<p>Ice.</p>", LAST), {path: content}))


def _encrypted(*paths: str) -> str:
    entries = "".join(
        f'<enc:EncryptedData><enc:EncryptionMethod Algorithm="http://www.w3.org/2001/04/xmlenc#aes256-cbc"/>'
        f'<enc:CipherData><enc:CipherReference URI="{path}"/></enc:CipherData></enc:EncryptedData>'
        for path in paths
    )
    return (
        '<encryption xmlns="urn:oasis:names:tc:opendocument:xmlns:container" '
        f'xmlns:enc="http://www.w3.org/2001/04/xmlenc#">{entries}</encryption>'
    )


def test_a_book_whose_chapters_are_encrypted_is_refused_with_the_reason() -> None:
    locked = replaced(
        book(b"\x93\x11" * 500, "<p>Not locked.</p>", LAST),
        {"META-INF/encryption.xml": _encrypted("EPUB/a.otf", "EPUB/%30.xhtml")},
    )
    with pytest.raises(DocumentError, match=r"^a\.epub: the book is locked \(DRM\), so that only [^\n]*; take a copy"):
        read_document(locked, "a.epub", Settings())


def test_a_book_whose_fonts_alone_are_encrypted_is_read() -> None:
    data = replaced(book("<p>Ice.</p>", LAST), {"META-INF/encryption.xml": _encrypted("EPUB/a.otf", "EPUB/1.xhtml")})
    assert text_of(data) == "Ice."


def _with_entities(declared: str, title: str) -> bytes:
    of_book = package(item("0", "0.xhtml"), itemref("0"), title=title)
    declared = f"<!DOCTYPE package [{declared}]><package"
    return replaced(book("<p>Ice.</p>", LAST), {"EPUB/content.opf": of_book.replace("<package", declared, 1)})


def test_no_other_file_is_read_for_an_entity() -> None:
    found = read_epub(_with_entities(f'<!ENTITY file SYSTEM "{Path(__file__).as_uri()}">', "Of ice &file;"))
    assert (found["title"], found["text"]) == ("Of ice", "Ice.")


def test_entities_that_blow_up_are_refused() -> None:
    laughs = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 10))
    with pytest.raises(Refused, match=r"^broken$"):
        read_epub(_with_entities(f'<!ENTITY e0 "ha">{laughs}', "Ice &e9;"))
