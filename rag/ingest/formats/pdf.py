"""The text of a PDF file: its lines as the file draws them, put together by `lines.py`, and its title."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import median
from typing import Any

from .cleaning import Refused, clean, has_letters, one_line
from .lines import Line, joined, same_size, without_running_lines


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
    if not has_letters(text):
        raise Refused("no_text")
    named = one_line(pdf.get_metadata_dict().get("Title", ""))
    opening = " ".join(line.text for page in pages[:2] for line in page)
    # Programs leave "untitled" and file names there: a title that nobody sees on the first pages is none.
    title = named if named and named.lower() in opening.lower() else _largest(pages)
    places = [(start, "page", number) for number, start in enumerate(starts, 1)]
    return {"title": title, "text": text, "places": places}


def characters_of(textpage: Any) -> list[str]:
    """The characters of a page in the order in which the file draws them; one beyond U+FFFF as its two halves."""
    from pypdfium2 import raw

    return [chr(raw.FPDFText_GetUnicode(textpage, i)) for i in range(textpage.count_chars())]


def lines_in(characters: Sequence[str]) -> Iterator[range]:
    """Where each line that says something stands among the page's characters, from its first letter to its last."""
    start = 0
    for end in range(len(characters) + 1):
        if end < len(characters) and characters[end] not in "\r\n" and characters[end - 1 : end] != ["\x02"]:
            continue
        seen = [i for i in range(start, end) if not characters[i].isspace() and characters[i] != "\0"]
        start = end
        if seen and clean("".join(characters[seen[0] : seen[-1] + 1])):
            yield range(seen[0], seen[-1] + 1)


def _lines(textpage: Any) -> Iterator[Line]:
    """The lines of a page in the order in which the file draws them."""
    characters = characters_of(textpage)
    for line in lines_in(characters):
        seen = [i for i in line if not characters[i].isspace() and characters[i] != "\0"]
        word = next((i for i in range(seen[0], seen[-1]) if characters[i + 1].isspace()), seen[-1])
        boxes = {i: textpage.get_charbox(i, loose=True) for i in {*seen[:: max(1, len(seen) // 5)], word, seen[-1]}}
        left, right = boxes[seen[0]][0], boxes[seen[-1]][2]
        height = median(box[3] - box[1] for box in boxes.values()) or 1.0
        bottom = median(box[1] for box in boxes.values())
        text = "".join(characters[i] for i in line)
        yield Line(text, left, right, bottom, height, boxes[word][2] - left, boxes[seen[0]][1])


def _largest(pages: list[list[Line]]) -> str:
    """The first lines of the first page in letters clearly larger than most of the text; "" where there are none."""
    usual = median(line.height for page in pages for line in page)
    first = next(page for page in pages if page)
    top = max(first, key=lambda line: line.height)
    if top.height < 1.2 * usual:
        return ""
    start = first.index(top)
    end = next((i for i in range(start, len(first)) if not same_size(first[i], top)), len(first))
    return one_line(" ".join(line.text for line in first[start:end]))
