"""Passages -> the exact quotes that answer, or that none does: an extractive reader."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Protocol

from rag.models.reader.weights import READER
from rag.sentences import WORD, with_words_around
from rag.types import Document, Passage, Quote, Reading, RetrievedPassage, Span

MAX_QUOTE_WORDS = 50
CONTEXT_WORDS = 12
"""Words kept on both sides of the answer where its sentence is longer than MAX_QUOTE_WORDS."""
LEAST_SCORE = 0.12
"""A further quote that is less likely than this to answer is not worth reading, even on request."""


class Reader(Protocol):
    """Reads passages for the words that answer a question."""

    @property
    def name(self) -> str:
        """What the answer names as its reader."""
        ...

    def read(
        self, question: str, documents: Mapping[str, Document], passages: Sequence[RetrievedPassage], *, max_quotes: int
    ) -> Reading:
        """At most `max_quotes` quotes from the passages, best first, and the probability that they answer."""
        ...


def read_alone(reader: Reader, question: str, text: str) -> Reading:
    """What the reader finds in a text of no document, such as a draft; at most one quote."""
    document, span = Document("alone", "", text, ""), Span(0, len(text))
    passage = RetrievedPassage(Passage(document.id, span, text, (span,)), 1.0)
    return reader.read(question, {document.id: document}, [passage], max_quotes=1)


class SpanReader:
    """Finds the span of words that answers: a small network reads the question with each passage, and once more with
    what stands around the best candidates (`spans.py`).

    A span's score is how much likelier it is than "no answer here" (Devlin et al., 2019), so that scores compare across
    passages; the quote is the sentence around it. `answerable` is the best span's calibrated probability (`weights/`).
    """

    name = "span reader"

    def read(
        self, question: str, documents: Mapping[str, Document], passages: Sequence[RetrievedPassage], *, max_quotes: int
    ) -> Reading:
        """As the protocol says; the network's weights load on first use."""
        from rag.models.reader.spans import CANDIDATES, Window, answer_spans

        read = [retrieved.passage for retrieved in passages]
        ids = list(dict.fromkeys(passage.document_id for passage in read))
        texts = [documents[document_id].text for document_id in ids]
        windows = [Window(ids.index(passage.document_id), passage.span) for passage in read]
        with READER.held() as weights:
            spans = answer_spans(
                weights.network, weights.tokenizer, question, texts, windows, candidates=max(CANDIDATES, max_quotes)
            )
        quotes: list[Quote] = []
        for found in spans:
            document_id, text, highlight = ids[found.row], texts[found.row], Span(found.start, found.end)
            score = weights.calibration.probability(found.score)
            if any(quote.document_id == document_id and quote.span.overlaps(highlight) for quote in quotes):
                continue
            if quotes and (len(quotes) == max_quotes or score < LEAST_SCORE):
                break
            own = (passage for passage in read if passage.document_id == document_id)
            around = next(passage for passage in own if passage.span.contains(highlight))
            span = quote_span(text, highlight, around.sentences)
            quotes.append(Quote(document_id, span, text[span.start : span.end], score, highlight))
        return Reading(tuple(merge_touching(quotes, documents)), quotes[0].score if quotes else 0.0)


def quote_span(text: str, answer: Span, sentences: Sequence[Span]) -> Span:
    """The sentence, or the sentences, that the answer stands in; a part of them where they are very long."""
    touched = [sentence for sentence in sentences if sentence.overlaps(answer)]
    whole = Span(min(touched[0].start, answer.start), max(touched[-1].end, answer.end)) if touched else answer
    if len(WORD.findall(text, whole.start, whole.end)) <= MAX_QUOTE_WORDS:
        return whole
    return with_words_around(text, answer, CONTEXT_WORDS, within=whole)


def merge_touching(quotes: Sequence[Quote], documents: Mapping[str, Document]) -> list[Quote]:
    """The quotes, best first and disjoint: those that overlap, or follow each other and stay short, are joined into one
    that keeps the better's score and highlight.
    """
    merged = list(quotes)
    for better, other in combinations(merged, 2):
        joint = _joint(better, other, documents[better.document_id].text)
        if joint is not None:
            merged[merged.index(better)] = joint
            merged.remove(other)
            return merge_touching(merged, documents)  # the joint quote may touch a third
    return merged


def _joint(better: Quote, other: Quote, text: str) -> Quote | None:
    if better.document_id != other.document_id:
        return None
    first, second = sorted((better.span, other.span), key=lambda span: span.start)
    span = Span(first.start, max(first.end, second.end))
    if not first.overlaps(second):
        between = text[first.end : second.start]
        if between.strip() or "\n\n" in between or len(WORD.findall(text, span.start, span.end)) > MAX_QUOTE_WORDS:
            return None
    return Quote(better.document_id, span, text[span.start : span.end], better.score, better.highlight)
