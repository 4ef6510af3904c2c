"""The article of a web page."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .cleaning import Refused, clean, one_line

_BLOCK_TAGS = frozenset("ab body code div head item list p quote row table".split())
FEWEST_WORDS = 5
"""What is left of a page that is all menus has fewer."""


def read_html(data: bytes) -> dict[str, Any]:
    """The article of a web page without menus and the like, blank lines between its paragraphs, and its title."""
    import trafilatura

    tree = trafilatura.load_html(data)
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


def _blocks(element: Any) -> Iterator[str]:
    """The texts of the paragraphs, headings, list items and table rows in an element, as trafilatura names them."""
    inline = ["- " if element.tag == "item" else "", element.text or ""]
    for child in element:
        if child.tag in _BLOCK_TAGS and not _is_inline(child, element):
            yield " ".join("".join(inline).split())
            inline = []
            yield from ["".join(child.itertext())] if child.tag == "code" else _blocks(child)
        else:
            inline += [*child.itertext(), {"lb": " ", "cell": " | "}.get(child.tag, "")]
        inline.append(child.tail or "")
    yield " ".join("".join(inline).removesuffix(" | ").split())


def _is_inline(child: Any, parent: Any) -> bool:
    """Whether a quotation or a piece of code stands within a sentence."""
    quoted = child.tag in {"code", "quote"} and parent.tag in {"p", "head", "item"}
    return quoted and not len(child) and "\n" not in (child.text or "")
