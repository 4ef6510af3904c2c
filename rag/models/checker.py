"""A question, a statement and quotes -> whether the quotes say all of the statement, and whether it answers.

A twin of the reader, trained on from its weights: the encoder reads `[CLS] question [SEP] statement [SEP] quotes [SEP]`
and two heads look at its first column. A writer cannot check itself; this has seen its drafts, right and wrong.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from rag.models.embeddings import packaged_model_path
from rag.models.lazy import Lazy
from rag.models.weights import FOLDER, fingerprint

if TYPE_CHECKING:
    from tokenizers import Tokenizer

    from rag.models.checker_network import Calibration, CheckerNetwork

WEIGHTS = FOLDER / "checker.safetensors"


@dataclass(frozen=True, slots=True)
class Claim:
    """A statement, what it rests on, and the question it is to answer: empty where nothing was asked."""

    question: str
    statement: str
    quotes: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """Two probabilities of a claim, in [0, 1]: its quotes say all of the statement; the statement answers."""

    supported: float
    answers: float


class Checker(Protocol):
    """Checks what was written against what it rests on."""

    def check(self, claims: Sequence[Claim]) -> list[Verdict]:
        """A verdict for each claim."""
        ...


class NeuralChecker:
    """The trained network; its weights load on first use."""

    def check(self, claims: Sequence[Claim]) -> list[Verdict]:
        from rag.models.checker_network import verdicts

        with _CHECKER.held() as (network, tokenizer, calibration):
            return verdicts(network, tokenizer, claims, calibration)


def _load() -> tuple[CheckerNetwork, Tokenizer, Calibration]:
    from rag.models.checker_network import Calibration, CheckerNetwork
    from rag.models.encoder import load, plain_tokenizer

    fingerprint(WEIGHTS)  # are they whole?
    model = packaged_model_path()
    network, told = load(CheckerNetwork, WEIGHTS, model / "model.safetensors")
    return network, plain_tokenizer(model), Calibration(**json.loads(told["calibration"]))


_CHECKER = Lazy(_load)
"""One network for the process; it runs beside the other models, but not twice."""
