"""The reader's network: the encoder with a span head and a sentence-boundary head.

Shapes: B sequences, T pieces, C = 384 channels.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from rag.models import encoder
from rag.models.encoder import CLS, SEP, Encoder, NetworkShape, Pieces, padded

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from tokenizers import Tokenizer

MAX_QUESTION_PIECES = 96
MAX_PIECES = 320
MAX_SPAN_PIECES = 30


@dataclass(frozen=True)
class Encoded(Pieces):
    """A padded batch; column `first[b]` is the first passage piece of row b, `offsets[b]` its pieces' characters. The
    second segment is the passage and the last [SEP].
    """

    answerable: Tensor  # (B, T) bool, true where a span may start or end: column 0 ("no answer") and passage pieces
    first: tuple[int, ...]
    offsets: tuple[tuple[tuple[int, int], ...], ...]

    def to(self, device: torch.device) -> Encoded:
        """The same batch on a device."""
        ids, types, mask, answerable = (t.to(device) for t in (self.ids, self.types, self.mask, self.answerable))
        return Encoded(ids, types, mask, answerable, self.first, self.offsets)

    def columns(self, row: int, start: int, end: int) -> tuple[int, int] | None:
        """The columns of the first and last piece that touch these characters of a row's passage, None where it was cut
        off before their end.
        """
        pieces = self.offsets[row]
        touching = [n for n, (left, right) in enumerate(pieces) if left < end and right > start]
        if not touching or pieces[touching[-1]][1] < end - 1:
            return None
        return self.first[row] + touching[0], self.first[row] + touching[-1]


def encode(tokenizer: Tokenizer, passages: Sequence[str], questions: Sequence[str] | None = None) -> Encoded:
    """`[CLS] question [SEP] passage [SEP]` a row, or `[CLS] passage [SEP]` without questions.

    A question keeps its last 96 pieces (history stands first), a row at most 320; what is cut has no offsets.
    The tokenizer must neither truncate nor pad.
    """
    right = tokenizer.encode_batch(list(passages), add_special_tokens=False)
    left = tokenizer.encode_batch(list(questions), add_special_tokens=False) if questions is not None else None
    rows: list[list[int]] = []
    first: list[int] = []
    offsets: list[tuple[tuple[int, int], ...]] = []
    for number, passage in enumerate(right):
        head = [CLS] if left is None else [CLS, *left[number].ids[-MAX_QUESTION_PIECES:], SEP]
        room = MAX_PIECES - len(head) - 1
        rows.append([*head, *passage.ids[:room], SEP])
        first.append(len(head))
        offsets.append(tuple(passage.offsets[:room]))
    pieces = padded(rows, first if left is not None else [len(row) for row in rows])
    answerable = torch.zeros(pieces.mask.shape, dtype=torch.bool)
    for number, row in enumerate(rows):
        answerable[number, first[number] : len(row) - 1] = True
    answerable[:, 0] = True
    return Encoded(pieces.ids, pieces.types, pieces.mask, answerable, tuple(first), tuple(offsets))


class ReaderNetwork(Encoder):
    """The encoder and two heads: span (start, end) and sentence boundary after a piece."""

    def __init__(self, shape: NetworkShape | None = None) -> None:
        super().__init__(shape)
        self.span = nn.Linear(self.shape.channels, 2)
        self.boundary = nn.Linear(self.shape.channels, 1)

    def spans(self, hidden: Tensor, answerable: Tensor) -> tuple[Tensor, Tensor]:
        """Start and end logits (B, T) in float32, -inf where no span may start or end; column 0 is "no answer"."""
        start, end = self.span(hidden).float().masked_fill(~answerable[..., None], -torch.inf).unbind(-1)
        return start, end

    def boundaries(self, hidden: Tensor) -> Tensor:
        """Logits (B, T) in float32 that a sentence ends after a piece; meant for the last piece of each word."""
        return self.boundary(hidden)[..., 0].float()  # type: ignore[no-any-return]


@dataclass(frozen=True)
class ScoredSpan:
    """Characters start to end of a text, and start + end logit over those of "no answer": above 0 is an answer."""

    row: int
    start: int
    end: int
    score: float


def best_spans(start: Tensor, end: Tensor, encoded: Encoded, top: int) -> list[list[ScoredSpan]]:
    """The `top` best spans of each row, best first; they may overlap. `start` and `end` are logits (B, T)."""
    b, t = start.shape
    none = start[:, 0] + end[:, 0]
    start, end = start.clone(), functional.pad(end, (0, MAX_SPAN_PIECES - 1), value=-torch.inf)
    start[:, 0] = -torch.inf
    pairs = start[..., None] + end.unfold(1, MAX_SPAN_PIECES, 1)  # (B, T, longest): from column t, so many pieces on
    scores, places = pairs.reshape(b, -1).topk(min(top, t * MAX_SPAN_PIECES))
    scores = scores - none[:, None]
    found: list[list[ScoredSpan]] = [[] for _ in range(b)]
    for row, (own, at) in enumerate(zip(scores.tolist(), places.tolist(), strict=True)):
        pieces, first = encoded.offsets[row], encoded.first[row]
        for score, place in zip(own, at, strict=True):
            if score > -torch.inf:
                column, length = divmod(place, MAX_SPAN_PIECES)
                begin = column - first
                found[row].append(ScoredSpan(row, pieces[begin][0], pieces[begin + length][1], score))
    return found


@dataclass(frozen=True)
class Calibration:
    """From scores to probabilities: `sigmoid(slope * score + offset)`; `boundary` is the boundary threshold."""

    slope: float = 1.0
    offset: float = 0.0
    boundary: float = 0.5

    def probability(self, score: float) -> float:
        """The probability that a span of this score answers the question."""
        return float(1 / (1 + np.exp(-(self.slope * score + self.offset))))


def save(path: Path, state: Mapping[str, Tensor], calibration: Calibration, shape: NetworkShape) -> None:
    """Write trained parameters, with the calibration."""
    encoder.save(path, state, shape, calibration=asdict(calibration))


def load(path: Path, base: Path) -> tuple[ReaderNetwork, Calibration]:
    """The network in evaluation mode, in float32, and its calibration, where there is one; `base` is the packaged
    MiniLM's own file.
    """
    network, metadata = encoder.load(ReaderNetwork, path, base)
    return network, Calibration(**json.loads(metadata.get("calibration", "{}")))
