from __future__ import annotations

import random

from rag.training.data import Question
from rag.training.dialogues import ELLIPSES, asked_in_dialogue, follow_up

PARAGRAPH = (
    "Clara Lindt studied in Bern until 1901. In 1904 she married Otto Brandt in a small chapel by the lake. "
    "Her first novel sold badly. Her teacher praised it."
)


def question(text: str, answer: str) -> Question:
    start = PARAGRAPH.index(answer)
    return Question(text, text, 0, ((start, start + len(answer)),))


BERN = question("Where did Clara Lindt study?", "Bern")
HUSBAND = question("Who was it that Clara Lindt married?", "Otto Brandt")
YEAR = question("When did Clara Lindt marry?", "1904")
TEACHER = question("Who praised her first novel?", "Her teacher")


def test_a_follow_up_names_by_pronoun_what_the_earlier_question_named() -> None:
    earlier = "Where did Clara Lindt study?"
    paragraph = "She left. Her teacher praised her."
    assert follow_up("When did Clara Lindt marry?", earlier, paragraph) == "When did she marry?"
    assert follow_up("What was Clara Lindt's first book?", earlier, paragraph) == "What was her first book?"
    assert follow_up("When did Otto marry?", earlier, paragraph) == "When did Otto marry?"


def test_a_question_is_asked_after_another_and_its_answer() -> None:
    made = [asked_in_dialogue(random.Random(seed), YEAR, [BERN, YEAR], PARAGRAPH) for seed in range(60)]
    after_bern = [asked for asked in made if asked.earlier == (BERN.text,)]
    assert {asked.text for asked in after_bern} == {"When did she marry?"}
    assert {asked.answer for asked in after_bern} == {"", "Bern", "Clara Lindt studied in Bern until 1901."}
    assert all(asked.spans == YEAR.spans for asked in after_bern)


def test_a_request_for_more_is_answered_by_the_next_sentence() -> None:
    made = [asked_in_dialogue(random.Random(seed), YEAR, [YEAR], PARAGRAPH) for seed in range(60)]
    more = [asked for asked in made if asked.text != YEAR.text]
    assert more
    for asked in more:
        (start, end), *rest = asked.spans
        assert (PARAGRAPH[start:end], rest) == ("Her first novel sold badly.", [])
        assert asked.earlier == (YEAR.text,)
        assert asked.answer.startswith(("1904", "In 1904"))


def test_the_last_sentence_has_nothing_after_it() -> None:
    made = [asked_in_dialogue(random.Random(seed), TEACHER, [TEACHER], PARAGRAPH) for seed in range(60)]
    assert {asked.text for asked in made} == {TEACHER.text}


def test_half_sentences_are_asked_about_the_sentence_that_was_just_quoted() -> None:
    near = [asked_in_dialogue(random.Random(seed), YEAR, [HUSBAND, YEAR], PARAGRAPH) for seed in range(200)]
    far = [asked_in_dialogue(random.Random(seed), YEAR, [BERN, YEAR], PARAGRAPH) for seed in range(200)]
    assert {asked.text for asked in near} >= set(ELLIPSES["when"])
    assert {asked.text for asked in far}.isdisjoint(ELLIPSES["when"])
