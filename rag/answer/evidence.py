"""A question -> the evidence for its answer, in one of two ways: what answers it, or what stands for the whole."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from rag.answer.overview import central_passages, central_quotes
from rag.answer.question import Question
from rag.answer.retrieval import retrieve
from rag.library.index import PassageIndex
from rag.models.reader.quotes import LEAST_SCORE, Reader, merge_touching
from rag.settings import Settings
from rag.types import Citation, Quote, Reading, RetrievedPassage, Span

LEAST_SHARE = 0.3
"""A further quote is shown where it is at least so likely to answer, as a share of the best one's probability."""


class Evidence(Protocol):
    """A way to the evidence: first passages, then the quotes in them."""

    def retrieve(self, question: Question) -> list[RetrievedPassage]:
        """The passages that are read, best first."""
        ...

    def read(self, question: Question, found: Sequence[RetrievedPassage], exclude: Sequence[Citation]) -> Reading:
        """The quotes from the passages, best first, without those that overlap an excluded citation."""
        ...


def evidence_for(question: Question, index: PassageIndex, reader: Reader, settings: Settings) -> Evidence:
    """The way to the evidence that the question asks for."""
    return Overview(index, settings) if question.about_whole else Passages(index, reader, settings)


class Passages:
    """The passages that are like the question, read for the words that answer it."""

    def __init__(self, index: PassageIndex, reader: Reader, settings: Settings) -> None:
        self._index = index
        self._reader = reader
        self._settings = settings

    def retrieve(self, question: Question) -> list[RetrievedPassage]:
        return retrieve(self._index, question.in_context, k=self._settings.retrieved_passages)

    def read(self, question: Question, found: Sequence[RetrievedPassage], exclude: Sequence[Citation]) -> Reading:
        """The quotes that are not much less likely than the best; where the question has parts, what answers each comes
        first.
        """
        documents, wanted = self._index.documents, self._settings.max_quotes

        def read(question: str, max_quotes: int) -> Reading:
            reading = self._reader.read(question, documents, found, max_quotes=max_quotes + len(exclude))
            fresh = _fresh(reading.quotes, exclude)
            close = [quote for quote in fresh if quote.score >= LEAST_SHARE * fresh[0].score]
            return Reading(tuple(close[:max_quotes]), reading.answerable)

        whole = read(question.in_context, wanted)
        apart = [read(part, 1) for part in question.parts]
        if not apart:
            return whole
        by_chance = sorted((whole, *apart), key=lambda reading: -reading.answerable)
        first = [quote for reading in by_chance for quote in reading.quotes[:1] if quote.score >= LEAST_SCORE]
        quotes = merge_touching([*first, *(quote for quote in whole.quotes if quote not in first)], documents)
        return Reading(tuple(quotes[:wanted]), by_chance[0].answerable)


class Overview:
    """The passages and sentences that stand for the whole, whatever the question's words."""

    def __init__(self, index: PassageIndex, settings: Settings) -> None:
        self._index = index
        self._settings = settings

    def retrieve(self, question: Question) -> list[RetrievedPassage]:  # noqa: ARG002
        return central_passages(self._index, self._settings.retrieved_passages)

    def read(self, question: Question, found: Sequence[RetrievedPassage], exclude: Sequence[Citation]) -> Reading:  # noqa: ARG002
        wanted = self._settings.max_quotes
        quotes = central_quotes(self._index, found, wanted + len(exclude))
        return Reading(tuple(_fresh(quotes, exclude)[:wanted]), 1.0)


def _fresh(quotes: Sequence[Quote], exclude: Sequence[Citation]) -> list[Quote]:
    """The quotes that overlap none of the citations."""
    seen = [(citation.document_id, Span(citation.start, citation.end)) for citation in exclude]
    return [
        quote for quote in quotes if not any(quote.document_id == of and quote.span.overlaps(span) for of, span in seen)
    ]
