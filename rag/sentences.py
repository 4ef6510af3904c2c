"""Sentences with offsets, also for text without punctuation."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

import sentencex

from rag.types import Span

MAX_SENTENCE_WORDS = 80
"""A longer "sentence" is taken for text without punctuation and segmented by other means."""
WINDOW_WORDS = 20

Segmenter = Callable[[str], list[Span]]
"""From a text without punctuation to its sentences, offsets into that text; in order, not overlapping, not empty."""

# A "word" without a space in it can be a megabyte long; cut there, or nothing else has a bound.
WORD = re.compile(r"\S{1,60}")
_LETTER = re.compile(r"[^\W\d_]")
_HEADING = re.compile(r"[^\S\n]*#{1,6}\s")
_ITEM = re.compile(r"[^\S\n]*(?:[-*+•]|\d{1,3}[.)]|>)\s")
_ROW = re.compile(r"[^\S\n]*\|\s")


def split_sentences(text: str, segmenter: Segmenter | None = None) -> list[Span]:
    """The sentences of a text in order: not overlapping, free of white space at both ends, together holding every
    character that is not white space.

    Punctuated text is split by `sentencex`, but for rows of tables, which are one each, whatever stands in their cells;
    stretches of more than MAX_SENTENCE_WORDS words without a boundary go to `segmenter` (default: `word_windows`).
    """
    segmenter = segmenter or word_windows
    sentences: list[Span] = []
    for block, is_row in _blocks(text):
        if is_row and len(WORD.findall(text, block.start, block.end)) <= MAX_SENTENCE_WORDS:
            sentences.append(block)
            continue
        for boundary in sentencex.get_sentence_boundaries("en", text[block.start : block.end]):
            start, end = boundary["start_index"], boundary["end_index"]
            sentence = _trim(text, block.start + start, block.start + end)
            if sentence is None:
                continue
            if (
                sentences
                and block.start <= sentences[-1].start
                and not _LETTER.search(text, sentences[-1].start, sentences[-1].end)
            ):
                sentence = Span(sentences.pop().start, sentence.end)  # "1." and the like are no sentence
            if len(WORD.findall(text, sentence.start, sentence.end)) <= MAX_SENTENCE_WORDS:
                sentences.append(sentence)
            else:
                inner = segmenter(text[sentence.start : sentence.end])
                sentences += [Span(sentence.start + s.start, sentence.start + s.end) for s in inner]
    return sentences


def sentence_texts(text: str) -> list[str]:
    """The words of the text's sentences, in order."""
    return [text[span.start : span.end] for span in split_sentences(text)]


def with_words_around(text: str, span: Span, words: int, within: Span) -> Span:
    """The span with so many words before and after it, as far as `within` has them."""
    before = [match.start() for match in WORD.finditer(text, within.start, span.start)][-words:]
    after = [match.end() for match in WORD.finditer(text, span.end, within.end)][:words]
    return Span(before[0] if before else span.start, after[-1] if after else span.end)


def word_windows(text: str, words: int = WINDOW_WORDS) -> list[Span]:
    """The text cut into windows of about `words` words of equal size, on word boundaries."""
    found = [match.span() for match in WORD.finditer(text)]
    windows = max(1, round(len(found) / words))
    edges = [round(i * len(found) / windows) for i in range(windows + 1)]
    return [Span(found[a][0], found[b - 1][1]) for a, b in pairwise(edges) if a < b]


def _blocks(text: str) -> Iterator[tuple[Span, bool]]:
    """Paragraphs, headings, list items and table rows: what no sentence crosses; and whether each is a row."""
    lines = re.findall(r"[^\n]*\n?", text)
    rows = _rows(lines)
    start, at, begins = 0, 0, 0
    after_heading = False
    for number, line in enumerate([*lines, ""]):
        heading = _HEADING.match(line) is not None
        apart = number in rows or (begins in rows and not _is_ruler(line))
        if after_heading or heading or apart or not line.strip() or _ITEM.match(line):
            block = _trim(text, start, at)
            if block is not None:
                yield block, begins in rows
            start, begins = at, number
        after_heading = heading
        at += len(line)


def _rows(lines: Sequence[str]) -> set[int]:
    """Which lines are rows of a table: those that begin with a bar, and in Markdown those around a ruler such as
    "---|---", from the one above it to the next empty line.
    """
    rows, inside = set(), False
    for number, (line, below) in enumerate(pairwise([*lines, ""])):
        if _is_ruler(line):
            continue  # it belongs to the row above
        inside = bool(line.strip()) and (inside or ("|" in line and _is_ruler(below)))
        if inside or _ROW.match(line):
            rows.add(number)
    return rows


def _is_ruler(line: str) -> bool:
    return {"|", "-"} <= set(line) <= set("|-: \t\n")


def _trim(text: str, start: int, end: int) -> Span | None:
    """The stretch without white space at its ends; None where nothing else is there."""
    stretch = text[start:end]
    start += len(stretch) - len(stretch.lstrip())
    end -= len(stretch) - len(stretch.rstrip())
    return Span(start, end) if start < end else None
