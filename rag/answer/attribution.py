"""A written sentence -> the sentences of the article that say it, found by its own words: attribution after writing.

The words of a question often are not those of the text that answers it; the words of a right answer are (post-hoc
attribution: Bohnet et al., 2022; Gao et al., 2023, "RARR").
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rag.answer.retrieval import retrieve
from rag.library.index import PassageIndex, lexical_tokens
from rag.types import FloatArray, RetrievedPassage, Span

MOST_SENTENCES = 2
PASSAGES = 6
"""Passages that are like the written sentence, in which it is sought besides those that the question found."""
LEXICAL_WEIGHT = 0.5
"""How much the share of its words that a sentence has counts, against their closeness in meaning."""
LEAST_GAIN = 0.2
"""A second sentence is cited where it has at least this share of the written words that the first lacks."""


@dataclass(frozen=True, slots=True)
class Source:
    """A sentence of a document, and how well it fits what was written, in [0, 1]."""

    document_id: str
    span: Span
    score: float


def attribute(
    statement: str, index: PassageIndex, found: Sequence[RetrievedPassage], question: str = ""
) -> tuple[Source, ...]:
    """The one or two sentences that say most of the statement, in the order of the text.

    They are sought in the passages found for the question and in those that are like the statement. `question` adds its
    words to a statement that is too short to be found by its own ("In 1911.").
    """
    query = f"{question} {statement}" if len(statement.split()) < 5 else statement
    passages = [*(other.passage for other in retrieve(index, query, k=PASSAGES)), *(other.passage for other in found)]
    places = list(dict.fromkeys((passage.document_id, span) for passage in passages for span in passage.sentences))
    if not places:
        return ()
    texts = [index.documents[document_id].text[span.start : span.end] for document_id, span in places]
    has, weights = _words(query, texts)  # (m, w), (w,)
    vectors = index.embedder.embed([query, *texts])  # (1 + m, d)
    closeness = vectors[1:] @ vectors[0]  # (m,)
    covered = has @ weights  # (m,): shares of the statement's words
    scores = LEXICAL_WEIGHT * covered + (1 - LEXICAL_WEIGHT) * closeness
    first = int(np.argmax(scores))
    chosen = [first]
    gain = np.clip(has - has[first], 0, None) @ weights  # (m,): of the words that the first lacks
    second = int(np.argmax(gain + 0.1 * scores))
    if second != first and gain[second] >= LEAST_GAIN:
        chosen.append(second)
    chosen.sort(key=lambda n: (places[n][0] != places[first][0], places[n][1].start))
    return tuple(Source(*places[n], float(np.clip(scores[n], 0, 1))) for n in chosen)


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
