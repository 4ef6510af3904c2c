"""A question, a statement and quotes -> whether the quotes say all of the statement, and whether it answers.

A twin of the reader, trained on from its weights: the encoder reads `[CLS] question [SEP] statement [SEP] quotes [SEP]`
and two heads look at its first column. A writer cannot check itself; this has seen its drafts, right and wrong.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from rag.english import NUMBER_WORDS
from rag.models.embeddings import packaged_model_path
from rag.models.lazy import Lazy
from rag.models.weights import FOLDER, fingerprint
from rag.sentences import sentence_texts

if TYPE_CHECKING:
    from tokenizers import Tokenizer

    from rag.models.checker_network import Calibration, CheckerNetwork

WEIGHTS = FOLDER / "checker.safetensors"
_NUMBER = re.compile(rf"\b(?:{'|'.join(NUMBER_WORDS)})\b|(?<![\d.,])\d+(?![.,]?\d)", re.IGNORECASE)
_WORD = re.compile(r"\d[\d.,]*\d|\w+")
_SPELLINGS = {**NUMBER_WORDS, **{digits: word for word, digits in NUMBER_WORDS.items()}}


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

        alike = [
            replace(claim, question=_spelled_as(claim.question, claim), statement=_spelled_as(claim.statement, claim))
            for claim in claims
        ]
        with _CHECKER.held() as (network, tokenizer, calibration):
            told = verdicts(network, tokenizer, alike, calibration)
        return [
            replace(verdict, supported=1.0) if _is_word_for_word(claim) else verdict
            for claim, verdict in zip(claims, told, strict=True)
        ]


def _is_word_for_word(claim: Claim) -> bool:
    """Whether the statement is the quotes, or a sentence of them. The network, which sees the question first, may doubt
    even that, where it is long.
    """
    said = _words(claim.statement)
    return bool(said) and any(_words(text) == said for text in (claim.quotes, *sentence_texts(claim.quotes)))


def _words(text: str) -> list[str]:
    return _WORD.findall(text.lower())


def _spelled_as(text: str, claim: Claim) -> str:
    """The text with its numbers in the digits, or the words, in which the claim's quotes have them: the network
    compares pieces of words, and hardly knows that "fifteen" is "15".
    """
    there = {word.lower() for word in _NUMBER.findall(claim.quotes)}

    def spelled(number: re.Match[str]) -> str:
        said = number[0].lower()
        other = _SPELLINGS.get(said, said)
        return other if other in there and said not in there else number[0]

    return _NUMBER.sub(spelled, text)


def _load() -> tuple[CheckerNetwork, Tokenizer, Calibration]:
    from rag.models.checker_network import Calibration, CheckerNetwork
    from rag.models.encoder import load, plain_tokenizer

    fingerprint(WEIGHTS)  # are they whole?
    model = packaged_model_path()
    network, told = load(CheckerNetwork, WEIGHTS, model / "model.safetensors")
    return network, plain_tokenizer(model), Calibration(**json.loads(told["calibration"]))


_CHECKER = Lazy(_load)
"""One network for the process; it runs beside the other models, but not twice."""
