"""Whatever files, settings, questions and arguments hold: used, or refused in one line that is meant for people."""

import json
from pathlib import Path
from typing import Any

import pytest
from fakes import FakeEmbedder, OverlapChecker, OverlapReader
from hostile import changed, values
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rag.answer.pipeline import Pipeline
from rag.cli import main
from rag.errors import DocumentError, QuestionFileError, SettingsError, UsageError
from rag.evaluation.questions import read_history, read_questions
from rag.ingest.documents import read_document
from rag.library.index import PassageIndex
from rag.settings import ENVIRONMENT_PREFIX, Settings, load_settings
from rag.types import Turn

SHARED = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
"""The examples share a folder of the test's, and each writes its own file there."""
NAMES = sorted(Settings.__dataclass_fields__)
lines = st.text(st.characters(exclude_characters="\0"), max_size=60)
VALID = {
    "id": "d",
    "title": "D",
    "text": "The ship sank near Turku.",
    "questions": [
        {
            "id": "q",
            "question": "Where did it sink?",
            "answers": [{"text": "Turku", "start": 19}],
            "kind": "where",
            "must_mention": [["Turku"]],
            "history": [{"question": "What sank?", "answer": "The ship."}],
        }
    ],
}


def check_refusal(error: BaseException) -> None:
    """One line says why."""
    assert len(str(error).splitlines()) == 1, str(error)


@given(
    st.binary(max_size=300)
    | st.builds(str.encode, lines, st.sampled_from(["utf-8", "utf-16"]), st.just("surrogatepass")),
    st.sampled_from(["a.txt", "a.md", "A.TXT", "a", "a.exe", ".txt", "ü/ä.md", "\u202ea.txt"]),
)
def test_a_file_is_an_article_or_refused(data: bytes, name: str) -> None:
    try:
        document = read_document(data, name, Settings())
    except DocumentError as error:
        check_refusal(error)
    else:
        assert document.text.strip()
        assert document.title == " ".join(document.title.split())


@SHARED
@given(st.data())
def test_settings_are_used_or_refused(tmp_path: Path, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(NAMES) | st.text(st.characters(codec="ascii"), max_size=12))
    value = data.draw(lines | st.floats().map(str) | st.integers().map(str))
    file = tmp_path / "article-chat.toml"
    file.write_bytes(data.draw(st.just(f"{name} = {json.dumps(value)}").map(str.encode) | st.binary(max_size=60)))
    for source in ({"environment": {ENVIRONMENT_PREFIX + name: value}}, {"environment": {}, "file": file}):
        try:
            load_settings(**source)
        except SettingsError as error:
            check_refusal(error)


@SHARED
@given(question=st.text(max_size=80) | lines, history=st.lists(st.builds(Turn, lines, lines), max_size=3))
def test_a_question_is_answered_with_words_of_the_article_or_refused(
    index: PassageIndex, question: str, history: list[Turn]
) -> None:
    pipeline = Pipeline(index, reader=OverlapReader(), checker=OverlapChecker(), settings=Settings(llm="none"))
    try:
        answer = pipeline.answer(question, history)
    except UsageError as error:
        check_refusal(error)
        return
    assert answer.abstained or answer.citations
    for citation in answer.citations:
        assert index.documents[citation.document_id].text[citation.start : citation.end] == citation.quote


@SHARED
@given(st.lists(changed(VALID) | st.just(VALID), max_size=3) | values)
def test_a_question_file_is_read_or_its_line_named(tmp_path: Path, sent: Any) -> None:
    file = tmp_path / "questions.jsonl"
    written = sent if isinstance(sent, list) else [sent]
    file.write_text("".join(json.dumps(line) + "\n" for line in written), encoding="utf-8")
    try:
        items = read_questions(file)
    except QuestionFileError as error:
        check_refusal(error)
    else:
        for item in items:
            for question in item.questions:
                assert all(gold.end <= len(item.document.text) for gold in question.golds)
    file.write_text(json.dumps(sent), encoding="utf-8")
    try:
        read_history(file)
    except QuestionFileError as error:
        check_refusal(error)


@SHARED
@given(
    st.sampled_from(["index", "list", "remove", "evaluate", "ask", "check"]),
    st.lists(
        lines
        | st.sampled_from(
            ["--collection", "--json", "--home", "--predictions", "--max-quotes", "--llm", "--statements"]
        ),
        max_size=4,
    ),
)
def test_a_command_is_done_or_refused(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: str, arguments: list[str]
) -> None:
    monkeypatch.chdir(home)  # an empty name is that of the folder
    nowhere = str(home / "nowhere.jsonl")  # so that nothing of this computer is asked, loaded or changed
    own = {"ask": ["--collection", "none"], "check": ["--collection", "none"], "evaluate": [nowhere]}
    given_last = ["--home", str(home), *own.get(command, [])]
    try:
        code = main([command, *arguments, *given_last], embedder=FakeEmbedder())
    except SystemExit as ended:  # of argparse
        code = int(str(ended.code))
    said = capsys.readouterr().err
    assert code in (0, 1, 2)
    assert "unexpected" not in said, said
    assert "Traceback" not in said, said
