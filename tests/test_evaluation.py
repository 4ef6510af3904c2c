import json
from collections.abc import Sequence
from dataclasses import replace

import pytest
from fakes import ScriptedModel

from rag.answer.pipeline import Pipeline
from rag.evaluation.metrics import contains, hit, invented_in, is_verbatim, mentions, squad_words, token_f1
from rag.evaluation.questions import Item, Question
from rag.evaluation.reports import Outcome, evaluate, report, stage_times
from rag.library.collections import Library
from rag.types import NO_ANSWER, Answer, Citation, Document, Span, Statement

DOCUMENT = Document("d", "D", "Ann met Bob in Oslo. The dam cost 40 crowns. Nobody else came.", "d.txt")
#                              0         10        20        30        40


def cite(start: int, end: int, number: int = 1, *, text: str | None = None) -> Citation:
    quote = DOCUMENT.text[start:end] if text is None else text
    return Citation(number, "d", "D", start, end, quote, 0.9)


def says(text: str, *numbers: int) -> Statement:
    return Statement(text, numbers or (1,))


def shown(*said: Statement, cited: Sequence[Citation], short: str | None = None, **timings: float) -> Answer:
    return Answer("q?", "q?", said, short_answer=short, citations=tuple(cited), timings_ms=timings)


ABSTAINED = Answer("q?", "q?", refusal=NO_ANSWER)
FIRST, SECOND = cite(0, 20), cite(21, 44, 2)


def outcome(answer: Answer, golds: Sequence[tuple[int, int]]) -> Outcome:
    return Outcome(DOCUMENT, Question("1", "q?", tuple(Span(*gold) for gold in golds)), answer)


def test_squad_words_are_lower_case_without_punctuation_and_articles() -> None:
    assert squad_words("The “Dam”, a co-op’s_own: an $40 theatre.") == ["dam", "coopsown", "40", "theatre"]


@pytest.mark.parametrize(
    ("predicted", "expected", "f1"),
    [
        ("in Oslo", "Oslo", 2 / 3),  # precision 1/2, recall 1
        ("The dam", "dam.", 1),
        ("Bob Bob", "Bob", 2 / 3),  # a word counts as often as it is expected
        ("Ann", "Bob", 0),
        ("", "Bob", 0),
        ("the", "a", 1),  # both without a word
    ],
)
def test_token_f1(predicted: str, expected: str, f1: float) -> None:
    assert token_f1(predicted, expected) == pytest.approx(f1)


def test_a_hit_is_an_overlap_with_any_expected_place() -> None:
    question = Question("1", "q?", (Span(15, 19), Span(50, 60)))
    assert hit(question, [FIRST])
    assert not hit(question, [SECOND])
    assert hit(question, [SECOND, cite(59, 61, 3)])
    assert not hit(question, [cite(19, 25)])  # they touch, and share nothing
    assert not hit(question, [])


def test_a_citation_is_valid_where_its_quote_stands_where_it_says() -> None:
    assert DOCUMENT.cites(FIRST)
    assert not DOCUMENT.cites(cite(1, 20, text="Ann met Bob in Oslo"))
    assert not replace(DOCUMENT, id="other").cites(FIRST)


def test_verbatim_answers_are_told_from_drafts() -> None:
    assert is_verbatim(shown(says("Ann met Bob in Oslo."), cited=[FIRST]))
    assert not is_verbatim(shown(says("Ann met Bob."), cited=[FIRST]))
    assert is_verbatim(shown(says("Ann [2] met"), cited=[cite(0, 12, text="Ann [2]\n met")]))


def test_invented_names_and_numbers_are_those_that_the_cited_quotes_lack() -> None:
    both = [FIRST, SECOND]
    assert invented_in(shown(says("Ann met Bob."), says("The dam cost 40 crowns.", 2), cited=both)) == set()
    assert invented_in(shown(says("Yes, Ann met Bob for 41.", 2), cited=both)) == {"ann", "bob", "41"}
    assert invented_in(shown(says("Ann met Bob for 40 crowns.", 1, 2), cited=both)) == set()
    assert invented_in(shown(says("Ann met Carl."), cited=[FIRST])) == {"carl"}


def test_stage_times_are_percentiles_of_the_questions_that_had_the_stage() -> None:
    answers = [shown(cited=[], read=float(ms), total=ms + 1.0) for ms in range(101)]
    answers[0] = shown(cited=[], read=0.0, write=7.0, total=1.0)
    times = stage_times(answers)
    assert list(times) == ["read", "write", "total"]
    assert (times["read"].p50, times["read"].p95) == (50, 95)
    assert (times["write"].p50, times["write"].p95) == (7, 7)


