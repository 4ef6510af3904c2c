"""Statements with evidence, known to be supported by it or not -> how well the checker tells them apart."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rag.errors import QuestionFileError
from rag.evaluation.metrics import auc
from rag.evaluation.questions import lines_of
from rag.json_fields import member, of_kind, parsed
from rag.models.checker import Checker, Claim

PRECISION = 0.98
"""Of what is taken for supported, this share must be."""
_AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class Case:
    """A claim and whether its quotes, the evidence, say all of its statement."""

    id: str
    claim: Claim
    supported: bool


@dataclass(frozen=True, slots=True)
class SupportReport:
    """How well the checker tells: `auc` is the probability that a supported statement is thought likelier supported
    than another, `recall` the share of the supported ones that are found where PRECISION of what is found is right;
    None where all statements are alike.
    """

    statements: int
    supported: int
    auc: float | None
    recall: float | None

    def to_json(self) -> dict[str, Any]:
        """The report as the plain object that `evaluate --json` prints."""
        return {k: round(v, 4) if isinstance(v, float) else v for k, v in asdict(self).items()}

    def table(self) -> str:
        """The report as lines for people."""
        lines = [f"{self.statements} statements, {self.supported} supported by their evidence", ""]
        for name, value, meaning in (
            ("auc", self.auc, "a supported statement is thought likelier so than one that is not"),
            ("recall", self.recall, f"of supported statements found, where {PRECISION} of those found are right"),
        ):
            lines.append(f"{name:<20}{'-' if value is None else f'{value:.3f}':>8}   {meaning}")
        return "\n".join(lines)


def read_cases(file: Path) -> list[Case]:
    """The statements of a file: {"id", "evidence", "statement", "supported", "question"?} a line; raises
    QuestionFileError, which names the line.
    """
    cases = []
    for number, line in lines_of(file):
        try:
            entry = parsed(line)
            texts = [member(entry, name, str) for name in ("id", "statement", "evidence")]
            question = of_kind(entry.get("question") or "", str, "question")
            supported = member(entry, "supported", bool)
        except ValueError as error:
            raise QuestionFileError(f"{file}, line {number}: {error}") from error
        cases.append(Case(texts[0], Claim(question, texts[1], texts[2]), supported))
    if not cases:
        raise QuestionFileError(f"{file}: there is no statement in it")
    return cases


def evaluate_support(
    checker: Checker, cases: Iterable[Case], progress: Callable[[Case, float], None] = lambda *_: None
) -> SupportReport:
    """The report on the checker; `progress` is called with each case and its probability of being supported."""
    cases, found = list(cases), []
    for at in range(0, len(cases), _AT_ONCE):
        part = cases[at : at + _AT_ONCE]
        for case, verdict in zip(part, checker.check([case.claim for case in part]), strict=True):
            found.append(verdict.supported)
            progress(case, verdict.supported)
    scores, truth = np.array(found), np.array([case.supported for case in cases])
    both = 0 < truth.sum() < len(truth)
    return SupportReport(
        len(cases),
        int(truth.sum()),
        auc(scores, truth) if both else None,
        _recall(scores, truth) if both else None,
    )


def _recall(scores: np.ndarray[Any, Any], truth: np.ndarray[Any, Any]) -> float:
    """The largest share of the true ones above a score above which PRECISION are true."""
    best = 0.0
    for least in np.unique(scores):
        above = scores >= least
        if truth[above].mean() >= PRECISION:
            best = max(best, float(truth[above].sum() / truth.sum()))
    return best
