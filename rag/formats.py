"""PDF or HTML -> running text, as a program of its own: files come from strangers, so no other code runs beside it.

It imports nothing of the project and is started by `sandbox.py`. Standard input brings one line of JSON (`format`,
`size` of the file, limits), then the file, and stays open: when it ends, so does this program. Standard output gets one
JSON object: {"title", "text", "pages"}, or {"error"} with one of the words in `documents.py`.
"""

from __future__ import annotations

import json
import os
import re
import sys
import threading
import unicodedata
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from itertools import pairwise
from statistics import median
from typing import Any

_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ufeff\ufffe\uffff]")
_LIBRARIES = {"html": "trafilatura", "pdf": "pypdfium2"}
_BLOCK_TAGS = frozenset("ab body code div head item list p quote row table".split())
FEWEST_WORDS = 5
"""What is left of a page that is all menus has fewer."""
_HYPHENS = ("\x02", "\ufffe")
"""What pdfium reads at the end of a line where a word is broken."""
_ENDS = re.compile(r"[.!?:;…][\"'”’»)\]]*$")
_BULLET = re.compile(r"[-*+•▪◦‣–]\s")
_NUMBERED = re.compile(r"(?:\d{1,3}(?:\.\d{1,3})*[.)]?|\(?[a-z]\))\s")


class Refused(Exception):  # noqa: N818  # not an error of ours
    """The file cannot be read as an article; the argument is the word that says why."""


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


def main() -> None:
    """Answer the one request on standard input."""
    request = json.loads(sys.stdin.buffer.readline())
    import_module(_LIBRARIES[request["format"]])  # before the limits: what it compiles is kept for the next time
    _limit(seconds=request["seconds"], memory_mb=request["memory_mb"])
    data = sys.stdin.buffer.read(request["size"])
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        if request["format"] == "pdf":
            result = read_pdf(data, max_pages=request["max_pages"], max_characters=request["max_characters"])
        else:
            result = read_html(data)
    except Refused as refused:
        result = {"error": str(refused)}
    except MemoryError:
        result = {"error": "memory"}
    if len(result.get("text", "")) > request["max_characters"]:
        result = {"error": "characters"}
    sys.stdout.buffer.write(json.dumps(result).encode())
    sys.stdout.buffer.flush()
    os._exit(0)


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
    title = _one_line(found.title or "")
    if not title or (title not in text and title not in clean(tree.findtext(".//title") or "")):
        title = next((_one_line("".join(head.itertext())) for head in found.body.iter("head")), "")
    return {"title": title, "text": text, "pages": []}


def read_pdf(data: bytes, *, max_pages: int, max_characters: int) -> dict[str, Any]:
    """The text of a PDF, the lines of a paragraph joined, and the offset at which each page begins in it."""
    import pypdfium2

    try:
        pdf = pypdfium2.PdfDocument(data)
        number_of_pages = len(pdf)
    except pypdfium2.PdfiumError as error:
        raise Refused("encrypted" if "password" in str(error).lower() else "broken") from error
    if number_of_pages > max_pages:
        raise Refused("pages")
    pages: list[list[Line]] = []
    characters = 0
    for number in range(number_of_pages):
        try:
            page = pdf[number]
            pages.append(list(_lines(page.get_textpage())))
            page.close()
        except pypdfium2.PdfiumError as error:
            raise Refused("broken") from error
        characters += sum(len(line.text) for line in pages[-1])
        if characters > max_characters:
            raise Refused("characters")
    text, starts = joined(without_running_lines(pages))
    if not _has_letters(text):
        raise Refused("no_text")
    named = _one_line(pdf.get_metadata_dict().get("Title", ""))
    opening = " ".join(line.text for page in pages[:2] for line in page)
    # Programs leave "untitled" and file names there: a title that nobody sees on the first pages is none.
    title = named if named and named.lower() in opening.lower() else _largest(pages)
    return {"title": title, "text": text, "pages": starts}


