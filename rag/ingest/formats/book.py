"""The text of an electronic book (EPUB), and where its chapters begin."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import unquote

from .cleaning import LONGEST_TITLE, Refused, clean, has_letters, one_line
from .epub import html_tree, opened, path_of
from .tables import flatten

_BLOCK_TAGS = frozenset(
    "address article aside blockquote body caption dd details div dl dt figcaption figure footer h1 h2 h3 h4 h5 h6 "
    "head header hr li main nav ol p pre section ul".split()
)
_UNREAD = frozenset("head nav script style svg".split())
_HEADINGS = ("h1", "h2", "h3", "h4", "h5", "h6")
_BEGINS = "\0"
"""Stands before and behind the title of a chapter where that begins; no text that lxml reads has it."""


def read_epub(data: bytes) -> dict[str, Any]:
    """The chapters in the order in which they are read, blank lines between their paragraphs; the offset and the title
    of each, "" where it has none; and the book's title.

    A chapter begins where the table of contents says so, which may be in the middle of a file, and in a file that it
    does not mention, at the first heading, if any. Without a table of contents, each file is a chapter, and its first
    heading the title.
    """
    book = opened(data)
    contents = _contents(book.tables)
    blocks: list[str] = []
    places: list[tuple[int, str, int, str]] = []
    length, begun = 0, [""]
    for path, content in book.chapters.items():
        tree = html_tree(content)
        begins = _chapters(tree, contents.get(path, {}), at_headings=bool(contents))
        flatten(tree)
        for line in "".join(_words(tree, begins)).split("\n"):
            parts = line.split(_BEGINS)
            begun += parts[1::2]
            block = clean("".join(parts[::2]))
            if not any(map(str.isalnum, block)):
                continue
            if begun:  # of several that begin here, those before the last have no text
                places.append((length, "chapter", len(places) + 1, begun[-1]))
                begun = []
            blocks.append(block)
            length += len(blocks[-1]) + 2
    text = "\n\n".join(blocks)
    if not has_letters(text):
        raise Refused("no_text")
    return {"title": one_line(book.title), "text": text, "places": places}


def _contents(tables: Mapping[str, bytes]) -> dict[str, dict[str, str]]:
    """By file and anchor, "" for a file's beginning, the title of the first entry that leads there; nothing where the
    book has no table of contents that can be read.
    """
    found: dict[str, dict[str, str]] = {}
    for table, content in tables.items():
        if found:  # the older form, for readers that know no other, is often there, too
            break
        with suppress(Refused, RecursionError):
            for link, label in _links(html_tree(content)):
                anchor = unquote(link.partition("#")[2])
                found.setdefault(path_of(link, table), {}).setdefault(anchor, _title(label))
    return found


def _links(tree: Any) -> Iterator[tuple[str, Any]]:
    """Where each entry of a table of contents leads, and the element that has its words; HTML has names in small
    letters.
    """
    for link in tree.xpath("//nav[@*='toc']//a[@href]"):
        yield link.get("href"), link
    for point in tree.xpath("//navpoint[navlabel][content[@src]]"):
        yield point.find("content").get("src"), point.find("navlabel")


def _chapters(tree: Any, entries: Mapping[str, str], *, at_headings: bool) -> dict[Any, str]:
    """The elements of a file with which chapters begin, and their titles, "" for none.

    `entries` are the file's in the table of contents, by anchor. Where there are none, a chapter begins at the first
    heading, if any, or else, where that is not asked for, with the file.
    """
    headings = ((element, _title(element)) for element in tree.iter(*_HEADINGS))
    heading, title = next((found for found in headings if found[1]), (tree, ""))
    if entries:
        found = {element: entries[name] for element in tree.iter() if (name := element.get("id")) in entries}
        if "" in entries or not found:  # an anchor that is not there is taken for the beginning
            found[tree] = entries.get("", next(iter(entries.values()))) or title
        return found
    if at_headings:
        return {heading: title} if title else {}
    return {tree: title}


def _title(element: Any) -> str:
    """The words of the element on a line, the first of them where there are many; "" where they say nothing."""
    title = clean("".join(_words(element, {})))[:LONGEST_TITLE].rstrip()
    return title if any(map(str.isalnum, title)) else ""


def _words(element: Any, begins: Mapping[Any, str]) -> Iterator[str]:
    """The words in an element; a line break stands where a paragraph, a heading or a list item ends, and the title of a
    chapter, between two signs, where that begins.
    """
    if not isinstance(element.tag, str) or element.tag in _UNREAD:  # a comment has no name
        return
    edge = "\n" if element.tag in _BLOCK_TAGS else ""
    yield edge
    yield f"{_BEGINS}{begins[element]}{_BEGINS}" if element in begins else ""
    yield "- " if element.tag == "li" else ""
    yield " ".join((element.text or "").split("\n"))
    for child in element:
        yield from _words(child, begins)
        yield " ".join((child.tail or "").split("\n"))
    yield " " if element.tag == "br" else edge
