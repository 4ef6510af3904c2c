"""The passage index: FAISS for meaning and BM25 for words, over the same passages."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import bm25s
import faiss
import numpy as np

from rag.english import STOP_WORDS
from rag.errors import CollectionError
from rag.ingest.passages import split_passages
from rag.models.embeddings import Embedder
from rag.sentences import Segmenter
from rag.types import Document, FloatArray, Passage, Span

if TYPE_CHECKING:
    import Stemmer


PassagesDone = Callable[[int, int], None]
"""Called with the number of passages embedded so far, and of those to embed as far as that is known, at first 0."""


@dataclass(frozen=True, slots=True)
class Chunking:
    """How documents are cut into passages, in word pieces of the embedder.

    `boundaries` names the weights that find the sentences of text without punctuation.
    """

    max_pieces: int
    overlap_pieces: int
    boundaries: str = ""


class PassageIndex:
    """Documents, their passages in document order, and what is needed to search them; it is never changed once built.

    `vectors` holds one unit vector for each passage, (n, d) float32.
    """

    def __init__(
        self,
        documents: Sequence[Document],
        passages: Sequence[Passage],
        vectors: FloatArray,
        *,
        embedder: Embedder,
        chunking: Chunking,
        bm25: bm25s.BM25 | None = None,
    ) -> None:
        if len(passages) != len(vectors):
            raise ValueError(f"{len(passages)} passages need as many vectors, not {len(vectors)}")
        self.documents: Mapping[str, Document] = {document.id: document for document in documents}
        self.passages = tuple(passages)
        self.embedder = embedder
        self.chunking = chunking
        # A flat search is quick, and the threads of three libraries would fight over the cores.
        faiss.omp_set_num_threads(1)
        self.faiss_index = faiss.IndexFlatIP(vectors.shape[1])
        self.faiss_index.add(vectors)
        self.bm25 = bm25 or build_bm25([passage.text for passage in passages])
        self.folder: Path | None = None  # where it is stored, if it is
        self.sentence_vectors: OrderedDict[tuple[str, Span], FloatArray] = OrderedDict()
        """Unit vectors of sentences, (d,), that whoever needed them has left here, the latest last."""

    @classmethod
    def build(
        cls,
        documents: Iterable[Document],
        *,
        embedder: Embedder,
        chunking: Chunking,
        segmenter: Segmenter | None = None,
        known: PassageIndex | None = None,
        progress: PassagesDone | None = None,
    ) -> PassageIndex:
        """The index of the documents; those that `known` holds with the same text are not cut or embedded again.

        `segmenter` finds the sentences of text without punctuation; `progress` is told how many passages are
        embedded, of how many. Raises CollectionError where there is no document.
        """
        documents = list(documents)
        if not documents:
            raise CollectionError("there is no article to index; name one: article-chat index FILE")
        passages: list[Passage] = []
        vectors: list[FloatArray] = []
        fresh: list[int] = []  # positions, in `passages`, of those that must be embedded
        reusable = known.vectors_of if known is not None and known.chunking == chunking else {}
        for document in documents:
            old = known.documents.get(document.id) if known is not None else None
            if old is not None and old.text == document.text and document.id in reusable:
                old_passages, old_vectors = reusable[document.id]
                passages += old_passages
                vectors.append(old_vectors)
                continue
            new = split_passages(
                document,
                embedder.count_pieces,
                max_pieces=chunking.max_pieces,
                overlap_pieces=chunking.overlap_pieces,
                segmenter=segmenter,
            )
            fresh += range(len(passages), len(passages) + len(new))
            passages += new
            vectors.append(np.zeros((len(new), embedder.dimension), np.float32))
            if progress is not None:
                progress(0, len(fresh))
        matrix = np.concatenate(vectors)  # (n, d)
        done = 0

        def embedded(more: int) -> None:
            nonlocal done
            done += more
            if progress is not None:
                progress(done, len(fresh))

        matrix[fresh] = embedder.embed([passages[i].text for i in fresh], progress=embedded)
        return cls(documents, passages, matrix, embedder=embedder, chunking=chunking)

    @classmethod
    def joined(cls, document_ids: Iterable[str], indexes: Sequence[PassageIndex]) -> PassageIndex:
        """The index of these documents and no others, in this order, each from the first of the indexes that has it;
        nothing is embedded again.

        The indexes are of one embedder. Raises KeyError for a document that none of them has.
        """
        held = {
            key: (index.documents[key], *rows) for index in reversed(indexes) for key, rows in index.vectors_of.items()
        }
        documents, passages, vectors = zip(*(held[key] for key in document_ids), strict=True)
        return cls(
            documents,
            [passage for its in passages for passage in its],
            np.concatenate(vectors),
            embedder=indexes[0].embedder,
            chunking=indexes[0].chunking,
        )

    @cached_property
    def version(self) -> str:
        """What tells its documents, as long as this process runs, from any others: the same ones have the same."""
        return f"{hash(tuple(self.documents.values())) % 2**64:x}"

    @property
    def vectors(self) -> FloatArray:
        """The passages' unit vectors, (n, d)."""
        return np.asarray(self.faiss_index.reconstruct_n(0, self.faiss_index.ntotal), np.float32)

    @property
    def vectors_of(self) -> dict[str, tuple[list[Passage], FloatArray]]:
        """For each document id its passages and their vectors, (passages, d)."""
        matrix = self.vectors
        rows: dict[str, list[int]] = {}
        for row, passage in enumerate(self.passages):
            rows.setdefault(passage.document_id, []).append(row)
        return {key: ([self.passages[i] for i in found], matrix[found]) for key, found in rows.items()}

    @cached_property
    def sentences(self) -> Mapping[str, tuple[Span, ...]]:
        """For each document id its sentences, in order."""
        found: dict[str, dict[Span, None]] = {}
        for passage in self.passages:
            found.setdefault(passage.document_id, {}).update(dict.fromkeys(passage.sentences))
        return {key: tuple(sentences) for key, sentences in found.items()}

    def part(self, document_id: str) -> PassageIndex:
        """The index of one of its documents alone; nothing of it is embedded again."""
        return self.joined([document_id], [self])

    def text_at(self, document_id: str, span: Span) -> str:
        """The characters of the document that the span spans."""
        return self.documents[document_id].text[span.start : span.end]

    def search_dense(self, question: str, k: int) -> list[tuple[int, float]]:
        """At most k (passage position, cosine), most similar first."""
        query = self.embedder.embed([question], query=True)  # (1, d)
        scores, rows = self.faiss_index.search(query, min(k, len(self.passages)))
        return [(int(row), float(score)) for row, score in zip(rows[0], scores[0], strict=True)]

    def search_lexical(self, question: str, k: int) -> list[tuple[int, float]]:
        """At most k (passage position, BM25 score above 0), best first."""
        scores = bm25_scores(self.bm25, question)
        best = np.argsort(-scores, kind="stable")[:k]
        return [(int(row), float(scores[row])) for row in best if scores[row] > 0]


