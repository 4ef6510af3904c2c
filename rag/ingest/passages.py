"""Document -> overlapping passages that end on sentence boundaries."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rag.sentences import Segmenter, split_sentences, word_windows
from rag.types import Document, Passage, Span

PieceCounter = Callable[[Sequence[str]], list[int]]
"""From texts to the number of word pieces that the embedder's tokeniser makes of each, markers not counted."""


def split_passages(
    document: Document,
    count_pieces: PieceCounter,
    *,
    max_pieces: int,
    overlap_pieces: int,
    segmenter: Segmenter | None = None,
) -> list[Passage]:
    """The passages of a document in order, each of whole sentences and at most `max_pieces` word pieces.

    A passage begins with the last sentences of the one before, up to `overlap_pieces` of them, so that what belongs
    together stands together in one of the two. Every sentence is in at least one passage.
    """
    sentences, pieces = _bounded_sentences(document.text, count_pieces, max_pieces, segmenter)
    passages = []
    first, n = 0, len(sentences)
    while first < n:
        last, total = first, pieces[first]
        while last + 1 < n and total + pieces[last + 1] <= max_pieces:
            last += 1
            total += pieces[last]
        span = Span(sentences[first].start, sentences[last].end)
        text = document.text[span.start : span.end]
        passages.append(Passage(document.id, span, text, tuple(sentences[first : last + 1])))
        if last + 1 == n:
            break
        following, shared = last + 1, 0
        # Step back over what fits the overlap, but only as far as the next passage still reaches a new sentence.
        while (
            following - 1 > first
            and shared + pieces[following - 1] <= overlap_pieces
            and (shared + pieces[following - 1] + pieces[last + 1] <= max_pieces)
        ):
            following -= 1
            shared += pieces[following]
        first = following
    return passages


def _bounded_sentences(
    text: str, count_pieces: PieceCounter, max_pieces: int, segmenter: Segmenter | None
) -> tuple[list[Span], list[int]]:
    """Sentences and their word pieces; a sentence of more than `max_pieces` is halved until its parts fit."""
    todo = split_sentences(text, segmenter)[::-1]
    counts = count_pieces([text[s.start : s.end] for s in todo])
    stack = list(zip(todo, counts, strict=True))
    sentences, pieces = [], []
    while stack:
        span, count = stack.pop()
        if count <= max_pieces or len(span) == 1:
            sentences.append(span)
            pieces.append(count)
            continue
        halves = _halve(text, span)
        counts = count_pieces([text[s.start : s.end] for s in halves])
        stack += list(zip(halves, counts, strict=True))[::-1]
    return sentences, pieces


def _halve(text: str, span: Span) -> list[Span]:
    """The span in two or more parts, between words where it has several, else in the middle of its only word."""
    inside = text[span.start : span.end]
    words = len(inside.split())
    parts = word_windows(inside, max(1, words // 2))
    if len(parts) < 2:
        middle = len(inside) // 2
        parts = [Span(0, middle), Span(middle, len(inside))]
    return [Span(span.start + part.start, span.start + part.end) for part in parts]
