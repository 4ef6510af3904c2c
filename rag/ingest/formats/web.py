"""The article of a web page."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .cleaning import Refused, clean, one_line
from .tables import flatten

_BLOCK_TAGS = frozenset("ab body code div head item list p quote".split())
FEWEST_WORDS = 5
"""What is left of a page that is all menus has fewer."""


def read_html(data: bytes) -> dict[str, Any]:
    """The article of a web page without menus and the like, blank lines between its paragraphs, and its title."""
    import trafilatura

    tree = trafilatura.load_html(data)
    if tree is not None:
        _prepare(tree)
        flatten(tree)
    found: Any = None if tree is None else trafilatura.bare_extraction(tree, include_comments=False, with_metadata=True)
    if found is None or tree is None:
        raise Refused("no_article")
    blocks = ["\n".join(map(clean, block.strip().split("\n"))) for block in _blocks(found.body)]
    text = "\n\n".join(block for block in blocks if any(map(str.isalnum, block)))
    if len(text.split()) < FEWEST_WORDS:
        raise Refused("no_article")
    # The first heading of a page may be one of its menus'; the article's own stands in its text or in the page's title.
    title = one_line(found.title or "")
    if not title or (title not in text and title not in clean(tree.findtext(".//title") or "")):
        title = next((one_line("".join(head.itertext())) for head in found.body.iter("head")), "")
    return {"title": title, "text": text, "places": []}


def _prepare(tree: Any) -> None:
    """Mark the tables that are menus as layout, and keep those in figures, which trafilatura leaves out."""
    for table in tree.iter("table"):
        linked = sum(len("".join(link.itertext())) for link in table.iter("a"))
        if linked > len("".join(table.itertext())) / 2 and next(table.iter("th"), None) is None:
            table.set("role", "presentation")
        for figure in table.iterancestors("figure"):
            figure.tag = "div"


def _blocks(element: Any) -> Iterator[str]:
    """The texts of the paragraphs, headings and list items in an element, as trafilatura names them."""
    inline = ["- " if element.tag == "item" else "", element.text or ""]
    for child in element:
        if child.tag in _BLOCK_TAGS and not _is_inline(child, element):
            yield " ".join("".join(inline).split())
            inline = []
            yield from ["".join(child.itertext())] if child.tag == "code" else _blocks(child)
        else:
            inline += [*child.itertext(), " " if child.tag == "lb" else ""]
        inline.append(child.tail or "")
    yield " ".join("".join(inline).split())


def _is_inline(child: Any, parent: Any) -> bool:
    """Whether a quotation or a piece of code stands within a sentence."""
    quoted = child.tag in {"code", "quote"} and parent.tag in {"p", "head", "item"}
    return quoted and not len(child) and "\n" not in (child.text or "")
