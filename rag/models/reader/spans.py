"""Windows of texts -> the spans that answer a question, each judged twice: where it was found, and in the middle.

What stands around a span decides whether it is the answer, and at the edge of a window half of that is missing. So the
best candidates are read again, each in the middle of a window of its own, with the spans that overlap it; the score of
each is the mean of both readings.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from rag.models.encoder import fast_inference
from rag.models.reader.network import ScoredSpan, best_spans, encode
from rag.sentences import with_words_around
from rag.types import Span

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from torch import Tensor

    from rag.models.reader.network import Encoded, ReaderNetwork

CANDIDATES = 5
"""So many places are read a second time."""
SIDE_WORDS = 50
"""Words before and after a candidate in its own window; the network was trained on windows of 45 to 125 words."""
_SPANS_PER_WINDOW = 5
_BATCH = 16


@dataclass(frozen=True, slots=True)
class Window:
    """A range of characters of the text with this number."""

    text: int
    span: Span


def answer_spans(
    network: ReaderNetwork,
    tokenizer: Tokenizer,
    question: str,
    texts: Sequence[str],
    windows: Sequence[Window],
    *,
    candidates: int = CANDIDATES,
) -> list[ScoredSpan]:
    """The best span of each of at most so many disjoint places in the windows, best first; `row` is the text's number,
    offsets are the text's.
    """
    found: list[ScoredSpan] = []
    for numbers, start, end, encoded in _passes(network, tokenizer, question, texts, windows):
        for number, spans in zip(numbers, best_spans(start, end, encoded, _SPANS_PER_WINDOW), strict=True):
            text, shift = windows[number].text, windows[number].span.start
            found += [ScoredSpan(text, s.start + shift, s.end + shift, s.score) for s in spans if s.start < s.end]
    found.sort(key=_best_first)
    places = _places(found, candidates)
    own = [Window(place[0].row, _around(texts[place[0].row], place[0])) for place in places]
    again = [number for number, window in enumerate(own) if window not in windows]
    for numbers, start, end, encoded in _passes(network, tokenizer, question, texts, [own[n] for n in again]):
        for row, number in enumerate(again[n] for n in numbers):
            shift = own[number].span.start
            for at, span in enumerate(places[number]):
                columns = encoded.columns(row, span.start - shift, span.end - shift)
                if columns is not None:
                    centred = start[row, columns[0]] + end[row, columns[1]] - start[row, 0] - end[row, 0]
                    places[number][at] = replace(span, score=(span.score + float(centred)) / 2)
    return sorted((min(place, key=_best_first) for place in places), key=_best_first)


def _passes(
    network: ReaderNetwork, tokenizer: Tokenizer, question: str, texts: Sequence[str], windows: Sequence[Window]
) -> Iterator[tuple[list[int], Tensor, Tensor, Encoded]]:
    """Batches of window numbers, their start and end logits (B, T), and what was read."""
    device = network.words.weight.device
    by_length = sorted(range(len(windows)), key=lambda n: len(windows[n].span))  # little padding within a batch
    for at in range(0, len(windows), _BATCH):
        numbers = by_length[at : at + _BATCH]
        parts = [texts[windows[n].text][windows[n].span.start : windows[n].span.end] for n in numbers]
        encoded = encode(tokenizer, parts, [question] * len(parts)).to(device)
        with fast_inference(device):
            start, end = network.spans(network(encoded), encoded.answerable)
        yield numbers, start.cpu(), end.cpu(), encoded


def _places(found: Sequence[ScoredSpan], most: int) -> list[list[ScoredSpan]]:
    """The best spans, best first, that do not overlap a better one, each in front of those that overlap it."""
    places: list[list[ScoredSpan]] = []
    for span in found:
        for place in places:
            best = place[0]
            if best.row == span.row and best.start < span.end and span.start < best.end:
                place.append(span)
                break
        else:
            if len(places) < most:
                places.append([span])
    return places


def _around(text: str, found: ScoredSpan) -> Span:
    """The span with SIDE_WORDS words before and after it, fewer at the ends of the text."""
    reach = SIDE_WORDS * 60  # characters that surely hold as many words of the longest kind, or the text's end
    near = Span(max(0, found.start - reach), found.end + reach)
    return with_words_around(text, Span(found.start, found.end), SIDE_WORDS, within=near)


def _best_first(span: ScoredSpan) -> tuple[float, int, int, int]:
    return -span.score, span.row, span.start, span.end
