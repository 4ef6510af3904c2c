"""A question, a statement and quotes -> whether the quotes say all of the statement, and whether it answers.

A twin of the reader, trained on from its weights (`python -m rag.training.checker`): a writer cannot check itself,
this has seen its drafts, right and wrong. Answers are not judged by it yet.
"""

from __future__ import annotations

from dataclasses import dataclass


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
