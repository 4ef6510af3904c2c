"""What a reply is worth, by cases that a person can check."""

from __future__ import annotations

from typing import Any

import pytest
from fakes import FakeEmbedder, OverlapChecker

from benchmarks.measures import figures, refuses, score
from benchmarks.support import Support
from rag.evaluation.questions import Question
from rag.types import Document, Span

TEXT = "The ferry was two hours late. The pilot had fallen asleep. Repairs cost 40 million crowns."
DOCUMENT = Document("harbour", "Harbour", TEXT, "")
COST = Question("1", "What do repairs cost?", (Span(TEXT.index("40"), TEXT.index(" crowns")),))
NAME = Question("2", "What is the name of the pilot?", ())


def reply(text: str, *evidence: str, **others: Any) -> dict[str, Any]:
    times = {"first_evidence_s": 0.1, "first_word_s": 1.0, "total_s": 2.0}
    told = {"system": "parrot", "text": text, "evidence": list(evidence), "read_tokens": 100, "peak_mb": 500.0}
    return {**told, **times, **others}


@pytest.mark.parametrize(
    "text",
    [
        "The article does not say.",
        "The article doesn't explicitly mention the pilot's name.",
        "I don't know.",
        "I'm sorry, but the context does not contain that.",
        "The name of the pilot is not mentioned in the article.",
        "There is no information about the pilot's name in the provided context.",
        "The provided text does not specify who it was. It may have been the mate.",
        "Don't know.",
        "Not mentioned.",
        "",
    ],
)
def test_a_refusal_is_known_in_whatever_words(text: str) -> None:
    assert refuses(text)


@pytest.mark.parametrize(
    "text",
    [
        "The pilot did not say when he would be back.",
        "No, the ferry was not on time.",
        "Nobody knows why; she did not explain it to the board.",
        "Repairs cost 40 million crowns. The article does not say who pays.",
        "The number of letters did not matter, an officer said.",
        "Hallin said she does not know the cause.",
    ],
)
def test_what_somebody_denies_in_the_article_is_no_refusal(text: str) -> None:
    assert not refuses(text)


def test_a_right_answer_with_its_evidence() -> None:
    one = score("f", DOCUMENT, COST, reply("They cost 40 million.", "Repairs cost 40 million crowns."))
    assert (one.contains, one.right, one.hit, one.refused, one.invented) == (True, True, True, False, False)
    assert one.valid == (True,)
    assert one.words == 4


def test_what_must_be_mentioned_decides_where_there_is_some() -> None:
    asked = Question("1", "What?", COST.golds, must_mention=(("40", "forty"), ("crowns",)))
    assert not score("f", DOCUMENT, asked, reply("It costs 40 million.")).right
    assert score("f", DOCUMENT, asked, reply("Forty million crowns.")).right


def test_evidence_from_elsewhere_is_neither_hit_nor_valid_and_its_names_are_invented() -> None:
    one = score("f", DOCUMENT, COST, reply("Oslo pays 50 million.", "Repairs cost 41 million crowns."))
    assert (one.right, one.hit, one.valid, one.invented) == (False, False, (False,), True)


def test_each_place_where_the_evidence_stands_may_be_the_hit() -> None:
    document = Document("d", "D", "It is so. It is so.", "")
    asked = Question("1", "Is it?", (Span(10, 19),))
    assert score("f", document, asked, reply("Yes.", "It is so.")).hit


def test_a_refusal_is_right_only_where_there_is_no_answer() -> None:
    refusal = reply("The article does not say.")
    found = figures([score("f", DOCUMENT, question, refusal) for question in (COST, NAME)])
    assert (found.refused_rightly, found.refused_wrongly, found.balanced, found.right) == (1, 1, 0.5, 0)
    assert found.words is None


def test_figures_over_answers_leave_refusals_out() -> None:
    replies = [
        score("f", DOCUMENT, COST, reply("40 million.", "Repairs cost 40 million crowns.", total_s=4.0)),
        score("f", DOCUMENT, NAME, reply("The article does not say.", first_evidence_s=None, peak_mb=700.0)),
    ]
    found = figures(replies, starts=[5.0, 7.0], prepared=[1.0])
    assert (found.words, found.evidence_words, found.valid, found.balanced) == (2, 5, 1, 1)
    assert (found.total_s_p50, found.first_evidence_s_p50, found.peak_mb) == (3.0, 0.1, 700.0)
    assert (found.start_s, found.prepare_s, found.prompt_tokens) == (6.0, 1.0, 100)


def test_a_sentence_is_as_supported_as_by_the_best_sentences_however_much_is_shown() -> None:
    support = Support(OverlapChecker(), FakeEmbedder())
    said = "The pilot had fallen asleep. Oslo pays the water board."
    alone, among = support.of("Why?", said, ["The pilot had fallen asleep."]), support.of("Why?", said, [TEXT])
    assert alone[0] == among[0] > 0.9
    assert among[1] < 0.5
    assert support.of("Why?", said, []) == (0.0, 0.0)
