"""Lines on pages -> running text: which continue a paragraph, and which are headers and footers."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from .cleaning import HYPHENS, clean

_ENDS = re.compile(r"[.!?:;…][\"'”’»)\]]*$")
_BULLET = re.compile(r"[-*+•▪◦‣–]\s")
_NUMBERED = re.compile(r"(?:\d{1,3}(?:\.\d{1,3})*[.)]?|\(?[a-z]\))\s")


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a PDF page; lengths are in points, `bottom` grows upwards, `height` is that of its letters."""

    text: str
    left: float
    right: float
    bottom: float
    height: float
    first_word: float
    """How wide its first word is."""
    begins: float
    """The `bottom` of its first letter, which may be raised."""


def joined(pages: list[list[Line]]) -> tuple[str, list[int]]:
    """The lines as running text, blank lines between paragraphs, and the offset at which each page begins."""
    lines = [line for page in pages for line in page]
    steps = [
        (above.bottom - below.bottom) / below.height for page in pages for above, below in pairwise(page)
        if above.bottom > below.bottom and same_size(above, below)
    ]  # fmt: skip
    leading = median(steps) if steps else 1.2  # from line to line, in heights of a letter
    parts: list[str] = []
    length, at = 0, 0
    starts: list[int] = []
    for page in pages:
        for number, line in enumerate(page):
            separator = ""
            if at > 0:
                right = _right_edge(lines, at - 1)
                separator = _between(lines[at - 1], line, right, leading, new_page=number == 0)
            text = clean(line.text)
            parts += [separator, text]
            length += len(separator)
            if number == 0:
                starts.append(length)
            length += len(text)
            at += 1
        if not page:
            starts.append(-1)
    for number in reversed(range(len(starts))):  # a page without text begins where the next one does
        if starts[number] < 0:
            starts[number] = starts[number + 1] if number + 1 < len(starts) else length
    return "".join(parts), starts


def without_running_lines(pages: list[list[Line]]) -> list[list[Line]]:
    """The pages without headers and footers: first and last lines, no larger than the text, that come back, but for
    numbers, on other pages at the same height.
    """
    if sum(map(bool, pages)) < 2:
        return pages
    usual = median(line.height for page in pages for line in page)

    def kind(line: Line) -> tuple[str, int] | None:
        small = line.height < 1.15 * usual  # the titles of slides, say, are none
        return (re.sub(r"\d+", "#", line.text), round(line.bottom / 4)) if small else None

    def edges(page: list[Line]) -> set[tuple[str, int]]:
        return {edge for line in [*page[:2], *page[-2:]] if (edge := kind(line)) is not None}

    count = Counter(edge for page in pages for edge in edges(page))
    running = {edge for edge, pages_with_it in count.items() if pages_with_it >= max(2, len(pages) / 4)}
    kept = []
    for page in pages:
        start, end = 0, len(page)
        while start < end and kind(page[start]) in running:
            start += 1
        while end > start and kind(page[end - 1]) in running:
            end -= 1
        kept.append(page[start:end])
    return kept if any(kept) else pages


def _between(before: Line, line: Line, right: float, leading: float, *, new_page: bool) -> str:
    """What the text has between two lines: nothing, a space, or the end of a paragraph."""
    if not new_page and _is_raised(before, line):
        return ""
    if new_page or line.bottom >= before.bottom or line.right < before.left or before.right < line.left:
        goes_on = _goes_on_elsewhere(before, line, right)
    else:
        goes_on = _goes_on(before, line, right, leading)
    if not goes_on:
        return "\n\n"
    return "" if before.text.endswith(HYPHENS) else " "


def _is_raised(before: Line, line: Line) -> bool:
    """Whether a "line" begins beside the end of the one before: with the mark of a footnote, say, a little higher."""
    near = -0.2 * before.height < line.left - before.right < before.height
    return near and abs(line.begins - before.bottom) < 0.8 * before.height


def _goes_on(before: Line, line: Line, right: float, leading: float) -> bool:
    """Whether a line continues the paragraph of the line above it; `right` is the edge of their column."""
    if not same_size(before, line) or before.bottom - line.bottom > 1.25 * leading * line.height:
        return False
    if _BULLET.match(line.text):
        return False
    # Where the next word would have fitted, somebody ended the line on purpose.
    on_purpose = before.right + 0.25 * line.height + line.first_word < right - 0.5 * line.height
    ended = _ENDS.search(before.text) is not None
    if (on_purpose or ended) and _NUMBERED.match(line.text):
        return False
    if on_purpose:
        return not ended and line.text[:1].islower()
    return not (ended and line.left - before.left > 0.8 * line.height)


def _goes_on_elsewhere(before: Line, line: Line, right: float) -> bool:
    """Whether a line continues the paragraph of the last line of another column or page."""
    if not same_size(before, line) or _ENDS.search(before.text) or _BULLET.match(line.text):
        return False
    return line.text[:1].islower() or before.right > right - 2 * before.height


def _right_edge(lines: list[Line], at: int) -> float:
    """Where the column of a line ends, as lines of its kind nearby show."""
    own = lines[at]
    near = lines[max(0, at - 30) : at + 30]
    return max(o.right for o in near if same_size(o, own) and abs(o.left - own.left) < 3 * own.height)


def same_size(a: Line, b: Line) -> bool:
    """Whether the lines are set in letters of about the same height."""
    return 0.87 < a.height / b.height < 1.15
