"""An article -> the JSON that the page's script shows: its text in paragraphs, where its title and its places are."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import accumulate, pairwise
from typing import Any

from rag import Document, is_address, seems_english

LONGEST_PARAGRAPH = 120
SHORTEST_PARAGRAPH = 40
USUAL_PARAGRAPH = 80
_BLANK_LINES = re.compile(r"\n[^\S\n]*\n\s*")
_SENTENCE_END = re.compile(r"[.!?][\"'”’)\]]*\s+$")


def article_json(document: Document, boundaries: Iterable[int] = (), *, pages: int = 0) -> dict[str, Any]:
    """What the page's script shows as the article; the paragraphs joined are the document's text.

    `heading` tells where its title stands, which is shown once: "above" the text, where it is no part of it, or as its
    "first" paragraph; "" where the text just begins with these words. `places` are [where it begins, in
    UTF-16 units, what it is called] of each page, of each chapter that does not begin with its title, and, as there
    are many of them, of the time of each paragraph.
    `address` is that of the web page which it was, "" of others. `pages` is how many can be shown as they
    are in the PDF file, 0 of others. `english` tells whether it seems to be in English.
    """
    heading, rest = _heading(document)
    first = [document.text[:rest]] if rest else []
    cut = first + paragraphs(document.text[rest:], (boundary - rest for boundary in boundaries))
    return {
        "id": document.id,
        "title": document.title,
        "address": document.source if is_address(document.source) else "",
        "heading": heading,
        "paragraphs": cut,
        "places": _places(document, accumulate(map(len, cut[:-1]), initial=0)),
        "pages": pages,
        "english": seems_english(document.text),
    }


def _places(document: Document, starts: Iterable[int]) -> list[tuple[int, str]]:
    """The places that are shown in the article, of which the paragraphs begin at `starts`."""
    if any(place.kind == "time" for place in document.places):
        shown = [(start, label) for start in starts if (label := document.label_at(start)) is not None]
    else:
        shown = [
            (place.start, place.label)
            for place in document.places
            if not (place.title and document.text.startswith(place.title, place.start))
        ]
    parts = (document.text[start:end] for start, end in pairwise((0, *(start for start, _ in shown))))
    return [(at, label) for at, (_, label) in zip(accumulate(map(utf16_length, parts)), shown, strict=True)]


def _heading(document: Document) -> tuple[str, int]:
    """Where the title stands, as `article_json` says it, and the offset behind it where it is the first paragraph."""
    title, text = document.title.split(), document.text
    cut_short = len(title) > 1 and title[-1] == "…"  # the first words of a text that came without a title
    words = r"\s+".join(map(re.escape, title[:-1] if cut_short else title))
    line_end = "" if cut_short else r"(?:[ \t]+#+)?[ \t]*(?:\n\s*|\Z)"
    found = re.match(rf"\s*(?:#{{1,6}}[ \t]+)?{words}{line_end}", text, re.IGNORECASE)
    if found is None:
        return "above", 0
    return ("", 0) if cut_short or found.end() == len(text) else ("first", found.end())


def paragraphs(text: str, boundaries: Iterable[int] = ()) -> list[str]:
    """The text cut for reading; joined, the parts are the text again.

    Blank lines separate paragraphs. A longer one than LONGEST_PARAGRAPH words is cut at `boundaries` (offsets at which
    a sentence is known to begin), else after a full stop, else anywhere between words.
    """
    known = set(boundaries)
    cuts: list[int] = []
    start = 0
    for end in [*(gap.end() for gap in _BLANK_LINES.finditer(text)), len(text)]:
        words = [start + word.start() for word in re.finditer(r"\S+", text[start:end])]
        if words:
            cuts += [start, *_cuts(text, words, known)]
        start = end
    cuts = [0, *cuts[1:], len(text)]
    return [text[a:b] for a, b in pairwise(cuts) if a < b]


def _cuts(text: str, words: Sequence[int], known: set[int]) -> list[int]:
    cuts, at = [], 0
    while len(words) - at > LONGEST_PARAGRAPH:
        reachable = range(at + SHORTEST_PARAGRAPH, at + LONGEST_PARAGRAPH)
        good = [k for k in reachable if words[k] in known] or [
            k for k in reachable if _SENTENCE_END.search(text, words[k - 1], words[k])
        ]
        usual = at + USUAL_PARAGRAPH
        at = min(good, key=lambda k: abs(k - usual)) if good else usual
        cuts.append(words[at])
    return cuts


def utf16_length(text: str) -> int:
    """How long the text is as JavaScript counts."""
    return len(text.encode("utf-16-le")) // 2
