"""Text without punctuation -> its sentences, where the reader's network sees their boundaries."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rag.models.reader.quotes import MAX_QUOTE_WORDS
from rag.models.reader.weights import READER
from rag.sentences import WORD
from rag.types import Span

BOUNDARY_CHANCE = 0.5
"""A missed boundary makes a quote longer, a wrong one cuts the answer off: so this is above the threshold that is best
for F1 (`Calibration.boundary`). What is too long is cut anyway."""
_LEAST_WORDS = 3


def boundary_segments(
    text: str, *, window: int = 100, margin: int = 20, before_each: Callable[[], None] = lambda: None
) -> list[Span]:
    """The sentences of a text without punctuation, where the network sees their boundaries; offsets into the text.

    It reads windows of `window` words and believes what it says of all but the `margin` words at their inner ends. A
    sentence of more than MAX_QUOTE_WORDS is cut at its likeliest boundary, however unlikely that is. `before_each` is
    called before each window, and may raise to end it.
    """
    words = [match.span() for match in WORD.finditer(text)]
    chances: list[float] = []  # for each word, that a sentence ends after it
    starts = range(0, max(1, len(words) - 2 * margin), window - 2 * margin)
    for first in starts:
        before_each()
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

    from rag.models.encoder import fast_inference
    from rag.models.reader.network import encode

    shift = words[0][0]
    with READER.held() as weights, fast_inference(torch.device("cpu")):
        batch = encode(weights.tokenizer, [text[shift : words[-1][1]]])
        logits = weights.network.boundaries(weights.network(batch))[0]  # (T,)
    last_piece = {piece_end + shift: batch.first[0] + i for i, (_, piece_end) in enumerate(batch.offsets[0])}
    return [float(torch.sigmoid(logits[last_piece[end]])) if end in last_piece else 0.0 for _, end in words]
