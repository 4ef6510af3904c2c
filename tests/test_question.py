import pytest

from rag.answer.question import (
    MAX_ANSWER_WORDS,
    asks_overview,
    parts,
    question_in_context,
    standalone_question,
    stands_alone,
    understand,
)
from rag.types import REFUSALS, Turn


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
        "Tell me more about that",
        "can you explain that in more detail?",
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
    for nothing in REFUSALS:
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
        (
            "How do Ann Lee and the old ferry master each see the ban?",
            ["How do Ann Lee see the ban?", "How do the old ferry master see the ban?"],
        ),
        ("What happened between 1914 and 1918?", []),
        ("Who wrote Pride and Prejudice?", []),
        ("what is bread", []),
    ],
)
def test_a_compound_question_asks_each_of_its_parts(question: str, asked: list[str]) -> None:
    assert parts(question) == asked


@pytest.mark.parametrize(
    "question",
    [
        "What is the article about?",
        "what's this about",
        "What is this text all about?",
        "Summarize the article, please.",
        "summarise it",
        "Give me a short summary of the article",
        "tl;dr",
        "What are the main points?",
        "the key facts in this report",
        "What happened?",
        "What does the article say?",
    ],
)
def test_a_question_about_the_whole_is_known(question: str) -> None:
    assert asks_overview(question)


@pytest.mark.parametrize(
    "question",
    [
        "What does the article say about owls?",
        "What is the article about owls called?",
        "What happened in Hanoi?",
        "What happened to the mill?",
        "Who wrote the summary of the report?",
        "What is the main point of the treaty?",
        "What is the key to the door?",
        "Write a poem about the article",
        "Summarize the history of France",
        "What was it about the owl that frightened him?",
        "",
    ],
)
def test_a_question_about_something_in_it_is_not(question: str) -> None:
    assert not asks_overview(question)


@pytest.mark.parametrize(
    ("question", "back"),
    [
        ("Who founded it?", True),
        ("who called it political?", True),
        ("Was there anyone opposed to him in this?", True),
        ("And the mayor?", True),
        ("How many people lost their homes?", False),
        ("Why did Maria Holt leave her firm?", False),
        ("Did the mayor say why he left?", False),
        ("Is it true that the dam was repaired?", False),
    ],
)
def test_a_pronoun_points_back_where_no_noun_is_before_it(question: str, back: bool) -> None:
    assert understand(question, [Turn("Who was Ada Lovelace?", "A mathematician.")]).points_back is back


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ("and the mayor?", "What about the mayor?"),
        ("But the other side ?", "What about the other side?"),
        ("and what did the mayor say?", "and what did the mayor say?"),
        ("and did the mayor come?", "and did the mayor come?"),
        ("and then?", "and then?"),
        ("and that is all, or so he said, of the mayor?", "and that is all, or so he said, of the mayor?"),
        ("What about the mayor?", "What about the mayor?"),
    ],
)
def test_a_writer_is_asked_whole_questions(asked: str, told: str) -> None:
    assert understand(asked, [Turn("What did the ferryman say?", "That it was late.")]).told == told


def test_a_question_is_understood_once() -> None:
    history = [Turn("Who was Ada Lovelace?", "A poet's daughter.")]
    question = understand(" Where was she\nborn and when? ", history)
    assert question.asked == "Where was she born and when?"
    assert question.standalone == "Who was Ada Lovelace? ; Where was she born and when?"
    assert question.in_context == "Who was Ada Lovelace? ; A poet's daughter. ; Where was she born and when?"
    assert not question.about_whole
    assert understand("What happened?").about_whole
    assert not understand("What happened?", history).about_whole
    assert understand("Who won and when?").parts == ("Who won", "Who won ; when?")
    assert understand("Who won and when?").apart == ()  # "when?" alone is no question
    assert [part.asked for part in understand("What do Kim and Moon want?").apart] == [
        "What do Kim want?",
        "What do Moon want?",
    ]
    assert understand("What do they and Moon want?", [Turn("Who came?", "Two did.")]).apart == ()


def test_what_happened_to_something_is_asked_of_that_alone() -> None:
    history = [Turn("Who built the mill?", "Clara Lindt built the mill. [1]")]
    asked = understand("what happened to it?", history)
    assert (asked.leans, asked.at_length, asked.wants_more) == (True, False, False)
    assert understand("what else happened?", history).wants_more
