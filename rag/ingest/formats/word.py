"""The text of a Word document (DOCX)."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from typing import Any
from zipfile import BadZipFile

from .cleaning import Refused, clean, has_letters, one_line


def read_docx(data: bytes) -> dict[str, Any]:
    """The paragraphs, list items and rows of tables in their order, blank lines between them, and the title.

    What stands in headers, footers, notes and text boxes is left out, and so is what was deleted with changes tracked.
    """
    import docx
    from docx.opc.exceptions import OpcError

    try:
        document = docx.Document(BytesIO(data))
        blocks = [(style, text) for style, words in _blocks(document) if (text := clean(words))]
    except (OpcError, BadZipFile, KeyError, ValueError) as error:
        raise Refused("broken") from error
    text = "\n\n".join(f"- {words}" if style.startswith("List") else words for style, words in blocks)
    if not has_letters(text):
        raise Refused("no_text")
    named = one_line(document.core_properties.title or "")
    headings = (one_line(words) for style, words in blocks if style == "Title" or style.startswith("Heading"))
    title = named if named.lower() in text[:2000].lower() else ""
    return {"title": title or next(headings, ""), "text": text, "places": []}


def _blocks(container: Any) -> Iterator[tuple[str, str]]:
    """The name of the style and the words of each paragraph and of each row of a table."""
    from docx.table import Table

    for block in container.iter_inner_content():
        if not isinstance(block, Table):
            yield (block.style.name or "" if block.style is not None else ""), block.text
            continue
        for row in block.rows:
            cells = {cell._tc: " ".join(cell.text.split()) for cell in row.cells}  # one that was merged is there twice
            yield "", " | ".join(cells.values())
