"""An answer and what was expected -> figures: pure functions."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from statistics import mean

import numpy as np
from numpy.typing import NDArray

from rag.answer.particulars import known, particulars
from rag.evaluation.questions import Question
from rag.types import Answer, Citation, Span


def hit(question: Question, citations: Iterable[Citation]) -> bool:
    """Whether one of the citations overlaps one of the question's expected places."""
    shown = [Span(citation.start, citation.end) for citation in citations]
    return any(span.overlaps(gold) for span in shown for gold in question.golds)


def token_f1(predicted: str, expected: str) -> float:
    """The harmonic mean of word precision and recall, words compared as SQuAD does (Rajpurkar et al., 2016)."""
    ours, theirs = squad_words(predicted), squad_words(expected)
    if not ours or not theirs:
        return float(ours == theirs)
    shared = (Counter(ours) & Counter(theirs)).total()
    return 2 * shared / (len(ours) + len(theirs))


def squad_words(text: str) -> list[str]:
    """The words of a text in lower case, without punctuation and articles."""
    return re.sub(r"\b(?:a|an|the)\b", " ", re.sub(r"[^\w\s]|_", "", text.lower())).split()


def likest(texts: Iterable[str], words: str, most: int) -> list[str]:
    """At most so many of the texts, those first that have most of the words."""
    return sorted(texts, key=lambda text: -recall(text, words))[:most]


def recall(text: str, gold: str) -> float:
    """The share of the gold's words that the text has."""
    wanted, there = set(squad_words(gold)), set(squad_words(text))
    return len(wanted & there) / len(wanted) if wanted else 0.0


def is_verbatim(answer: Answer) -> bool:
    """Whether a shown answer is one of its quotes word for word rather than in the language model's words."""
    return any(" ".join(answer.spoken.split()) == " ".join(citation.quote.split()) for citation in answer.citations)


def invented_in(answer: Answer) -> set[str]:
    """The names and numbers of an answer that neither the question nor the quotes that their statement cites have."""
    quotes = {citation.number: citation.quote for citation in answer.citations}
    return {
        found
        for statement in answer.statements
        for found in particulars(statement.text)
        - known([*(quotes[number] for number in statement.citations), answer.standalone_question])
    }


def contains(answer: str, expected: str) -> bool:
    """Whether the expected words stand in a row in the answer, as SQuAD compares words."""
    ours, theirs = squad_words(answer), squad_words(expected)
    return bool(theirs) and any(ours[at : at + len(theirs)] == theirs for at in range(len(ours) - len(theirs) + 1))


def mentions(answer: str, must_mention: Iterable[Iterable[str]]) -> bool:
    """Whether one of each of the alternatives stands in the answer, as whole words in any case."""
    return all(
        any(re.search(rf"(?<!\w){re.escape(word)}(?!\w)", answer, re.IGNORECASE) for word in words)
        for words in must_mention
    )


def auc(values: NDArray[np.float64], labels: NDArray[np.bool_]) -> float:
    """The chance that a true one's value is above a false one's, ties counted half."""
    above = (values[labels][:, None] > values[~labels]).mean() + (values[labels][:, None] == values[~labels]).mean() / 2
    return float(above)


def mean_of(values: Iterable[float | None]) -> float | None:
    """The mean of those that are known; None of nothing."""
    known_ones = [float(value) for value in values if value is not None]
    return mean(known_ones) if known_ones else None
