"""The text of an electronic book (EPUB)."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from typing import Any

from .cleaning import Refused, clean, has_letters, one_line

_BLOCK_TAGS = frozenset(
    "address article aside blockquote body caption dd details div dl dt figcaption figure footer h1 h2 h3 h4 h5 h6 "
    "head header hr li main nav ol p pre section table tbody tfoot thead tr ul".split()
)
_UNREAD = frozenset("head nav script style svg".split())


def read_epub(data: bytes) -> dict[str, Any]:
    """The chapters in the order in which they are read, blank lines between their paragraphs, and the book's title."""
    from ebooklib import epub
    from lxml import html

    try:
        book = epub.read_epub(BytesIO(data), {"ignore_ncx": True})
        chapters = [book.get_item_with_id(name) for name, linear in book.spine if linear != "no"]
        trees = [html.document_fromstring(chapter.content) for chapter in chapters if _is_text(chapter)]
    except MemoryError:
        raise
    except Exception as error:  # the library raises whatever a broken file makes it
        raise Refused("broken") from error
    blocks = (clean(block) for tree in trees for block in "".join(_words(tree)).split("\n"))
    text = "\n\n".join(block.removesuffix(" |") for block in blocks if any(map(str.isalnum, block)))
    if not has_letters(text):
        raise Refused("no_text")
    return {"title": one_line(book.title or ""), "text": text, "places": []}


def _is_text(item: Any) -> bool:
    from ebooklib import epub

    return isinstance(item, epub.EpubHtml) and not isinstance(item, epub.EpubNav) and bool(item.content.strip())


def _words(element: Any, *, within_row: bool = False) -> Iterator[str]:
    """The words in an element; a line break stands where a paragraph, a heading, a list item or a table row ends."""
    if not isinstance(element.tag, str) or element.tag in _UNREAD:  # a comment has no name
        return
    edge = "" if element.tag not in _BLOCK_TAGS else " " if within_row else "\n"
    within_row = within_row or element.tag == "tr"
    yield edge
    yield "- " if element.tag == "li" else ""
    yield " ".join((element.text or "").split("\n"))
    for child in element:
        yield from _words(child, within_row=within_row)
        yield " ".join((child.tail or "").split("\n"))
    yield {"br": " ", "td": " | ", "th": " | "}.get(element.tag, edge)
