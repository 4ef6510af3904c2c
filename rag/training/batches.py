"""Examples -> tensors: encoded rows, and the columns that answer or that end a sentence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from rag.models.reader.network import Encoded, encode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tokenizers import Tokenizer
    from torch import Tensor

    from rag.training.augment import Marked

MOST_SPANS = 6


@dataclass(frozen=True)
class Example:
    """One row to read: a question and a text in which `marked.spans` answer it, or nothing does."""

    question: str
    marked: Marked


@dataclass(frozen=True)
class SpanBatch:
    """Rows to read and the pieces that answer: `targets[b, k]` is (start, end), -1 where row b has fewer than k."""

    encoded: Encoded
    targets: Tensor  # (B, K, 2) int64


@dataclass(frozen=True)
class BoundaryBatch:
    """Rows of stripped text; `labels` is 1 after a sentence's last piece, 0 inside, -1 where no word ends."""

    encoded: Encoded
    labels: Tensor  # (B, T) float32


def span_batch(tokenizer: Tokenizer, examples: Sequence[Example]) -> SpanBatch:
    """Encoded rows and the piece columns of their spans; (0, 0), "no answer", where the length cut all of them off."""
    encoded = encode(tokenizer, [e.marked.text for e in examples], [e.question for e in examples])
    targets = torch.full((len(examples), MOST_SPANS, 2), -1)
    for row, example in enumerate(examples):
        found = [encoded.columns(row, *span) for span in example.marked.spans[:MOST_SPANS]]
        whole = [columns for columns in found if columns] or [(0, 0)]
        targets[row, : len(whole)] = torch.tensor(whole)
    return SpanBatch(encoded, targets)


def boundary_batch(tokenizer: Tokenizer, windows: Sequence[tuple[Sequence[str], Sequence[int]]]) -> BoundaryBatch:
    """Encoded windows of words, the label of a word on its last piece; a window's last word has none."""
    encoded = encode(tokenizer, [" ".join(words) for words, _ in windows])
    labels = torch.full(encoded.ids.shape, -1.0)
    for row, (words, ends) in enumerate(windows):
        at, by_end = 0, {}
        for word, end in zip(words[:-1], ends[:-1], strict=True):
            at += len(word)
            by_end[at] = end
            at += 1
        for column, (_, stop) in enumerate(encoded.offsets[row], encoded.first[row]):
            if stop in by_end:
                labels[row, column] = by_end[stop]
    return BoundaryBatch(encoded, labels)
