"""The text of a Word document (DOCX)."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from itertools import takewhile
from typing import Any
from zipfile import BadZipFile

from .cleaning import Refused, clean, has_letters, one_line
from .tables import LONGEST_CELL, Cell, columns_of, lines_of


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
        if isinstance(block, Table):
            yield from _rows(block)
        else:
            yield (block.style.name or "" if block.style is not None else ""), block.text


def _rows(table: Any) -> Iterator[tuple[str, str]]:
    """The rows of a table, each with the prose and the tables that stand in its cells below it."""
    from docx.table import _Cell

    rows: list[list[Cell]] = []
    below: list[list[Any]] = []
    above: dict[int, str] = {}
    for tr in table._tbl.tr_lst:
        column = tr.grid_before
        rows.append([])
        below.append([])
        for tc in tr.tc_lst:
            cell = _Cell(tc, table)
            text = above.get(column, "") if tc.vMerge == "continue" else clean(cell.text)
            if len(tr.tc_lst) == 1 or len(text) > LONGEST_CELL or cell.tables:
                below[-1].append(cell)
                text = ""
            rows[-1].append(Cell(column, columns_of(column, tc.grid_span), text))
            column = rows[-1][-1].end
        above = {cell.start: cell.text for cell in rows[-1]}
    heads = sum(1 for _ in takewhile(lambda tr: tr.xpath("./w:trPr/w:tblHeader"), table._tbl.tr_lst))
    for line, cells in zip(lines_of(rows, heads or _has_marked_head(table)), below, strict=True):
        yield "", line
        for cell in cells:
            yield from _blocks(cell)


def _has_marked_head(table: Any) -> bool:
    """Whether the first row looks unlike the others: in bold letters, or as its style has it."""
    if not table._tbl.tr_lst:
        return False
    runs = table._tbl.tr_lst[0].xpath("./w:tc/w:p/w:r[normalize-space(w:t)]")
    look = table._tbl.xpath("./w:tblPr/w:tblLook[@w:firstRow='1']")
    styled = look and table.style is not None and table.style.element.xpath("./w:tblStylePr[@w:type='firstRow']")
    return bool(styled) or (
        bool(runs) and all(run.xpath("boolean(./w:rPr/w:b[not(@w:val='0' or @w:val='false')])") for run in runs)
    )
