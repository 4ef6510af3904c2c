"""The checker's network: the encoder, told which words of a statement its quotes have, and two heads on column 0.

Shapes: B claims, T pieces, C = 384 channels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from rag.models.checker import Claim, Verdict
from rag.models.encoder import CLS, SEP, Encoder, NetworkShape, Pieces, fast_inference, padded

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tokenizers import Tokenizer

MAX_QUESTION_PIECES = 64
MAX_STATEMENT_PIECES = 96
MAX_PIECES = 320


@dataclass(frozen=True)
class Compared(Pieces):
    """A padded batch of claims; `matches` says of each piece of a statement whether the quotes have it."""

    matches: Tensor  # (B, T) int64: 1 in both, 2 in the statement only, 0 elsewhere

    def to(self, device: torch.device) -> Compared:
        """The same batch on a device."""
        return Compared(*(part.to(device) for part in (self.ids, self.types, self.mask, self.matches)))


def encode(tokenizer: Tokenizer, claims: Sequence[Claim]) -> Compared:
    """`[CLS] question [SEP] statement [SEP] quotes [SEP]` a row; the second segment is the quotes. A question keeps its
    last 64 pieces, a statement its first 96, a row at most 320. The tokenizer must neither truncate nor pad.
    """
    parts = [text for claim in claims for text in (claim.question, claim.statement, claim.quotes)]
    pieces = [encoding.ids for encoding in tokenizer.encode_batch(parts, add_special_tokens=False)]
    rows, seconds, matches = [], [], []
    for question, statement, quotes in zip(pieces[::3], pieces[1::3], pieces[2::3], strict=True):
        head, stated, there = (
            [CLS, *question[-MAX_QUESTION_PIECES:], SEP],
            statement[:MAX_STATEMENT_PIECES],
            set(quotes),
        )
        matches.append([0] * len(head) + [1 if piece in there else 2 for piece in stated])
        head += [*stated, SEP]
        rows.append([*head, *quotes[: MAX_PIECES - len(head) - 1], SEP])
        seconds.append(len(head))
    batch = padded(rows, seconds)
    compared = torch.zeros_like(batch.ids)
    for row, match in zip(compared, matches, strict=True):
        row[: len(match)] = torch.tensor(match)
    return Compared(batch.ids, batch.types, batch.mask, compared)


class CheckerNetwork(Encoder):
    """The encoder, with an embedding of exact matches (Chen et al. 2017, DrQA), and two heads: supported, answers."""

    def __init__(self, shape: NetworkShape | None = None) -> None:
        super().__init__(shape)
        self.matches = nn.Embedding(3, self.shape.channels)
        nn.init.zeros_(self.matches.weight)
        self.verdict = nn.Linear(self.shape.channels, 2)

    def embedded(self, batch: Pieces) -> Tensor:
        assert isinstance(batch, Compared)  # noqa: S101 (no other batch has matches)
        return super().embedded(batch) + self.matches(batch.matches)  # type: ignore[no-any-return]

    def verdicts(self, hidden: Tensor) -> Tensor:
        """Logits (B, 2) in float32 of a batch's hidden states: supported, answers."""
        return self.verdict(hidden[:, 0]).float()  # type: ignore[no-any-return]


@dataclass(frozen=True)
class Calibration:
    """What makes logit and share of matching pieces a probability that the quotes say all of a statement."""

    slope: float = 1.0
    share: float = 0.0
    offset: float = 0.0


def examine(network: CheckerNetwork, tokenizer: Tokenizer, claims: Sequence[Claim]) -> tuple[Tensor, Tensor]:
    """Of each claim the logits (B, 2), supported and answers; the share of its statement's pieces that match (B)."""
    with fast_inference(torch.device("cpu")):
        batch = encode(tokenizer, claims)
        logits = network.verdicts(network(batch))
    return logits, (batch.matches == 1).sum(1) / (batch.matches > 0).sum(1).clamp(min=1)


def verdicts(
    network: CheckerNetwork, tokenizer: Tokenizer, claims: Sequence[Claim], calibration: Calibration | None = None
) -> list[Verdict]:
    """What the network says of each claim."""
    if not claims:
        return []
    logits, share = examine(network, tokenizer, claims)
    fitted = calibration or Calibration()
    supported = fitted.slope * logits[:, 0] + fitted.share * share + fitted.offset
    found = torch.stack([supported, logits[:, 1]], dim=1).sigmoid().tolist()
    return [Verdict(said, answers) for said, answers in found]
