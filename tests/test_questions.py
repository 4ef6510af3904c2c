import json
import unicodedata
from pathlib import Path
from typing import Any

import pytest

from rag.errors import QuestionFileError
from rag.evaluation.questions import normalized_span, read_history, read_questions
from rag.ingest.documents import normalize
from rag.types import Span, Turn

TEXT = "Ann met Bob in Oslo."


def entry(**changes: Any) -> dict[str, Any]:
    question = {"id": "1", "question": "Where?", "answers": [{"text": "Oslo", "start": 15}], "answerable": True}
    return {"id": "d", "title": "D", "text": TEXT, "questions": [question], **changes}


def question(**changes: Any) -> dict[str, Any]:
    return entry(questions=[{**entry()["questions"][0], **changes}])


def write(folder: Path, *lines: Any) -> Path:
    file = folder / "questions.jsonl"
    texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    file.write_text("\n".join(texts) + "\n", encoding="utf-8")
    return file


def test_a_file_is_read_with_history_and_without_unknown_fields(tmp_path: Path) -> None:
    history = [{"question": "Who met Bob?", "answer": "Ann", "more": 1}]
    file = write(
        tmp_path, {**question(history=history, kind="place"), "licence": "CC"}, "", entry(id="e", questions=[])
    )
    first, second = read_questions(file)
    assert first.document.text == TEXT
    assert first.questions[0].golds == (Span(15, 19),)
    assert first.questions[0].history == (Turn("Who met Bob?", "Ann"),)
    assert second.questions == ()


def test_a_question_without_an_answer_is_unanswerable(tmp_path: Path) -> None:
    file = write(tmp_path, question(answers=[], answerable=False))
    assert not read_questions(file)[0].questions[0].answerable


def test_the_limit_counts_questions(tmp_path: Path) -> None:
    two = [{**entry()["questions"][0], "id": str(n)} for n in range(2)]
    file = write(tmp_path, *(entry(id=name, questions=two) for name in "abc"))
    assert [len(item.questions) for item in read_questions(file, limit=3)] == [2, 1]


@pytest.mark.usefixtures("nothing_to_collect")
@pytest.mark.parametrize(
    ("bad", "says"),
    [
        ("{", "not JSON"),
        ("[]", "[] is not an object"),
        ("[" * 100_000, "nested too deeply"),
        (entry(text=7), "text is not a text"),
        (entry(text=" \n", questions=[]), "the text is empty"),
        (entry(questions=None), "questions is not a list"),
        ({"id": "d", "title": "D", "text": TEXT}, "'questions' is missing"),
        (question(answers=[{"text": "Oslo", "start": 14}]), "question 1: the answer 'Oslo' does not stand at 14"),
        (question(answers=[{"text": "Oslo", "start": -5}]), "does not stand at -5"),
        (question(answers=[{"text": "Oslo"}]), "'start' is missing"),
        (question(answers=[]), "answerable must be true, with at least one answer, or false"),
        (question(question=" "), "question 1: there is no question"),
        (question(answers=[{"text": "Oslo", "start": True}]), "start is not a whole number"),
        (question(answers="Oslo"), "answers is not a list"),
        (question(history="x"), "history is not a list"),
        (question(history=[{}]), "question 1: the field 'question' is missing"),
        (question(question="\ud800?"), "surrogates not allowed"),
        (entry(), "another line has the id 'd'"),
    ],
)
def test_malformed_lines_are_named(tmp_path: Path, bad: Any, says: str) -> None:
    with pytest.raises(QuestionFileError) as caught:
        read_questions(write(tmp_path, entry(), bad))
    assert "questions.jsonl, line 2" in str(caught.value)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_files_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    with pytest.raises(QuestionFileError, match="No such file"):
        read_questions(tmp_path / "none.jsonl")
    with pytest.raises(QuestionFileError, match="no question"):
        read_questions(write(tmp_path, ""))
    (tmp_path / "latin.jsonl").write_bytes(b'{"id": "\xe9"}')
    with pytest.raises(QuestionFileError, match="not UTF-8"):
        read_questions(tmp_path / "latin.jsonl")


@pytest.mark.parametrize(
    ("original", "wanted", "stored"),
    [
        ("one\r\ntwo\r\nthree", "three", "three"),
        ("\ufeffone two", "one", "one"),
        ("\ufeffone two", "\ufeffone", "one"),
        (unicodedata.normalize("NFD", "Zoë met René here"), "here", "here"),
        (unicodedata.normalize("NFD", "Zoë met René here"), "Zoe", "Zoë"),  # without its accent: the letter grows
        ("one\r\ntwo", "\ntwo", "\ntwo"),  # from the middle of a line end: all of it
        ("plain text", "text", "text"),
    ],
)
def test_places_follow_the_text_through_its_normalisation(original: str, wanted: str, stored: str) -> None:
    start = original.index(wanted)
    span = normalized_span(original, Span(start, start + len(wanted)))
    assert normalize(original)[span.start : span.end] == stored


def test_answers_of_a_text_that_was_normalised_are_moved(tmp_path: Path) -> None:
    text = "A cafe\u0301.\r\nAnn met Bob."
    file = write(
        tmp_path,
        entry(text=text, questions=[{"id": "1", "question": "Who?", "answers": [{"text": "Bob", "start": 18}]}]),
    )
    (item,) = read_questions(file)
    (gold,) = item.questions[0].golds
    assert item.document.text == "A café.\nAnn met Bob."
    assert item.document.text[gold.start : gold.end] == "Bob"


def test_a_history_is_read(tmp_path: Path) -> None:
    file = tmp_path / "history.json"
    file.write_text('[{"question": "Who?", "answer": "Ann"}, {"question": "Where?"}]')
    assert read_history(file) == [Turn("Who?", "Ann"), Turn("Where?", "")]


@pytest.mark.parametrize("text", ["{", "{}", "[1]", '[{"answer": "Ann"}]', '[{"question": 1}]'])
def test_a_malformed_history_says_what_to_give(tmp_path: Path, text: str) -> None:
    file = tmp_path / "history.json"
    file.write_text(text)
    with pytest.raises(QuestionFileError, match="give a JSON list of objects with question and answer"):
        read_history(file)
