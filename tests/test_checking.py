from collections.abc import Sequence
from dataclasses import replace

import pytest
from fakes import OverlapChecker, OverlapReader

from rag.answer.attribution import Attributor
from rag.answer.checking import (
    LEAST_ANSWERING,
    LEAST_CHANCE,
    LEAST_CHANCE_OF_STRANGERS,
    LEAST_SUPPORTED,
    LIKELY,
    OTHERS,
    Features,
    Judge,
)
from rag.answer.drafts import Draft, Written
from rag.answer.question import understand
from rag.answer.retrieval import retrieve
from rag.library.index import PassageIndex
from rag.models.checker import Claim, Verdict
from rag.types import Reading, Turn

QUESTION = understand("Who founded the maritime museum?")


def written(index: PassageIndex, text: str) -> Written:
    return Attributor(index).attribute(text, retrieve(index, QUESTION.asked, k=3), QUESTION.in_context)


def reading(index: PassageIndex) -> Reading:
    return OverlapReader().read(QUESTION.asked, index.documents, retrieve(index, QUESTION.asked, k=3), max_quotes=3)


def judge(index: PassageIndex, writer: str = "standard") -> Judge:
    return Judge(index, OverlapReader(), OverlapChecker(), writer)


def is_right(judge: Judge, index: PassageIndex, draft: Draft) -> bool:
    sentence = written(index, draft.text)
    return judge.is_right(QUESTION, sentence, judge.chance(QUESTION, draft, sentence, reading(index)))


def features(index: PassageIndex, text: str, **draft: float) -> Features:
    told = Draft(text, draft.get("confidence", -0.1), draft.get("refusal", -8.0))
    return Judge(index, OverlapReader(), OverlapChecker(), "standard").examine(
        QUESTION, told, written(index, text), reading(index)
    )


def test_what_is_said_in_the_article_is_covered_and_what_is_invented_is_not(index: PassageIndex) -> None:
    right = features(index, "Clara Lindt founded the maritime museum in 1911.")
    wrong = features(index, "Otto Brandt built the maritime museum in 1912 with his own money.")
    assert right.covered == 1
    assert right.particulars == 0
    assert wrong.covered < 0.6
    assert wrong.particulars == -3  # Otto, Brandt, 1912
    assert right.closeness > wrong.closeness
    assert right.agreement >= wrong.agreement


def test_the_writers_own_doubts_are_seen(index: PassageIndex) -> None:
    said = "Clara Lindt founded the maritime museum in 1911."
    sure, unsure = features(index, said), features(index, said, refusal=-0.5, confidence=-1.5)
    assert (sure.refusal, unsure.refusal) == (4.0, 0.5)  # what is unlikely enough was not thought of
    assert sure.confidence > unsure.confidence
    assert replace(unsure, refusal=sure.refusal, confidence=sure.confidence) == sure


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Clara Lindt founded the maritime museum in 1911.", True),
        ("Clara Lindt founded the maritime museum in 1912.", False),
        ("Otto Brandt founded the maritime museum in 1911.", False),
    ],
)
def test_what_has_an_invented_name_or_number_is_never_shown(index: PassageIndex, text: str, shown: bool) -> None:
    draft = Draft(text, -0.05, -9.0)
    assert is_right(judge(index), index, draft) is shown


def test_a_writer_without_a_judge_of_its_own_is_judged_as_others_are(index: PassageIndex) -> None:
    seen = features(index, "Clara Lindt founded the maritime museum in 1911.")
    chances = {judge(index, name).probability(seen) for name in (OTHERS, "another-7b")}
    assert len(chances) == 1
    assert 0.5 < chances.pop() < 1


class SureOf:
    """Gives every claim these probabilities to be said by its quotes, and to answer."""

    def __init__(self, supported: float, answers: float = 1.0) -> None:
        self.supported, self.answers = supported, answers
        self.claims: list[Claim] = []

    def check(self, claims: Sequence[Claim]) -> list[Verdict]:
        self.claims += claims
        return [Verdict(self.supported, self.answers) for _ in claims]


@pytest.mark.parametrize(("supported", "right", "said"), [(0.02, False, False), (0.1, True, False), (0.6, True, True)])
def test_what_its_sources_do_not_say_is_not_shown(
    index: PassageIndex, supported: float, right: bool, said: bool
) -> None:
    text = "Clara Lindt founded the maritime museum in 1911."
    checker = SureOf(supported)
    judge, sentence = Judge(index, OverlapReader(), checker, "standard"), written(index, text)
    assert is_right(judge, index, Draft(text, -0.05, -9.0)) is right
    assert judge.is_said(QUESTION, sentence) is said
    assert checker.claims == [Claim(QUESTION.in_context, text, text), Claim("", text, text)]
    assert not judge.is_said(QUESTION, Written(text, ()))


