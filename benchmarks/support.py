"""Whether what a reply says is said by the texts that it shows or was made from, as the checker sees it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rag.models.checker import Checker, Claim
from rag.models.embeddings import Embedder
from rag.sentences import sentence_texts
from rag.types import FloatArray

NEAREST = 3
"""A sentence is looked for in the nearest sentence of the evidence, the nearest two, and so on, up to so many."""


class Support:
    """Gives every system the same chance, however much it shows: a sentence is as supported as by the best of these."""

    def __init__(self, checker: Checker, embedder: Embedder) -> None:
        self._checker = checker
        self._embedder = embedder
        self._vectors: dict[str, FloatArray] = {}

    def of(self, question: str, text: str, evidence: Sequence[str]) -> tuple[float, ...]:
        """For each sentence of the text, in order, the probability in [0, 1] that the evidence says all of it."""
        said, shown = _sentences([text]), _sentences(evidence)
        if not said or not shown:
            return (0.0,) * len(said)
        closeness = self._embedded(said) @ self._embedded(shown).T  # (said, shown)
        claims, rows = [], []
        for row, sentence in enumerate(said):
            nearest = np.argsort(-closeness[row], kind="stable")[:NEAREST]
            for count in range(1, len(nearest) + 1):
                quotes = " ".join(shown[place] for place in sorted(nearest[:count]))
                claims.append(Claim(question, sentence, quotes))
                rows.append(row)
        best = [0.0] * len(said)
        for row, verdict in zip(rows, self._checker.check(claims), strict=True):
            best[row] = max(best[row], verdict.supported)
        return tuple(best)

    def _embedded(self, sentences: Sequence[str]) -> FloatArray:
        new = [sentence for sentence in dict.fromkeys(sentences) if sentence not in self._vectors]
        if new:
            self._vectors |= dict(zip(new, self._embedder.embed(new), strict=True))
        return np.stack([self._vectors[sentence] for sentence in sentences])


def _sentences(texts: Sequence[str]) -> list[str]:
    """The sentences of the texts, each once, those without a letter or digit left out."""
    found = [" ".join(sentence.split()) for text in texts for sentence in sentence_texts(text)]
    return [sentence for sentence in dict.fromkeys(found) if any(character.isalnum() for character in sentence)]
