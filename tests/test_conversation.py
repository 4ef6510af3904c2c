import pytest

from rag.conversation import MAX_ANSWER_WORDS, parts, question_in_context, standalone_question, stands_alone
from rag.prompts import NO_ANSWER, NOTHING_ELSE
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


def test_in_context_a_question_that_leans_follows_the_last_question_and_answer() -> None:
    history = [
        Turn("Who was Ada Lovelace?", "A poet's daughter. [1]"),
        Turn("Did she marry?", "“She married a baron.” [1]"),
    ]
    asked = question_in_context("When was that?", history)
    assert asked == "Who was Ada Lovelace? ; Did she marry? ; She married a baron. ; When was that?"
    assert (
        question_in_context("Who was her father?", history[:1])
        == "Who was Ada Lovelace? ; A poet's daughter. ; Who was her father?"
    )
    assert question_in_context("What is the capital of France?", history) == "What is the capital of France?"


def test_in_context_a_refusal_is_left_out_and_a_long_answer_is_cut() -> None:
    for nothing in (NO_ANSWER, NOTHING_ELSE):
        assert question_in_context("Why?", [Turn("Who left?", nothing)]) == "Who left? ; Why?"
    words = question_in_context("Why?", [Turn("Who left?", "word " * 99)]).split(" ; ")[1].split()
    assert len(words) == MAX_ANSWER_WORDS


@pytest.mark.parametrize(
    ("question", "asked"),
    [
        ("who won and when?", ["who won", "who won ; when?"]),
        ("What did Kim say, and why did Moon leave?", ["What did Kim say", "why did Moon leave?"]),
        ("What did both Ann Lee and the mayor want?", ["What did Ann Lee want?", "What did the mayor want?"]),
        ("what did trump and kim disagree about", ["what did trump disagree about", "what did kim disagree about"]),
        ("Where were the fleet and its crew lost?", ["Where were the fleet lost?", "Where were its crew lost?"]),
        ("What happened between 1914 and 1918?", []),
        ("Who wrote Pride and Prejudice?", []),
        ("what is bread", []),
    ],
)
def test_a_compound_question_asks_each_of_its_parts(question: str, asked: list[str]) -> None:
    assert parts(question) == asked
