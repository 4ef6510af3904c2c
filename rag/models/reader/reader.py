"""Passages -> the exact quotes that answer, or that none does: an extractive reader, and its sentence boundaries."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from rag.models.embeddings import packaged_model_path
from rag.models.lazy import Lazy
from rag.sentences import WORD, with_words_around
from rag.types import Document, Quote, Reading, RetrievedPassage, Span

if TYPE_CHECKING:
    from tokenizers import Tokenizer

    from rag.models.reader.network import Calibration, ReaderNetwork

WEIGHTS = Path(__file__).parents[2] / "weights" / "reader.safetensors"
MAX_QUOTE_WORDS = 50
CONTEXT_WORDS = 12
"""Words kept on both sides of the answer where its sentence is longer than MAX_QUOTE_WORDS."""
LEAST_SCORE = 0.12
"""A further quote that is less likely than this to answer is not worth reading, even on request."""
BOUNDARY_CHANCE = 0.5
"""A missed boundary makes a quote longer, a wrong one cuts the answer off: so this is above the threshold that is best
for F1 (`Calibration.boundary`). What is too long is cut anyway."""
_LEAST_WORDS = 3


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


@dataclass(frozen=True, slots=True)
class _Weights:
    network: ReaderNetwork
    calibration: Calibration
    tokenizer: Tokenizer


@cache
def weights_fingerprint() -> str:
    """Tells these weights from others: an index remembers it, as its sentences depend on them."""
    return hashlib.sha256(WEIGHTS.read_bytes()).hexdigest()[:16]


def _load_weights() -> _Weights:
    from rag.models.reader.network import load, plain_tokenizer

    model = packaged_model_path()
    network, calibration = load(WEIGHTS, model / "model.safetensors")
    return _Weights(network, calibration, plain_tokenizer(model))


_WEIGHTS = Lazy(_load_weights)
"""One network for all readers of the process; it runs beside the embedder and the language model, but not twice."""


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
        with _WEIGHTS.held() as weights:
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


def boundary_segments(text: str, *, window: int = 100, margin: int = 20) -> list[Span]:
    """The sentences of a text without punctuation, where the network sees their boundaries; offsets into the text.

    It reads windows of `window` words and believes what it says of all but the `margin` words at their inner ends. A
    sentence of more than MAX_QUOTE_WORDS is cut at its likeliest boundary, however unlikely that is.
    """
    words = [match.span() for match in WORD.finditer(text)]
    chances: list[float] = []  # for each word, that a sentence ends after it
    starts = range(0, max(1, len(words) - 2 * margin), window - 2 * margin)
    for first in starts:
        found = _boundary_chances(text, words[first : first + window])
        kept = found if first == starts[-1] else found[: window - margin]
        chances += kept[len(chances) - first :]
    spans, todo = [], [(0, len(words))]
    while todo:
        start, stop = todo.pop()
        inner = range(start + _LEAST_WORDS - 1, stop - _LEAST_WORDS)
        cut = max(inner, key=lambda i: chances[i], default=None)
        if cut is not None and (chances[cut] >= BOUNDARY_CHANCE or stop - start > MAX_QUOTE_WORDS):
            todo += [(cut + 1, stop), (start, cut + 1)]
        else:
            spans.append(Span(words[start][0], words[stop - 1][1]))
    return spans


def _boundary_chances(text: str, words: Sequence[tuple[int, int]]) -> list[float]:
    """For each word the probability that a sentence ends after it."""
    import torch

    from rag.models.reader.network import encode, fast_inference

    shift = words[0][0]
    with _WEIGHTS.held() as weights, fast_inference(torch.device("cpu")):
        batch = encode(weights.tokenizer, [text[shift : words[-1][1]]])
        logits = weights.network.boundaries(weights.network(batch))[0]  # (T,)
    last_piece = {piece_end + shift: batch.first[0] + i for i, (_, piece_end) in enumerate(batch.offsets[0])}
    return [float(torch.sigmoid(logits[last_piece[end]])) if end in last_piece else 0.0 for _, end in words]
