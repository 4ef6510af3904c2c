"""A table -> a line of text for each of its rows, in which the cells stand with the names of their columns."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

from .cleaning import clean

LONGEST_CELL = 200
"""A cell of more characters is prose, which stands below its row as it is."""
_LONGEST_NAME = 60
_MOST_COLUMNS = 100
"""Cells in columns behind these have no name and are not merged, however many others a file says that they cover."""
_UNREAD = frozenset("head script style svg".split())
_INLINE = frozenset(
    "a abbr b bdi bdo cite code data del dfn em font i ins kbd mark q s samp small span strike strong sub sup time tt "
    "u var wbr".split()
)
_PARTS = ("table", "caption", "thead", "tbody", "tfoot", "tr", "td", "th")


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell of a row: its first column, from 0, the one behind its last, and its words on a line, "" for none."""

    start: int
    end: int
    text: str


def columns_of(start: int, across: int) -> int:
    """The column behind a cell that begins in `start` and covers so many."""
    return max(start + 1, min(start + across, _MOST_COLUMNS))


def lines_of(rows: Sequence[Sequence[Cell]], heads: int) -> list[str]:
    """A line for each row, "" where it says nothing: "| Town: Arlen | Population: 12,300".

    The names of columns are those that the first `heads` rows give, whose own lines are "" then; where they give none
    that is short enough, cells stand without. A cell that covers several columns has no name, and one that stands alone
    in its row no mark before it.
    """
    names = _names(rows[:heads]) if heads < len(rows) else {}
    return ["" if names and n < heads and len(row) > 1 else _line(row, names) for n, row in enumerate(rows)]


def _names(heads: Sequence[Sequence[Cell]]) -> dict[int, str]:
    """The name of each column, of all that the rows say of it from top to bottom; none, where one is long."""
    said: dict[int, dict[str, None]] = {}
    for cell in (cell for row in heads if len(row) > 1 for cell in row if cell.text):
        for column in range(cell.start, cell.end):
            said.setdefault(column, {})[cell.text.rstrip(":")] = None
    names = {column: " ".join(words) for column, words in said.items()}
    return names if all(len(name) <= _LONGEST_NAME for name in names.values()) else {}


def _line(row: Sequence[Cell], names: Mapping[int, str]) -> str:
    cells = [
        f"{names[cell.start]}: {cell.text}" if names.get(cell.start) and cell.end == cell.start + 1 else cell.text
        for cell in row
        if cell.text or not names  # without names, the place of a cell tells its column
    ]
    return clean("| " + " | ".join(cells)).removesuffix(" |") if sum(map(bool, cells)) > 1 else clean("".join(cells))


def flatten(tree: Any) -> None:
    """Make, in a tree of HTML, a paragraph of each row of each table, and divisions of all that tables hold otherwise:
    captions, prose, and whole pages, where a table is there for their layout.
    """
    for table in list(tree.iter("table")):
        if table.get("role") not in {"presentation", "none"}:
            _flatten(table)
    for part in list(tree.iter(*_PARTS)):
        part.tag = "div"


def _flatten(table: Any) -> None:
    rows = table.xpath("./tr|./thead/tr|./tbody/tr|./tfoot/tr")
    cells = [[(cell, _short(cell)) for cell in row.iterchildren("td", "th")] for row in rows]
    placed = list(_placed(cells))
    heads = sum(1 for _ in takewhile(_is_head, rows)) or int(bool(cells) and _is_bold(cells[0]))
    for own, line in zip(cells, lines_of(placed, heads), strict=True):
        short = {cell: text for cell, text in own if text}
        if not short or line in short.values():
            continue  # what stands alone keeps its form
        for part in (part for cell in short for part in cell.iter()):
            part.text = None
            part.tail = part.tail if part in short else None
        first = next(iter(short))
        first.text, first.tag = line, "p"


def _placed(rows: Sequence[Sequence[tuple[Any, str]]]) -> Iterator[list[Cell]]:
    """The cells of each row in their columns, with those that reach into it from rows above."""
    hanging: dict[int, tuple[Cell, int]] = {}  # by their first column, and into how many rows more they reach
    for row in rows:
        placed, column = [], 0
        hang = {start: (cell, rest - 1) for start, (cell, rest) in hanging.items() if rest > 1}
        for element, text in row:
            while column in hanging:
                column = hanging[column][0].end
            cell = Cell(column, columns_of(column, _span(element, "colspan")), text)
            if (down := _span(element, "rowspan")) > 1 and column < _MOST_COLUMNS:
                hang[column] = (cell, down - 1)
            placed.append(cell)
            column = cell.end
        if any(cell.text for cell in placed):
            placed = sorted([*placed, *(cell for cell, _ in hanging.values())], key=lambda cell: cell.start)
        yield placed
        hanging = hang


def _span(element: Any, name: str) -> int:
    found = re.match(r"\s*(\d{1,5})", element.get(name, ""))
    return max(1, int(found[1])) if found else 1


def _is_head(row: Any) -> bool:
    cells = list(row.iterchildren("td", "th"))
    return row.getparent().tag == "thead" or (bool(cells) and all(cell.tag == "th" for cell in cells))


def _is_bold(row: Sequence[tuple[Any, str]]) -> bool:
    """Whether each of the cells is set in bold letters, as where a page has no other mark for names of columns."""
    bold = [next(cell.iter("b", "strong"), None) for cell, _ in row]
    return all(b is not None and _words(b) == text for b, (_, text) in zip(bold, row, strict=True))


def _short(cell: Any) -> str:
    """The words of a cell on a line; "" where it holds prose or a table."""
    words = _words(cell) if next(cell.iterdescendants("table"), None) is None else ""
    return words if len(words) <= LONGEST_CELL else ""


def _words(element: Any) -> str:
    from lxml import etree

    words = []
    walk = etree.iterwalk(element, events=("start", "end", "comment", "pi"))
    for event, part in walk:
        edge = "" if part.tag in _INLINE or not isinstance(part.tag, str) else " "
        if event == "start" and part.tag in _UNREAD:
            walk.skip_subtree()
        elif event == "start":
            words += [edge, part.text or ""]
        elif part is not element:
            words += [edge, part.tail or ""]
    return clean("".join(words))
