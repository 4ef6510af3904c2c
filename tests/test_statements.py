"""The checker measured on statements of which it is known whether their evidence supports them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from rag.errors import QuestionFileError
from rag.evaluation.statements import evaluate_support, read_cases
from rag.models.checker import Claim, Verdict


class ByLength:
    """The longer a statement, the likelier supported."""

    def check(self, claims: Sequence[Claim]) -> list[Verdict]:
        return [Verdict(len(claim.statement) / 100, 0.5) for claim in claims]


def file_of(tmp_path: Path, *truths: bool) -> Path:
    lines = [
        {"id": str(n), "evidence": "e", "statement": "s" * n, "supported": truth} for n, truth in enumerate(truths, 1)
    ]
    file = tmp_path / "statements.jsonl"
    file.write_text("\n".join(json.dumps(line) for line in lines) + "\n")
    return file


def test_ranking_and_recall_at_precision(tmp_path: Path) -> None:
    cases = read_cases(file_of(tmp_path, False, True, False, True, True))
    seen: list[tuple[str, float]] = []
    report = evaluate_support(ByLength(), cases, lambda case, supported: seen.append((case.id, supported)))
    assert report.to_json() == {"statements": 5, "supported": 3, "auc": round(5 / 6, 4), "recall": round(2 / 3, 4)}
    assert seen[0] == ("1", 0.01)
    assert len(seen) == 5
    assert "0.833" in report.table()


def test_where_all_are_alike_nothing_is_measured(tmp_path: Path) -> None:
    report = evaluate_support(ByLength(), read_cases(file_of(tmp_path, True, True)))
    assert (report.auc, report.recall) == (None, None)
    assert " - " in report.table()


def test_a_question_belongs_to_the_claim(tmp_path: Path) -> None:
    file = tmp_path / "one.jsonl"
    file.write_text('{"id": "1", "evidence": "e", "statement": "s", "question": "q?", "supported": true}\n\n')
    assert read_cases(file)[0].claim == Claim("q?", "s", "e")


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("{", "line 1: not JSON"),
        ('{"id": "1", "evidence": "e", "supported": true}', "line 1: the field 'statement' is missing"),
        ('{"id": "1", "evidence": "e", "statement": "s", "supported": 1}', "line 1: supported is not true or false"),
        ("", "there is no statement in it"),
    ],
)
def test_a_bad_file_is_refused_in_one_line(tmp_path: Path, line: str, says: str) -> None:
    file = tmp_path / "bad.jsonl"
    file.write_text(line + "\n")
    with pytest.raises(QuestionFileError, match=says):
        read_cases(file)
