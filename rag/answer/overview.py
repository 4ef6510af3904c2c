"""The whole article -> the sentences that stand for it, for questions such as "what is the article about?"."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rag.library.index import PassageIndex
from rag.models.reader.quotes import MAX_QUOTE_WORDS
from rag.sentences import WORD
from rag.types import FloatArray, Quote, RetrievedPassage

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
    closeness = vectors @ _mean(vectors)  # (n,)
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
    texts = [index.text_at(*place) for place in places]
    fits = [LEAST_WORDS <= len(WORD.findall(text)) <= MAX_QUOTE_WORDS for text in texts]
    if any(fits):  # else there are only headings, or text without words
        places = [place for place, fit in zip(places, fits, strict=True) if fit]
        texts = [text for text, fit in zip(texts, fits, strict=True) if fit]
    vectors = index.embedder.embed(texts)  # (m, d)
    closeness = vectors @ _mean(index.vectors)  # (m,)
    lead = found[0].passage
    opening = [n for n, (of, span) in enumerate(places) if of == lead.document_id and lead.span.contains(span)]
    chosen = [max(opening[:LEAD_SENTENCES] or range(len(places)), key=lambda n: closeness[n])]
    while len(chosen) < min(count, len(places)):
        likeness = (vectors @ vectors[chosen].T).max(axis=1)  # (m,): to the likest that was chosen
        worth = (1 - NOVELTY) * closeness - NOVELTY * likeness
        chosen.append(max((n for n in range(len(places)) if n not in chosen), key=lambda n: worth[n]))
    return [Quote(places[n][0], places[n][1], texts[n], float(np.clip(closeness[n], 0, 1))) for n in chosen]


def _mean(vectors: FloatArray) -> FloatArray:
    mean = vectors.mean(axis=0)
    return np.asarray(mean / max(float(np.linalg.norm(mean)), 1e-9), np.float32)