@cache
def _stemmer() -> Stemmer.Stemmer:
    import Stemmer

    return Stemmer.Stemmer("english")


def lexical_tokens(texts: Sequence[str]) -> list[list[str]]:
    """The stems of each text's words, lower-cased, without the commonest English words; what BM25 compares."""
    tokens: list[list[str]] = bm25s.tokenize(
        list(texts),
        token_pattern=r"\w+",  # noqa: S106
        stopwords=sorted(STOP_WORDS),
        stemmer=_stemmer(),
        return_ids=False,
        show_progress=False,
    )
    return tokens


def bm25_scores(bm25: bm25s.BM25, question: str) -> FloatArray:
    """The BM25 score of every indexed text for the question, (n,); zeros where it shares no word with any."""
    tokens = lexical_tokens([question])[0]
    if not tokens:
        return np.zeros(bm25.scores["num_docs"], np.float32)
    return np.asarray(bm25.get_scores(tokens), np.float32)


def build_bm25(texts: Sequence[str]) -> bm25s.BM25:
    """A BM25 index of the texts, by position."""
    bm25 = bm25s.BM25()
    # An index without a single word cannot be built; a token that no tokeniser makes stands in for one.
    bm25.index([tokens or ["\0"] for tokens in lexical_tokens(texts)], show_progress=False)
    return bm25
