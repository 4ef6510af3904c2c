"""The checker's network: the encoder and two heads on its first column.

Shapes: B claims, T pieces, C = 384 channels.
"""

from __future__ import annotations

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


def encode(tokenizer: Tokenizer, claims: Sequence[Claim]) -> Pieces:
    """`[CLS] question [SEP] statement [SEP] quotes [SEP]` a row; the second segment is the quotes. A question keeps its
    last 64 pieces, a statement its first 96, a row at most 320. The tokenizer must neither truncate nor pad.
    """
    parts = [text for claim in claims for text in (claim.question, claim.statement, claim.quotes)]
    pieces = [encoding.ids for encoding in tokenizer.encode_batch(parts, add_special_tokens=False)]
    rows, seconds = [], []
    for question, statement, quotes in zip(pieces[::3], pieces[1::3], pieces[2::3], strict=True):
        head = [CLS, *question[-MAX_QUESTION_PIECES:], SEP, *statement[:MAX_STATEMENT_PIECES], SEP]
        rows.append([*head, *quotes[: MAX_PIECES - len(head) - 1], SEP])
        seconds.append(len(head))
    return padded(rows, seconds)


class CheckerNetwork(Encoder):
    """The encoder and two heads: supported, answers."""

    def __init__(self, shape: NetworkShape | None = None) -> None:
        super().__init__(shape)
        self.verdict = nn.Linear(self.shape.channels, 2)

    def verdicts(self, hidden: Tensor) -> Tensor:
        """Logits (B, 2) in float32 of a batch's hidden states: supported, answers."""
        return self.verdict(hidden[:, 0]).float()  # type: ignore[no-any-return]


def verdicts(network: CheckerNetwork, tokenizer: Tokenizer, claims: Sequence[Claim]) -> list[Verdict]:
    """What the network says of each claim."""
    if not claims:
        return []
    with fast_inference(torch.device("cpu")):
        batch = encode(tokenizer, claims)
        found = network.verdicts(network(batch)).sigmoid().tolist()
    return [Verdict(supported, answers) for supported, answers in found]
