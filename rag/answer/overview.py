"""The whole article -> the sentences that stand for it, for questions such as "what is the article about?"."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rag.library.index import PassageIndex
from rag.models.reader.quotes import MAX_QUOTE_WORDS
from rag.sentences import WORD
from rag.types import FloatArray, Quote, RetrievedPassage, Span

LEAST_WORDS = 8
"""A shorter sentence, or a heading, says too little to stand for an article."""
LEAD_SENTENCES = 3
NOVELTY = 0.3
"""How much a further sentence's distance from those before it counts, against its closeness to the whole."""


def central_passages(index: PassageIndex, k: int) -> list[RetrievedPassage]:
    """The passages, at most k, that are most like all of them together (the centroid of Radev et al., 2004), behind the
    beginning of the document that the most central one is of; the score is the cosine with their mean.
    """
    vectors = index.vectors  # (n, d), a copy each time
    closeness = vectors @ mean_of(vectors)  # (n,)
    ranked = [int(row) for row in np.argsort(-closeness, kind="stable")]
    document = index.passages[ranked[0]].document_id
    beginning = next(row for row, passage in enumerate(index.passages) if passage.document_id == document)
    chosen = list(dict.fromkeys([beginning, *ranked]))[:k]
    return [RetrievedPassage(index.passages[row], float(closeness[row])) for row in chosen]


def central_quotes(index: PassageIndex, found: Sequence[RetrievedPassage], count: int) -> list[Quote]:
    """At most `count` sentences of the passages: each as like the whole, and as unlike those before it, as can be
    (maximal marginal relevance: Carbonell and Goldstein, 1998). The first is among the first sentences of the first
    passage, since articles mostly begin with what they are about.
    """
    places = list(
        dict.fromkeys(
            (retrieved.passage.document_id, sentence) for retrieved in found for sentence in retrieved.passage.sentences
        )
    )
    places = telling(index, places)
    texts = [index.text_at(*place) for place in places]
    vectors = index.embedder.embed(texts)  # (m, d)
    closeness = vectors @ mean_of(index.vectors)  # (m,)
    lead = found[0].passage
    opening = [n for n, (of, span) in enumerate(places) if of == lead.document_id and lead.span.contains(span)]
    chosen = [max(opening[:LEAD_SENTENCES] or range(len(places)), key=lambda n: closeness[n])]
    while len(chosen) < min(count, len(places)):
        likeness = (vectors @ vectors[chosen].T).max(axis=1)  # (m,): to the likest that was chosen
        worth = (1 - NOVELTY) * closeness - NOVELTY * likeness
        chosen.append(max((n for n in range(len(places)) if n not in chosen), key=lambda n: worth[n]))
    return [Quote(places[n][0], places[n][1], texts[n], float(np.clip(closeness[n], 0, 1))) for n in chosen]


def telling(index: PassageIndex, places: Sequence[tuple[str, Span]]) -> list[tuple[str, Span]]:
    """Those of the sentences that say enough to stand for others, and are short enough to be quoted; all of them, where
    there are only headings, or text without words.
    """
    words = [len(WORD.findall(index.text_at(*place))) for place in places]
    fit = [place for place, count in zip(places, words, strict=True) if LEAST_WORDS <= count <= MAX_QUOTE_WORDS]
    return fit or list(places)


def mean_of(vectors: FloatArray) -> FloatArray:
    """The unit vector, (d,), in the middle of the vectors, (n, d)."""
    mean = vectors.mean(axis=0)
    return np.asarray(mean / max(float(np.linalg.norm(mean)), 1e-9), np.float32)