def test_the_report_against_values_computed_by_hand() -> None:
    figures = report(
        [
            outcome(shown(says("Ann met Bob in Oslo."), cited=[FIRST, SECOND], short="Oslo"), [(15, 19)]),
            outcome(
                shown(says("It cost 40 francs."), cited=[FIRST, SECOND]), [(34, 36)]
            ),  # hit by the second quote only
            outcome(ABSTAINED, [(0, 3)]),
            outcome(ABSTAINED, []),
            outcome(shown(says("Ann met Bob."), cited=[cite(0, 20, text="Ann met Bob at noon.")]), []),
        ]
    )
    assert (figures.documents, figures.questions, figures.answerable, figures.answered) == (1, 5, 3, 3)
    assert figures.hit == pytest.approx(2 / 3)
    assert figures.hit_at_1 == pytest.approx(1 / 3)
    assert figures.short_answer_f1 == pytest.approx(1 / 3)
    # "ann met bob in oslo" for "oslo": 2 / 6; "it cost 40 francs" for "40": 2 / 5; abstained: 0
    assert figures.answer_f1 == pytest.approx((2 / 6 + 2 / 5) / 3)
    assert figures.words_shown == 10  # 5 + 5 words, both times
    assert figures.citation_validity == pytest.approx(4 / 5)
    assert figures.refused_rightly == pytest.approx(1 / 2)
    assert figures.refused_wrongly == pytest.approx(1 / 3)
    assert figures.balanced_accuracy == pytest.approx((1 / 2 + 2 / 3) / 2)
    assert figures.contains == pytest.approx(2 / 3)
    assert figures.mentions is None
    assert figures.words_said == pytest.approx((5 + 4) / 2)
    assert figures.written == pytest.approx(2 / 3)
    assert figures.invented == 1  # 40 is not in the cited first quote
    assert figures.kinds == {}
    assert json.loads(json.dumps(figures.to_json()))["hit"] == 0.6667


@pytest.mark.parametrize(
    ("said", "expected", "found"),
    [
        ("It cost the 40 million.", "40 million", True),
        ("It cost 40 or 50 million.", "40 million", False),
        ("It cost 140 million.", "40 million", False),
        ("Anything", "the", False),
    ],
)
def test_an_answer_contains_the_expected_words_in_a_row(said: str, expected: str, found: bool) -> None:
    assert contains(said, expected) is found


def test_an_answer_mentions_one_of_each_of_the_alternatives_as_whole_words() -> None:
    must = (("sanctions", "embargo"), ("$15",))
    assert mentions("The Embargo cost them $15.", must)
    assert not mentions("The embargo cost them $150.", must)
    assert not mentions("They paid $15.", must)


def test_kinds_of_questions_are_told_apart() -> None:
    def of(kind: str, golds: list[tuple[int, int]], answer: Answer, *must: tuple[str, ...]) -> Outcome:
        return Outcome(DOCUMENT, Question("1", "q?", tuple(Span(*g) for g in golds), (), kind, must), answer)

    met = shown(says("Ann met Bob."), cited=[FIRST])
    figures = report(
        [
            of("who", [(0, 3)], met),
            of("who", [(0, 3)], met, ("Carl",)),
            of("why", [(0, 3)], ABSTAINED),
            of("no", [], ABSTAINED),
            of("no", [], met),
        ]
    )
    assert {name: (k.questions, k.right, k.refused) for name, k in figures.kinds.items()} == {
        "who": (2, 0.5, 0),
        "why": (1, 0, 1),
        "no": (2, None, 0.5),
    }
    assert figures.mentions == 0
    assert [line.split() for line in figures.table().splitlines() if line.startswith("no ")] == [
        ["no", "2", "-", "0.500"]
    ]


def test_what_was_not_measured_is_none_and_a_dash() -> None:
    figures = report([outcome(ABSTAINED, [(0, 3)])])
    assert figures.refused_rightly is None
    assert figures.balanced_accuracy is None
    assert figures.citation_validity is None
    assert figures.words_shown is None
    assert figures.short_answer_f1 is None
    assert figures.hit == 0
    row = next(line for line in figures.table().splitlines() if line.startswith("balanced accuracy"))
    assert row.split()[2] == "-"


def test_evaluate_asks_each_document_alone(pipeline: Pipeline, model: ScriptedModel, library: Library) -> None:
    ferry = "The ferry sank near Turku in 1890. Nobody was hurt."
    lake = "The lake froze in January. Skaters crossed it for weeks."
    items = [
        Item(Document("a", "A", ferry, "a"), (Question("a1", "Where was the ferry that sank near?", (Span(20, 25),)),)),
        Item(
            Document("b", "B", lake, "b"),
            (Question("b1", "What froze in January?", (Span(4, 8),)), Question("b2", "Which ferry sank?", ())),
        ),
    ]
    model.replies = ["The ferry sank near Turku.", "", ""]
    seen: list[Outcome] = []
    figures = evaluate(pipeline, items, library.index_of, seen.append)
    assert [o.question.id for o in seen] == ["a1", "b1", "b2"]
    assert {citation.document_id for citation in seen[0].answer.citations} == {"a"}
    assert {found.passage.document_id for found in seen[1].answer.passages} == {"b"}
    assert seen[0].answer.text == "The ferry sank near Turku. [1]"
    assert figures.hit == 1
    assert figures.citation_validity == 1
    assert figures.documents == 2
    assert figures.model["llm"] == "scripted"
    assert set(figures.timings_ms) >= {"retrieve", "read", "total"}
