"""What stands here beside an earlier revision: what counts as clearly worse, and both really asked."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks import quick
from benchmarks.bootstrap import Interval
from benchmarks.interleave import Records, sources
from benchmarks.report import Ratios
from rag.errors import UsageError

ALIKE = Ratios(
    answer=Interval(1.0, 0.9, 1.1),
    evidence=Interval(0.95, 0.8, 1.2),
    prompt_tokens=Interval(1.0, 1.0, 1.0),
    right=Interval(0.0, -0.1, 0.1),
    decided=Interval(-0.05, -0.1, 0.0),
)


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({}, []),
        ({"right": Interval(-0.3, -0.5, -0.1)}, ["worse: right, here - there -0.30 (-0.50 to -0.10)"]),
        ({"decided": Interval(-0.3, -0.5, -0.1), "right": None}, ["worse: decided rightly, "]),
        ({"answer": Interval(0.8, 0.7, 0.9)}, ["slower: answer, there / here 0.80"]),
        ({"answer": Interval(0.8, 0.7, 0.95)}, []),
        ({"evidence": Interval(0.5, 0.4, 0.6), "answer": Interval(1.5, 1.4, 1.6)}, ["slower: first evidence, "]),
    ],
)
def test_only_what_is_clearly_worse_is_told(changed: dict[str, Any], told: list[str]) -> None:
    lines = quick.losses(replace(ALIKE, **changed))
    assert len(lines) == len(told)
    assert all(line.startswith(begin) for line, begin in zip(lines, told, strict=True))


def test_both_are_compared_by_their_first_evidence_question_by_question(tmp_path: Path) -> None:
    file = tmp_path / "q.jsonl"
    text = "The ferry was late."
    asked = '{"id": "a", "question": "What was late?", "answers": [{"text": "The ferry", "start": 0}]}'
    silent = '{"id": "b", "question": "Who was it?", "answers": [], "answerable": false}'
    file.write_text(f'{{"id": "d", "title": "D", "text": "{text}", "questions": [{asked}, {silent}]}}\n')
    records = Records(tmp_path / "records.jsonl")
    for system, words, seconds in (("old", text, 4.0), ("article-chat", "The article does not say.", 2.0)):
        for question in ("b", "a") if system == "old" else ("a", "b"):
            times = {"first_evidence_s": None, "first_word_s": 9.0, "total_s": seconds}
            place = {"file": "q", "document": "d", "id": question}
            reply = {"text": words, "evidence": [], **times, "read_tokens": 10, "peak_mb": 1.0}
            records.add(what="reply", system=system, **place, **reply)
    found = quick.beside(sources(file), records, "old")
    assert found.evidence.value == found.answer.value == 2.0
    assert found.right is not None
    assert (found.right.value, found.decided.value) == (-1.0, 0.0)


def test_a_commit_is_written_out_and_an_unknown_one_is_told_in_one_line(tmp_path: Path) -> None:
    if not (quick.ROOT / ".git").exists():
        pytest.skip("this is no git checkout")
    quick.check_out("HEAD", tmp_path / "there")
    assert (tmp_path / "there" / "rag" / "__init__.py").is_file()
    with pytest.raises(UsageError, match="--against takes a commit of this repository"):
        quick.check_out("no-such-commit", tmp_path / "nowhere")
    assert quick.main(["--against", "no-such-commit"]) == 2
