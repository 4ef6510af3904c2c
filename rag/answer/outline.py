"""An article -> its outline: its headings or, where it has none, the most central sentence of each of its sections."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from rag.answer.overview import mean_of, telling
from rag.library.index import PassageIndex
from rag.models.reader.quotes import MAX_QUOTE_WORDS
from rag.sentences import WORD
from rag.types import FloatArray, Passage, Quote, Span

MOST_LINES = 8
"""Sections that an article without headings is cut into, at most."""
MOST_HEADINGS = 30
"""An article with more of them is too long to be outlined by them."""
LEAST_MARKED, LEAST_PLAIN = 2, 3
"""So many headings make an outline: a few short lines of a text without marks may be a byline or a caption."""
_MOST_CUTS = 500
"""Places at which an article may be cut; of a longer one, not every passage begins one."""
_MOST_READ = 2
"""Passages of a section whose sentences are compared."""
_MARKED = re.compile(r"^ {0,3}(?P<level>#{1,6})[ \t]+(?P<words>\S.*?)[ \t]*#*[ \t]*$", re.MULTILINE)
_PLAIN = re.compile(
    r"(?:\A|\n[^\S\n]*\n)[^\S\n]*(?P<words>[^\W_][^\n]{0,80}?)[^\S\n]*(?=\n[^\S\n]*\n\s*(?P<below>[^\n]+))"
)
_NO_HEADING = re.compile(r"[.!?,;:…\"”’)|]$| \| |^\d+[.)]$")
_LONGEST_HEADING = 12


def outline(index: PassageIndex) -> list[Quote]:
    """Lines that stand for the articles from their beginning to their end, each a heading or a sentence of theirs, in
    their order; of several articles, fewer lines each.
    """
    first = list(index.documents)[:MOST_LINES]
    parts = index.vectors_of
    lines: list[Quote] = []
    for document_id in first:
        passages, vectors = parts[document_id]
        marked = headings(index, document_id) if len(first) == 1 else []
        lines += marked or _central_sentences(index, passages, vectors, max(1, MOST_LINES // len(first)))
    return lines


def headings(index: PassageIndex, document_id: str) -> list[Quote]:
    """The article's headings without its title: lines marked with "#" (the levels of which there are not too many) or,
    where there are none, short lines without a stop that stand alone above longer ones. None, where they make no
    outline.
    """
    document = index.documents[document_id]
    marked = [match for match in _MARKED.finditer(document.text) if match["words"] != document.title]
    levels = [len(match["level"]) for match in marked]
    deepest = max((level for level in levels if sum(n <= level for n in levels) <= MOST_HEADINGS), default=0)
    found = [match for match, level in zip(marked, levels, strict=True) if level <= deepest]
    if not marked:
        found = [match for match in _PLAIN.finditer(document.text) if _is_heading(match, document.title)]
    if not (LEAST_MARKED if marked else LEAST_PLAIN) <= len(found) <= MOST_HEADINGS:
        return []
    return [Quote(document_id, Span(*match.span("words")), match["words"], 1.0) for match in found]


def _is_heading(match: re.Match[str], title: str) -> bool:
    words, below = match["words"], match["below"]
    return (
        len(words.split()) <= _LONGEST_HEADING
        and (words[0].isupper() or words[0].isdigit())
        and not _NO_HEADING.search(words)
        and len(below.split()) > len(words.split())
        and below.rstrip().endswith((".", "!", "?", "”", '"'))
        and words != title
    )


def _central_sentences(index: PassageIndex, passages: Sequence[Passage], vectors: FloatArray, most: int) -> list[Quote]:
    """The sentence of each section that is most like the whole of it and of the article: where one begins or ends
    with something else, such as the end of another article, that stands for neither.
    """
    whole = mean_of(vectors)
    lines: list[Quote] = []
    seen: set[Span] = set()  # passages overlap
    for start, end in sections(vectors, min(most, len(passages))):
        middle = mean_of(vectors[start:end])
        closeness = vectors[start:end] @ middle  # (n,)
        best = sorted(start + int(row) for row in np.argsort(-closeness, kind="stable")[:_MOST_READ])
        own = [span for n in best for span in passages[n].sentences if span not in seen]
        places = telling(index, [(passages[start].document_id, span) for span in dict.fromkeys(own)])
        seen |= {span for passage in passages[start:end] for span in passage.sentences}
        if not places:
            continue
        texts = [index.text_at(*place) for place in places]
        scores = index.embedder.embed(texts) @ ((middle + whole) / 2)  # (m,)
        row = int(np.argmax(scores))
        lines.append(_quote(index, *places[row], float(np.clip(scores[row], 0, 1))))
    return lines


def _quote(index: PassageIndex, document_id: str, span: Span, score: float) -> Quote:
    """The sentence, or as much of it as can be quoted."""
    words = list(WORD.finditer(index.documents[document_id].text, span.start, span.end))
    span = Span(span.start, words[:MAX_QUOTE_WORDS][-1].end()) if words else span
    return Quote(document_id, span, index.text_at(document_id, span), score)


def sections(vectors: FloatArray, count: int) -> list[tuple[int, int]]:
    """The rows of (n, d) unit vectors cut into `count` runs (start, end), each as much of one direction as can be: the
    sum of the lengths of their sums is the largest (Alemi and Ginsparg, 2015, "Text Segmentation based on Semantic
    Word Embeddings").
    """
    edges = np.linspace(0, len(vectors), min(len(vectors), max(count, _MOST_CUTS)) + 1).astype(int)
    sums = np.concatenate([np.zeros((1, vectors.shape[1])), np.cumsum(vectors, axis=0, dtype=np.float64)])[edges]
    n = len(edges) - 1
    gain = np.full((n + 1, n + 1), -np.inf)  # of the run from one edge to a later one
    for start in range(n):
        gain[start, start + 1 :] = np.linalg.norm(sums[start + 1 :] - sums[start], axis=1)
    best = gain[0]  # of so many runs, up to each edge
    before = []  # where the last of them begins
    for _ in range(1, count):
        total = best[:, None] + gain
        before.append(total.argmax(axis=0))
        best = total.max(axis=0)
    cuts = [n]
    for begins in reversed(before):
        cuts.append(int(begins[cuts[-1]]))
    cuts.append(0)
    return [(int(edges[a]), int(edges[b])) for a, b in pairwise(reversed(cuts))]
