"""A page of a PDF file as people see it: drawn, and where on it the words stand of the text that was made of it.

The text is what `pdf.py` makes of the page's lines, of which it leaves out some; but for white space, the others follow
each other in it letter by letter. So words are found by counting letters, once all of them are seen to agree.
"""

from __future__ import annotations

import struct
import unicodedata
import zlib
from collections.abc import Iterable, Iterator, Sequence
from ctypes import byref, c_int
from itertools import accumulate
from math import sqrt
from typing import Any, TypeAlias

from .cleaning import Refused, clean
from .pdf import characters_of, lines_in

_MOST_PIXELS = 8_000_000
_FINE = 100
"""Boxes are counted in whole parts of a point, so many to each."""
_Box: TypeAlias = tuple[int, int, int, int]
"""Left, top, right and bottom on the page as it is seen."""


def draw_page(
    data: bytes, *, number: int, width: int, text: str, ranges: Sequence[Sequence[int]]
) -> tuple[dict[str, Any], bytes]:
    """The page of that number, from 1, as PNG of so many pixels in width, or fewer where it is very high; and its
    `marks`: for each range of `text`, which was made of the page, the boxes around its words, [left, top, width,
    height] as parts of the page's. Where the text does not agree with the page, there are none.
    """
    import pypdfium2

    try:
        pdf = pypdfium2.PdfDocument(data)
        page = pdf[number - 1]
        textpage = page.get_textpage()
        across, down = page.get_size()
        letters = _letters(characters_of(textpage), "".join(text.split()))
        marks = [_joined(_boxes(page, textpage, _characters(letters, text, start, end))) for start, end in ranges]
        scale = min(width / across, sqrt(_MOST_PIXELS / (across * down)))
        bitmap = page.render(scale=scale, rev_byteorder=True, may_draw_forms=False)
    except (pypdfium2.PdfiumError, IndexError, ZeroDivisionError) as error:
        raise Refused("broken") from error
    unit = (across * _FINE, down * _FINE, across * _FINE, down * _FINE)
    parts = [[(a, b, c - a, d - b) for a, b, c, d in boxes] for boxes in marks]
    shares = [[[round(part / of, 5) for part, of in zip(box, unit, strict=True)] for box in boxes] for boxes in parts]
    return {"marks": shares}, _png(bitmap)


def _letters(characters: Sequence[str], text: str) -> list[list[int]]:
    """For each letter of the text, which has no white space, the places of the page's characters that it was made of;
    [] where the page's lines do not have exactly this text at exactly one place.
    """
    lines = [list(_made_of(characters, places)) for places in lines_in(characters)]
    whole = "".join(letters for line in lines for letters, _ in line)
    edges = [0, *accumulate(sum(len(letters) for letters, _ in line) for line in lines)]
    found = [at for at in edges if at + len(text) in edges and whole.startswith(text, at)]
    if len(found) != 1:
        return []
    each = [places for line in lines for letters, places in line for _ in letters]
    return each[found[0] : found[0] + len(text)]


def _made_of(characters: Sequence[str], line: range) -> Iterator[tuple[str, list[int]]]:
    """The letters that `clean` makes of the line, without white space, and the places of what they were made of; those
    that become others where they meet, such as a letter and its accent, are together.
    """
    raw, places = "", list[int]()
    for place in line:
        character = characters[place]
        if not (character.isspace() or _is_half(character) or clean(character)):
            continue  # it is dropped, and what stands around it meets
        if raw and not _meet(raw, character):
            yield clean(raw), places
            raw, places = "", []
        if not character.isspace():
            raw += character
            places.append(place)
    if raw:
        yield clean(raw), places


def _meet(before: str, character: str) -> bool:
    """Whether the character becomes another with what stands before it."""
    if _is_half(character) and _is_half(before[-1]):
        return before[-1] < "\udc00" <= character
    apart = unicodedata.normalize("NFC", before) + unicodedata.normalize("NFC", character)
    return unicodedata.normalize("NFC", before + character) != apart


def _is_half(character: str) -> bool:
    """Whether it is half of a surrogate pair, as which PDFium gives a character beyond U+FFFF."""
    return "\ud800" <= character <= "\udfff"


def _characters(letters: Sequence[list[int]], text: str, start: int, end: int) -> Iterable[int]:
    """The places of the page's characters that the range of the text was made of, in order."""
    before = [0, *accumulate(not character.isspace() for character in text)]  # letters before each character
    return dict.fromkeys(place for places in letters[before[start] : before[end]] for place in places)


def _boxes(page: Any, textpage: Any, places: Iterable[int]) -> Iterator[_Box]:
    """The box of each of the characters that can be seen: as high as its font, or, where that is turned, as it is."""
    for place in places:
        tight = _seen(page, *textpage.get_charbox(place))
        loose = _seen(page, *textpage.get_charbox(place, loose=True))
        left, top, right, bottom = loose if _is_around(loose, tight) else tight
        if left < right and top < bottom:
            yield left, top, right, bottom


def _seen(page: Any, left: float, bottom: float, right: float, top: float) -> _Box:
    """A box in points of the file, as the page is seen, which may be turned and cut; no part of it lies outside."""
    from pypdfium2 import raw

    across, down = (round(side * _FINE) for side in page.get_size())
    x, y = c_int(), c_int()
    corners = []
    for corner in ((left, bottom), (right, top)):
        raw.FPDF_PageToDevice(page, 0, 0, across, down, 0, *corner, byref(x), byref(y))
        corners.append((min(max(x.value, 0), across), min(max(y.value, 0), down)))
    (x0, y0), (x1, y1) = corners
    return min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)


def _is_around(loose: _Box, tight: _Box) -> bool:
    """Whether the loose box has the tight one in it, but for a point."""
    begins = all(a <= b + _FINE for a, b in zip(loose[:2], tight[:2], strict=True))
    return begins and all(a >= b - _FINE for a, b in zip(loose[2:], tight[2:], strict=True))


def _joined(boxes: Iterable[_Box]) -> list[_Box]:
    """The boxes; those that follow each other on a line, with no more than the gap of a word between, as one."""
    joined: list[_Box] = []
    for box in boxes:
        if joined and _is_beside(joined[-1], box):
            left, top, right, bottom = joined[-1]
            joined[-1] = min(left, box[0]), min(top, box[1]), max(right, box[2]), max(bottom, box[3])
        else:
            joined.append(box)
    return joined


def _is_beside(a: _Box, b: _Box) -> bool:
    height = min(a[3] - a[1], b[3] - b[1])
    shared = min(a[3], b[3]) - max(a[1], b[1])
    gap = max(a[0], b[0]) - min(a[2], b[2])
    return shared > height / 2 and gap < 1.5 * height


def _png(bitmap: Any) -> bytes:
    """The picture, which has red, green and blue bytes, as PNG (https://www.w3.org/TR/png-3/)."""
    pixels, length = memoryview(bitmap.buffer).cast("B"), 3 * bitmap.width
    rows = b"".join(b"\0" + pixels[at : at + length] for at in range(0, bitmap.height * bitmap.stride, bitmap.stride))
    chunks = (
        (b"IHDR", struct.pack(">IIBBBBB", bitmap.width, bitmap.height, 8, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(rows, 6)),
        (b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )
