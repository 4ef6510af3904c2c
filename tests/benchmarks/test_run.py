"""Systems in processes of their own: asked in turn, every reply kept, an interrupted run taken up again."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fakes import FakeEmbedder, OverlapChecker

from benchmarks.interleave import Records, run, sources
from benchmarks.processes import Process
from benchmarks.report import Report, score_all
from benchmarks.support import Support
from benchmarks.systems.contract import Models
from rag.errors import ArticleChatError, QuestionFileError

TEXT = "The ferry was late. The pilot was ill. Repairs cost millions."
PARROT = [sys.executable, "-m", "tests.benchmarks.parrot"]
ABOUT = {"threads": 1, "writer": "none", "revision": "0", "machine": "here"}


@pytest.fixture
def questions(tmp_path: Path) -> Path:
    asked = [
        {"id": "late", "question": "What was late?", "answers": [{"text": "The ferry", "start": 0}]},
        {"id": "ill", "question": "Who was it?", "answers": [{"text": "pilot", "start": 24}],
         "history": [{"question": "Who?", "answer": "The pilot."}]},
        {"id": "who", "question": "Whose fault?", "answers": [], "answerable": False},
    ]  # fmt: skip
    file = tmp_path / "harbour.jsonl"
    file.write_text(json.dumps({"id": "h", "title": "H", "text": TEXT, "questions": asked}) + "\n", encoding="utf-8")
    return file


class Scripted:
    """A system in this process that writes down what it is asked, and fails at a question if told to."""

    def __init__(self, name: str, asked: list[tuple[str, str]], fails_at: str = "") -> None:
        self.name, self.asked, self.fails_at = name, asked, fails_at

    def request(self, **request: Any) -> dict[str, Any]:
        if request["do"] == "prepare":
            return {"seconds": 1.0, "peak_mb": 1.0}
        if request["question"] == self.fails_at:
            raise ArticleChatError("it ended")
        self.asked.append((request["question"], self.name))
        times = {"first_evidence_s": None, "first_word_s": 1.0, "total_s": 1.0}
        return {"text": "The ferry was late.", "evidence": [TEXT], **times, "read_tokens": 9, "peak_mb": 1.0}


@pytest.fixture
def parrot(tmp_path: Path) -> Iterator[Process]:
    process = Process("parrot", Models("none", "none", 1), tmp_path / "parrot.log", PARROT)
    yield process
    process.stop()


def test_a_system_answers_over_its_pipe(parrot: Process) -> None:
    assert parrot.start_s > 0
    assert parrot.request(do="prepare", title="H", text=TEXT)["seconds"] >= 0
    reply = parrot.request(do="ask", question="What was late?", history=[])
    assert (reply["text"], reply["evidence"]) == ("The ferry was late.", ["The ferry was late."])
    assert 0 <= reply["first_evidence_s"] <= reply["first_word_s"] <= reply["total_s"]
    assert reply["peak_mb"] > 1
    told = parrot.request(do="ask", question="And who?", history=[("Who was ill?", "A pilot.")])
    assert told["text"] == "The pilot was ill."


def test_what_a_system_raises_and_that_it_ended_is_one_line(parrot: Process, tmp_path: Path) -> None:
    with pytest.raises(ArticleChatError, match="parrot failed: ValueError: there is no 'dance' to do"):
        parrot.request(do="dance")
    parrot.request(do="prepare", title="H", text=TEXT)
    with pytest.raises(ArticleChatError, match=r"parrot ended with 3; see the end of .*parrot\.log"):
        parrot.request(do="ask", question="What?", history=[("Who?", "perish")])
    with pytest.raises(ArticleChatError, match="OSError: no such writer"):
        Process("parrot", Models("missing", "none", 1), tmp_path / "parrot.log", PARROT)


def test_each_question_goes_to_every_system_and_another_begins_each_time(questions: Path, tmp_path: Path) -> None:
    asked: list[tuple[str, str]] = []
    run([Scripted("a", asked), Scripted("b", asked)], sources(questions), Records(tmp_path / "records"))
    order = ["a", "b", "b", "a", "a", "b"]
    texts = [text for text in ("What was late?", "Who was it?", "Whose fault?") for _ in range(2)]
    assert asked == list(zip(texts, order, strict=True))


def test_an_interrupted_run_goes_on_where_it_was(questions: Path, tmp_path: Path) -> None:
    asked: list[tuple[str, str]] = []
    file = tmp_path / "records.jsonl"
    with pytest.raises(ArticleChatError):
        run([Scripted("a", asked), Scripted("b", asked, "Who was it?")], sources(questions), Records(file))
    with file.open("a", encoding="utf-8") as cut:
        cut.write('{"what": "rep')
    run([Scripted("a", asked), Scripted("b", asked)], sources(questions), Records(file))
    assert sorted(asked) == sorted((text, name) for text in {text for text, _ in asked} for name in "ab")
    assert len(list(Records(file).replies())) == 6


def test_every_second_question_of_the_question_files_of_a_folder(questions: Path) -> None:
    (questions.parent / "statements.jsonl").write_text('{"id": "1", "statement": "S."}\n', encoding="utf-8")
    [source] = sources(questions.parent, every=2)
    assert [question.id for question in source.items[0].questions] == ["late", "who"]
    assert sum(len(item.questions) for item in sources(questions, limit=1)[0].items) == 1
    questions.unlink()
    with pytest.raises(QuestionFileError, match="there is no question file"):
        sources(questions.parent)


def test_the_report_has_every_figure_and_the_peers_beside_ours(questions: Path, tmp_path: Path) -> None:
    records = Records(tmp_path / "records.jsonl")
    names = ("article-chat", "peer")
    for name in names:
        records.add(what="start", system=name, seconds=3.0)
    run([Scripted(name, []) for name in names], sources(questions), records)
    report = Report(ABOUT, score_all(sources(questions), records, Support(OverlapChecker(), FakeEmbedder())), records)
    told = report.to_json()
    own = told["figures"]["harbour"]["article-chat"]
    assert own == told["figures"]["harbour"]["peer"]
    assert (own["questions"], own["right"], own["supported"], own["start_s"], own["prepare_s"]) == (3, 0.5, 1.0, 3, 1)
    assert told["beside_article_chat"]["harbour"]["peer"]["answer"] == {"value": 1.0, "low": 1.0, "high": 1.0}
    assert "| article-chat | 0.50 | 0.50 |" in report.markdown()


def test_the_plot_is_drawn(questions: Path, tmp_path: Path) -> None:
    from benchmarks.plot import plot

    records = Records(tmp_path / "records.jsonl")
    run([Scripted("article-chat", [])], sources(questions), records)
    report = Report(ABOUT, score_all(sources(questions), records, Support(OverlapChecker(), FakeEmbedder())), records)
    plot(report.files["harbour"], "3 questions", tmp_path / "plot.png")
    assert (tmp_path / "plot.png").read_bytes().startswith(b"\x89PNG")