def test_what_is_true_and_does_not_answer_is_not_shown_but_in_an_account(index: PassageIndex) -> None:
    text = "Clara Lindt founded the maritime museum in 1911."
    for answers, shown in [(LEAST_ANSWERING / 2, False), (LEAST_ANSWERING, True)]:
        judge = Judge(index, OverlapReader(), SureOf(0.9, answers), "standard")
        assert judge.is_right(QUESTION, written(index, text), 0.5) is shown
        assert judge.is_said(QUESTION, written(index, text))


@pytest.mark.parametrize(
    ("chance", "supported", "answers", "shown"),
    [
        (LIKELY, LEAST_SUPPORTED / 2, LEAST_ANSWERING / 2, True),
        (LIKELY, LEAST_SUPPORTED / 9, 1.0, False),
        (LIKELY, 1.0, LEAST_ANSWERING / 9, False),
        (LIKELY - 0.01, LEAST_SUPPORTED / 2, 1.0, False),
    ],
)
def test_of_what_the_judge_finds_likely_the_checker_need_be_less_sure(
    index: PassageIndex, chance: float, supported: float, answers: float, shown: bool
) -> None:
    judge = Judge(index, OverlapReader(), SureOf(supported, answers), "standard")
    sentence = written(index, "Clara Lindt founded the maritime museum in 1911.")
    assert judge.is_right(QUESTION, sentence, chance) is shown


def test_a_question_that_leans_is_checked_with_and_without_the_answer_before_it(index: PassageIndex) -> None:
    class Mistaken(SureOf):
        def check(self, claims: Sequence[Claim]) -> list[Verdict]:
            self.claims += claims
            return [Verdict(0.0, 0.9) if "Basel" in claim.question else Verdict(0.9, 0.0) for claim in claims]

    text, checker = "Clara Lindt founded the maritime museum in 1911.", Mistaken(1.0)
    asked = understand("When did she found it?", [Turn("Where did the museum move?", "To Basel.")])
    assert Judge(index, OverlapReader(), checker, "standard").is_right(asked, written(index, text), 0.9)
    assert [claim.question for claim in checker.claims] == [asked.in_context, asked.standalone]


def test_a_denial_follows_from_its_sources(index: PassageIndex) -> None:
    judge = Judge(index, OverlapReader(), SureOf(0.02), "standard")
    for text, shown in [
        ("No, Clara Lindt did not found the maritime museum in 1911.", True),
        ("No, Clara Lindt cannot found the maritime museum in 1911.", True),
        ("No, Otto Brandt did not found the maritime museum in 1911.", False),  # invented
        ("No, Clara Lindt founded the maritime museum in 1911.", False),  # denies nothing that is said
        ("Yes, Clara Lindt founded the maritime museum in 1911.", False),
        ("Clara Lindt founded the maritime museum in 1911 because it was not there.", False),  # a reason is a claim
        ("Clara Lindt did not found the maritime museum because it was there in 1911.", True),
    ]:
        assert is_right(judge, index, Draft(text, -0.05, -9.0)) is shown


def test_who_is_named_by_the_question_alone_must_be_likely_right(index: PassageIndex) -> None:
    judge = Judge(index, OverlapReader(), SureOf(0.9), "standard")
    asked = understand("When did Otto Brandt found the maritime museum?")

    def shown(text: str, chance: float) -> bool:
        return judge.is_right(asked, written(index, text), chance)

    stranger, known = ("Otto Brandt founded the maritime museum.", "Clara Lindt founded the maritime museum.")
    assert not shown(stranger, LEAST_CHANCE_OF_STRANGERS - 0.1)
    assert shown(stranger, LEAST_CHANCE_OF_STRANGERS)
    assert shown(known, LEAST_CHANCE)
    assert shown("No, Otto Brandt did not found the maritime museum.", LEAST_CHANCE)


def test_a_writer_that_tells_no_probabilities_is_judged_by_the_other_witnesses(index: PassageIndex) -> None:
    right, invented = (
        "Clara Lindt founded the maritime museum in 1911.",
        "Otto Brandt founded the maritime museum in 1911.",
    )
    for text, shown in [(right, True), (invented, False)]:
        silent = judge(index).examine(QUESTION, Draft(text, None, None), written(index, text), reading(index))
        assert (silent.refusal, silent.confidence) == (None, None)
        sure, unsure = features(index, text, refusal=-12.0), features(index, text, refusal=0.0)
        assert judge(index).probability(unsure) < judge(index).probability(silent) < judge(index).probability(sure)
        assert is_right(judge(index), index, Draft(text, None, None)) is shown
