"""Question -> passages: the dense and the lexical ranking fused."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rag.library.index import PassageIndex
from rag.types import RetrievedPassage

RRF_CONSTANT = 60
_CANDIDATES = 50


def retrieve(index: PassageIndex, question: str, *, k: int) -> list[RetrievedPassage]:
    """At most k passages for the question, best first; the score is the fused one, in (0, 1]."""
    depth = max(k, _CANDIDATES)
    rankings = [
        [row for row, _ in index.search_dense(question, depth)],
        [row for row, _ in index.search_lexical(question, depth)],
    ]
    fused = fuse_ranks(rankings)
    best = sorted(fused, key=lambda row: (-fused[row], row))[:k]
    return [RetrievedPassage(index.passages[row], fused[row]) for row in best]


def fuse_ranks(rankings: Iterable[Sequence[int]], constant: int = RRF_CONSTANT) -> dict[int, float]:
    """Reciprocal rank fusion (Cormack et al., 2009): each item's mean over the rankings of 1 / (constant + rank),
    scaled so that an item which is first in all of them has 1.
    """
    rankings = list(rankings)
    fused: dict[int, float] = {}
    for ranking in rankings:
        for rank, item in enumerate(ranking, 1):
            fused[item] = fused.get(item, 0.0) + (constant + 1) / (constant + rank) / len(rankings)
    return fused
