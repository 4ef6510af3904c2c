"""A written sentence -> the sentences of the article that say it, found by its own words: attribution after writing.

The words of a question often are not those of the text that answers it; the words of a right answer are (post-hoc
attribution: Bohnet et al., 2022; Gao et al., 2023, "RARR").
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rag.answer.drafts import Source, Written
from rag.answer.particulars import known, particulars
from rag.answer.retrieval import retrieve
from rag.library.index import PassageIndex, lexical_tokens
from rag.types import FloatArray, RetrievedPassage, Span

MOST_REMEMBERED = 5000
"""Sentences whose vectors are kept."""
_SHORT = 7  # words
PASSAGES = 6
"""Passages that are like the written sentence, in which it is sought besides those that the question found."""
LEXICAL_WEIGHT = 0.5
"""How much the share of its words that a sentence has counts, against their closeness in meaning."""
LEAST_GAIN = 0.2
"""A second sentence is cited where it has at least this share of the written words that the first lacks."""


@dataclass(frozen=True)
class _Near:
    """Sentences that may say what a query says: m places and their texts; which of the query's w stems each has,
    (m, w), the stems' weights, (w,), and how near each is, (m,).
    """

    places: Sequence[tuple[str, Span]]
    texts: Sequence[str]
    has: FloatArray
    weights: FloatArray
    scores: FloatArray

    def source(self, row: int) -> Source:
        return Source(*self.places[row], float(np.clip(self.scores[row], 0, 1)))


class Attributor:
    """Finds, over one index, the sentences that say what was written; all over one index embed each sentence once."""

    def __init__(self, index: PassageIndex) -> None:
        self._index = index

    def attribute(self, statement: str, found: Sequence[RetrievedPassage], question: str = "") -> Written:
        """The statement with the one or two sentences that say it, in the order of the text.

        They are sought in the passages found for the question and in those that are like the statement. A second one
        is cited where it has names or numbers of the statement that the first lacks, the nearest that has them, or much
        of its other words. `question`, in its context, adds its words to a statement too short to be found by its own
        ("He said so.").
        """
        query = f"{question} {statement}" if len(statement.split()) < _SHORT else statement
        near = self._near(query, found)
        if not near.places:
            return Written(statement, ())
        best = int(np.argmax(near.scores))
        first = near.source(best)
        gain = np.clip(near.has - near.has[best], 0, None) @ near.weights  # (m,): of the words that the first lacks
        second = int(np.argmax(gain + 0.1 * near.scores))
        other = self._with_particulars(particulars(statement) - known([near.texts[best], question]), first)
        if other is None and gain[second] >= LEAST_GAIN:
            other = near.source(second)
        sources = [first] if other is None else [first, other]
        sources.sort(key=lambda source: (source.document_id != first.document_id, source.span.start))
        return Written(statement, tuple(sources))

    def nearest(self, text: str, found: Sequence[RetrievedPassage], most: int) -> list[Source]:
        """At most so many sentences that are like the text, in the order of theirs, sought where `attribute` seeks."""
        near = self._near(text, found)
        best = [near.source(int(row)) for row in np.argsort(-near.scores, kind="stable")[:most]]
        return sorted(best, key=lambda source: (source.document_id, source.span.start))

    def _near(self, query: str, found: Sequence[RetrievedPassage]) -> _Near:
        like = [retrieved.passage for retrieved in retrieve(self._index, query, k=PASSAGES)]
        passages = [*like, *(retrieved.passage for retrieved in found)]
        places = list(dict.fromkeys((passage.document_id, span) for passage in passages for span in passage.sentences))
        texts = [self._index.text_at(*place) for place in places]
        has, weights = _words(query, texts)
        if not places:
            return _Near(places, texts, has, weights, weights)
        closeness = self._embedded(places) @ self._index.embedder.embed([query])[0]  # (m,)
        scores = LEXICAL_WEIGHT * (has @ weights) + (1 - LEXICAL_WEIGHT) * closeness
        return _Near(places, texts, has, weights, scores)

    def _with_particulars(self, missing: set[str], first: Source) -> Source | None:
        """The sentence of the same document that has most of the missing names and numbers; of equals the nearest, one
        before rather than one after: it mostly names whom a pronoun stands for.
        """
        if not missing:
            return None
        best, most = None, (0, 0)
        for span in self._index.sentences[first.document_id]:
            there = len(missing & known([self._index.text_at(first.document_id, span)]))
            after = span.start - first.span.start
            near = (there, -(2 * after if after > 0 else -after))
            if there and near > most:
                best, most = Source(first.document_id, span, first.score), near
        return best

    def _embedded(self, places: Sequence[tuple[str, Span]]) -> FloatArray:
        """The unit vectors of the sentences, (m, d)."""
        kept = self._index.sentence_vectors
        found = {place: kept.get(place) for place in places}  # another thread may drop some meanwhile
        new = [place for place, vector in found.items() if vector is None]
        made = dict(zip(new, self._index.embedder.embed([self._index.text_at(*place) for place in new]), strict=True))
        kept.update(made)
        while len(kept) > MOST_REMEMBERED:
            kept.popitem(last=False)
        return np.stack([made[place] if (vector := found[place]) is None else vector for place in places])


def _words(statement: str, texts: Sequence[str]) -> tuple[FloatArray, FloatArray]:
    """Which of the statement's distinct stems each text has, (m, w), and each stem's weight, (w,), which sum to 1: the
    rarer in the texts, the more.
    """
    stems = sorted(set(lexical_tokens([statement])[0]))
    of_texts = [set(tokens) for tokens in lexical_tokens(texts)]
    has = np.array([[stem in tokens for stem in stems] for tokens in of_texts], np.float32).reshape(
        len(texts), len(stems)
    )
    weights = np.log(1 + len(texts) / (0.5 + has.sum(axis=0)))
    return has, np.asarray(weights / max(float(weights.sum()), 1e-9), np.float32)
