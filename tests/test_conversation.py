import pytest

from rag.conversation import standalone_question, stands_alone
from rag.types import Turn


@pytest.mark.parametrize(
    "question",
    [
        "Who founded the museum?",
        "what did the minister say when he left the building",
        "When did the band release their first album?",
        "Is it true that the dam was repaired?",
        "What is the capital of France?",
        "Why did the ferry sink and who was on it?",
        "List the reasons for the strike",
    ],
)
def test_a_question_that_stands_alone_is_left_alone(question: str) -> None:
    assert stands_alone(question)
    assert standalone_question(question, [Turn("Who was Ada Lovelace?", "A mathematician.")]) == question


@pytest.mark.parametrize(
    "question",
    [
        "where is he from?",
        "Why?",
        "and what did the mayor claim instead?",
        "What about the harbour?",
        "What songs did they record?",
        "how did her career start",
        "What else happened?",
        "When was this?",
        "Did it win any awards?",
        "Who said that?",
    ],
)
def test_a_question_that_leans_on_the_conversation_gets_the_last_that_did_not(question: str) -> None:
    history = [Turn("Who was Ada Lovelace?"), Turn("Who wrote the first program?"), Turn("When did she do that?")]
    assert not stands_alone(question)
    assert standalone_question(question, history) == f"Who wrote the first program? ; {question}"


def test_without_history_the_question_is_as_asked() -> None:
    assert standalone_question(" Why? ", []) == "Why?"


def test_where_no_question_stands_alone_the_last_one_helps() -> None:
    assert standalone_question("Why?", [Turn("And then?")]) == "And then? ; Why?"
