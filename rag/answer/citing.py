"""Places of an index -> quotes and citations: the exact words, with their article's title and place."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import count

from rag.answer.drafts import Source
from rag.library.index import PassageIndex
from rag.types import Citation, Quote, Span


def quoted(index: PassageIndex, source: Source, highlight: Span | None = None) -> Quote:
    """The source as a quote, with the words highlighted that lie there."""
    text = index.text_at(source.document_id, source.span)
    return Quote(source.document_id, source.span, text, source.score, highlight)


def cite(index: PassageIndex, quotes: Iterable[Quote], numbers: Iterator[int] | None = None) -> tuple[Citation, ...]:
    """A citation of each quote, in their order; they are numbered from 1, or take the next of the numbers."""
    return tuple(
        Citation(
            number=number,
            document_id=quote.document_id,
            title=index.documents[quote.document_id].title,
            start=quote.span.start,
            end=quote.span.end,
            quote=quote.text,
            score=quote.score,
            highlight=quote.highlight,
            page=index.documents[quote.document_id].page_at(quote.span.start),
            place=index.documents[quote.document_id].label_at(quote.span.start),
        )
        for quote, number in zip(quotes, numbers if numbers is not None else count(1), strict=False)
    )
