from __future__ import annotations

import random

import pytest

from rag.training import augment
from rag.training.augment import Marked
from rag.training.offtask import as_yes_no, off_task

TEXT = (
    "Mr. Trump's plane left Hanoi at 4 p.m. on Thursday; talks had “ended early”. Mr. Kim, who’d asked for relief from "
    "the sanctions, stayed until Saturday. Ri Yong-ho spoke to the press — it was past midnight — and named the price."
)
ANSWERS = ("Hanoi", "Mr. Kim, who’d asked", "“ended early”", "the price", "Mr. Trump's", "— it was past midnight —")


def words(text: str) -> list[str]:
    return augment.strip(Marked(text, ())).text.split()


def marked(*answers: str) -> Marked:
    return Marked(TEXT, tuple((TEXT.index(a), TEXT.index(a) + len(a)) for a in answers))


@pytest.mark.parametrize("answer", ANSWERS)
@pytest.mark.parametrize("seed", range(20))
def test_whatever_is_done_to_a_text_its_spans_point_at_the_answer(answer: str, seed: int) -> None:
    random_ = random.Random(seed)
    changed = augment.join("Before that, rain.", marked(answer), "After that, snow." * random_.randint(0, 3))
    assert [changed.text[a:b] for a, b in changed.spans] == [answer]
    changed = augment.crop(random_, changed, random_.randint(1, 40), keep=changed.spans[0])
    assert [changed.text[a:b] for a, b in changed.spans] == [answer]
    changed = augment.strip(changed)
    assert [changed.text[a:b].split() for a, b in changed.spans] == [words(answer)]


def test_a_crop_drops_the_spans_that_it_cuts() -> None:
    both = marked("Hanoi", "the price")
    assert len(augment.crop(random.Random(0), both, 12, keep=both.spans[0]).spans) == 1


@pytest.mark.parametrize("seed", range(10))
def test_beside_an_answer_nothing_of_it_is_left(seed: int) -> None:
    beside = augment.without_answers(random.Random(seed), marked("Hanoi", "the price"), 20, least=5)
    assert beside is not None
    assert beside.spans == ()
    assert "Hanoi" not in beside.text
    assert "the price" not in beside.text
    assert beside.text in TEXT


def test_stripping_writes_text_as_transcripts_do() -> None:
    stripped = augment.strip(Marked("Mr. Trump's\n\n“ended early”!", ())).text
    assert stripped == "mr trump s ended early "


def test_swapping_changes_a_name_that_the_text_tells_apart() -> None:
    random_ = random.Random(0)
    swapped = augment.swap(random_, "When did Ri Yong-ho speak?", "When did Mike Pompeo speak?", "Ri Yong-ho spoke")
    assert swapped == "When did Mike Pompeo speak?"
    assert augment.swap(random_, "When did Ri Yong-ho speak?", "Who spoke?", "Ri Yong-ho spoke") is None


def test_a_statement_becomes_a_yes_no_question() -> None:
    assert as_yes_no("Filming for the movie was delayed.") == "was Filming for the movie delayed?"
    assert as_yes_no("Pope Innocent served over 20 years.").endswith("Pope Innocent served over 20 years?")


def test_off_task_requests_are_filled_in() -> None:
    made = [off_task(random.Random(seed), "the harbour", "who left?") for seed in range(300)]
    assert any("the harbour" in request for request in made)
    assert not any("{" in request for request in made)


def test_a_span_outside_its_text_is_refused() -> None:
    with pytest.raises(ValueError, match="lies outside"):
        Marked("short", ((0, 9),))


@pytest.mark.parametrize(
    ("question", "reason"),
    [
        ("Why did the talks end?", True),
        ("for what reason did he leave", True),
        ("What caused the fire?", True),
        ("How did the mill burn down?", True),
        ("How many mills were there?", False),
        ("Who left?", False),
        ("When was the whyte mill built?", False),
    ],
)
def test_questions_about_reasons_are_told_from_others(question: str, reason: bool) -> None:
    assert augment.asks_reason(question) == reason


def test_a_formal_question_is_also_asked_as_people_do() -> None:
    made = {augment.casual(random.Random(n), "What is the reason the mill burned?") for n in range(40)}
    assert {"Why the mill burned?", "What is the reason the mill burned?", "why the mill burned"} <= made
    assert "How it burned?" in {augment.casual(random.Random(n), "In what manner it burned?") for n in range(40)}
