"""Statements of a quote's own words: those that are told true are so, and the others are not."""

from __future__ import annotations

import random

import pytest

from rag.training.contrasts import contrasted, declarative, framed

TEXT = (
    "It rained. Maria Holt designed the bridge over the Arle in 1931, and Tom Reyes opened it in 1933. Nobody crossed "
    "it for years."
)


def place(words: str) -> tuple[int, int]:
    return TEXT.index(words), TEXT.index(words) + len(words)


@pytest.mark.parametrize(
    ("question", "answer", "said"),
    [
        ("Who designed the bridge?", "Maria Holt", "Maria Holt designed the bridge."),
        ("What country won the cup in 1930?", "Uruguay", "Uruguay won the cup in 1930."),
        ("When did Ann Berg die?", "1890", "Ann Berg did die in 1890."),
        ("In what city was Ann Berg born?", "Lyon", "Ann Berg was born in Lyon."),
        ("When was the Serbian Revolution?", "1815", "The Serbian Revolution was in 1815."),
        ("where is the old library held", "at the bank", "The old library is held at the bank."),
        ("What did Tom Reyes want?", "a bridge", "Tom Reyes did want a bridge."),
        ("Who was the founder of the club?", "Otto Brandt", "Otto Brandt was the founder of the club."),
        ("How many prisoners survived the march?", "six", "Six prisoners survived the march."),
    ],
)
def test_a_question_becomes_a_sentence_with_its_answer(question: str, answer: str, said: str) -> None:
    assert declarative(question, answer) == said


@pytest.mark.parametrize("question", ["Why was it closed?", "What kind of crime is it?", "What did Landrum do?"])
def test_a_question_that_cannot_be_turned_is_left_alone(question: str) -> None:
    assert declarative(question, "the flood") is None


def test_half_of_the_statements_have_something_else_of_the_sentence_in_the_answers_place() -> None:
    designed, opened = place("1931"), place("1933")
    asked, peers = "When was the bridge designed?", [opened, place("Maria Holt")]
    made = {contrasted(random.Random(seed), TEXT, asked, [designed], peers) for seed in range(40)}
    sentence = TEXT[11 : TEXT.index(" Nobody")]
    assert made == {
        ("The bridge was designed in 1931.", sentence, True),
        ("The bridge was designed in 1933.", sentence, False),
    }


def test_two_who_did_something_to_each_other_are_exchanged_where_that_is_false() -> None:
    text = "On the flight home Maria Holt called Tom Reyes, Otto Brandt said."
    golds, who = [(19, 29)], "Who called Tom Reyes?"
    made = {contrasted(random.Random(seed), text, who, golds, ()) for seed in range(60)} - {None}
    assert {(said, true) for said, _, true in made if said} == {
        ("Maria Holt called Tom Reyes.", True),
        ("Tom Reyes called Maria Holt.", False),
        ("Otto Brandt called Tom Reyes.", False),
    }
    mutual = text.replace("called", "met")
    made = {contrasted(random.Random(seed), mutual, "Who met Tom Reyes?", golds, ()) for seed in range(60)} - {None}
    assert "Tom Reyes met Maria Holt." not in {said for said, _, _ in made if said}


def test_no_statement_is_made_of_what_another_sentence_says() -> None:
    asked = "Who opened the first library of the whole country?"
    assert contrasted(random.Random(0), TEXT, asked, [place("Tom Reyes")], [place("Maria Holt")]) is None


def test_what_others_deny_or_hope_is_not_said() -> None:
    made = {framed(random.Random(seed), "The dam is safe.") for seed in range(400)}
    assert ("It is not true that the dam is safe.", False) in made
    assert ("It is well known that the dam is safe.", True) in made
    assert all("the dam is safe" in quote for quote, _ in made)
    assert framed(random.Random(0), "Maria Holt left.")[0].count("Maria Holt left") == 1