def joined(pages: list[list[Line]]) -> tuple[str, list[int]]:
    """The lines as running text, blank lines between paragraphs, and the offset at which each page begins."""
    lines = [line for page in pages for line in page]
    steps = [
        (above.bottom - below.bottom) / below.height for page in pages for above, below in pairwise(page)
        if above.bottom > below.bottom and _same_size(above, below)
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


def clean(text: str) -> str:
    """The text without control characters, broken-word marks as hyphens, in NFC, one space between words."""
    for hyphen in _HYPHENS:
        text = text.replace(hyphen, "-")
    text = text.encode("utf-16", "surrogatepass").decode("utf-16", "ignore")
    return unicodedata.normalize("NFC", " ".join(_CONTROL.sub("", text).split()))


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


def _lines(page: Any) -> Iterator[Line]:
    """The lines of a page in the order in which the file draws them."""
    from pypdfium2 import raw

    characters = [chr(raw.FPDFText_GetUnicode(page, i)) for i in range(page.count_chars())]
    start = 0
    for end in range(len(characters) + 1):
        if end < len(characters) and characters[end] not in "\r\n" and characters[end - 1 : end] != ["\x02"]:
            continue
        seen = [i for i in range(start, end) if not characters[i].isspace() and characters[i] != "\0"]
        start = end
        text = "".join(characters[i] for i in range(seen[0], seen[-1] + 1)) if seen else ""
        if not clean(text):
            continue
        word = next((i for i in range(seen[0], seen[-1]) if characters[i + 1].isspace()), seen[-1])
        boxes = {i: page.get_charbox(i, loose=True) for i in {*seen[:: max(1, len(seen) // 5)], word, seen[-1]}}
        left, right = boxes[seen[0]][0], boxes[seen[-1]][2]
        height = median(box[3] - box[1] for box in boxes.values()) or 1.0
        bottom = median(box[1] for box in boxes.values())
        yield Line(text, left, right, bottom, height, boxes[word][2] - left, boxes[seen[0]][1])


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
    return "" if before.text.endswith(_HYPHENS) else " "


def _is_raised(before: Line, line: Line) -> bool:
    """Whether a "line" begins beside the end of the one before: with the mark of a footnote, say, a little higher."""
    near = -0.2 * before.height < line.left - before.right < before.height
    return near and abs(line.begins - before.bottom) < 0.8 * before.height


def _goes_on(before: Line, line: Line, right: float, leading: float) -> bool:
    """Whether a line continues the paragraph of the line above it; `right` is the edge of their column."""
    if not _same_size(before, line) or before.bottom - line.bottom > 1.25 * leading * line.height:
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
    if not _same_size(before, line) or _ENDS.search(before.text) or _BULLET.match(line.text):
        return False
    return line.text[:1].islower() or before.right > right - 2 * before.height


def _right_edge(lines: list[Line], at: int) -> float:
    """Where the column of a line ends, as lines of its kind nearby show."""
    own = lines[at]
    near = lines[max(0, at - 30) : at + 30]
    return max(o.right for o in near if _same_size(o, own) and abs(o.left - own.left) < 3 * own.height)


def _same_size(a: Line, b: Line) -> bool:
    return 0.87 < a.height / b.height < 1.15


def _largest(pages: list[list[Line]]) -> str:
    """The first lines of the first page in letters clearly larger than most of the text; "" where there are none."""
    usual = median(line.height for page in pages for line in page)
    first = next(page for page in pages if page)
    top = max(first, key=lambda line: line.height)
    if top.height < 1.2 * usual:
        return ""
    start = first.index(top)
    end = next((i for i in range(start, len(first)) if not _same_size(first[i], top)), len(first))
    return _one_line(" ".join(line.text for line in first[start:end]))


def _one_line(title: str) -> str:
    text = clean(title)
    return text if len(text) <= 200 and _has_letters(text) else ""


def _has_letters(text: str) -> bool:
    return any(map(str.isalpha, text))


def _limit(*, seconds: float, memory_mb: int) -> None:
    """Let the system end this program at its limits, also where it would not listen; macOS keeps not all of them."""
    import signal

    with suppress(ImportError):
        import resource

        cpu = int(seconds) + 1
        for kind, value in (
            (resource.RLIMIT_AS, memory_mb * 1_000_000),
            (resource.RLIMIT_CPU, cpu),
            (resource.RLIMIT_FSIZE, 0),
            (resource.RLIMIT_NOFILE, 64),
            (resource.RLIMIT_CORE, 0),
        ):
            with suppress(ValueError, OSError):
                resource.setrlimit(kind, (value, value))
        signal.alarm(cpu)


def _end_with_parent() -> None:
    sys.stdin.buffer.read()
    os._exit(1)


if __name__ == "__main__":
    main()
