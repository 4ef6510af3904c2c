"""Passages -> the exact quotes that answer, or that none does."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Protocol

import numpy as np

from rag.embeddings import Embedder
from rag.index import bm25_scores, build_bm25, lexical_tokens
from rag.retrieval import fuse_ranks
from rag.sentences import split_sentences
from rag.types import Document, Quote, Reading, RetrievedPassage, Span

MAX_QUOTE_WORDS = 40


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


class SentenceReader:
    """Ranks the sentences of the passages by meaning and by words, alone and with their neighbours.

    The probability that the passages answer is the share of the question's words, weighed by rarity, that stand near
    the best quote; it is 0 where the question has a name or number that no document has.
    """

    name = "sentence ranking"

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder

    def read(
        self, question: str, documents: Mapping[str, Document], passages: Sequence[RetrievedPassage], *, max_quotes: int
    ) -> Reading:
        candidates = _candidates(documents, passages)
        if not candidates:
            return Reading((), 0.0)
        texts = [documents[key].text[span.start : span.end] for key, span in candidates]
        windows = [
            " ".join(texts[j] for j in range(max(0, i - 1), min(len(texts), i + 2)) if candidates[j][0] == key)
            for i, (key, _) in enumerate(candidates)
        ]
        query = self._embedder.embed([question], query=True)[0]  # (d,)
        dense = self._embedder.embed(texts) @ query  # (n,), cosines
        lexical = bm25_scores(build_bm25(texts), question)
        around = bm25_scores(build_bm25(windows), question)
        fused = fuse_ranks([_ranking(1 + dense), _ranking(lexical), _ranking(around)], constant=10)
        best = sorted(fused, key=lambda i: (-fused[i], i))[:max_quotes]
        quotes = [Quote(candidates[i][0], candidates[i][1], texts[i], round(fused[i], 4)) for i in best]
        coverage = max(_coverage(question, windows[i], windows) for i in best)
        foreign = _foreign(question, [document.text for document in documents.values()])
        return Reading(tuple(merge_touching(quotes, documents)), 0.0 if foreign else coverage)


def merge_touching(quotes: Sequence[Quote], documents: Mapping[str, Document]) -> list[Quote]:
    """The quotes, best first, joined where they overlap or follow one another in a paragraph and stay short."""
    merged: list[Quote] = []
    for quote in quotes:
        for i, other in enumerate(merged):
            joint = _join(other, quote, documents[quote.document_id].text)
            if joint is not None:
                merged[i] = joint
                break
        else:
            merged.append(quote)
    return merged


def _join(better: Quote, other: Quote, text: str) -> Quote | None:
    if better.document_id != other.document_id:
        return None
    first, second = sorted((better.span, other.span), key=lambda span: span.start)
    between = text[first.end : second.start]
    if between.strip() or "\n\n" in between:
        return None
    span = Span(first.start, max(first.end, second.end))
    joint = text[span.start : span.end]
    if len(joint.split()) > MAX_QUOTE_WORDS:
        return None
    return Quote(better.document_id, span, joint, better.score, better.highlight)


@lru_cache(maxsize=64)
def _sentences(text: str) -> tuple[Span, ...]:
    return tuple(split_sentences(text))


def _candidates(documents: Mapping[str, Document], passages: Iterable[RetrievedPassage]) -> list[tuple[str, Span]]:
    """(document id, sentence) of every sentence in the passages, in the documents' order."""
    found: set[tuple[str, Span]] = set()
    for retrieved in passages:
        passage = retrieved.passage
        sentences = _sentences(documents[passage.document_id].text)
        found |= {(passage.document_id, s) for s in sentences if passage.span.contains(s)}
    return sorted(found, key=lambda item: (item[0], item[1].start))


def _ranking(scores: np.ndarray) -> list[int]:
    """Positions by falling score, those without any score left out."""
    return [int(i) for i in np.argsort(-scores, kind="stable") if scores[i] > 0]


def _coverage(question: str, window: str, windows: Sequence[str]) -> float:
    """The share of the question's stems that the window has, each weighed by its rarity among all windows."""
    stems = set(lexical_tokens([question])[0]) - _QUESTION_STEMS
    if not stems:
        return 0.0
    present = [set(tokens) for tokens in lexical_tokens(windows)]
    weight = {s: float(np.log(1 + len(present) / (1 + sum(s in p for p in present)))) for s in stems}
    here = set(lexical_tokens([window])[0])
    return sum(weight[s] for s in stems & here) / sum(weight.values())


def _foreign(question: str, texts: Iterable[str]) -> bool:
    """Whether the question has a name (capitalised, not first) or number that no text has."""
    words = re.findall(r"\w+", question)
    telling = [w for i, w in enumerate(words) if w[0].isdigit() or (i > 0 and w[0].isupper() and len(w) > 1)]
    if not telling:
        return False
    vocabulary = {stem for tokens in lexical_tokens(list(texts)) for stem in tokens}
    stems = {stem for tokens in lexical_tokens(telling) for stem in tokens} - _QUESTION_STEMS
    return not stems <= vocabulary


_QUESTION_STEMS = set(
    lexical_tokens(
        ["what who whom whose which when where why how many much did do does was were had have has can could"]
    )[0]
)
