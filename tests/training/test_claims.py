"""What the checker learns from: every claim that is told true or false is so."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tiny import SHAPE
from tokenizers import Tokenizer

from rag.answer.question import understand
from rag.models.checker import Claim
from rag.models.checker_network import CheckerNetwork
from rag.training.claims import (
    UNKNOWN,
    Claims,
    Labelled,
    Shares,
    falsified,
    from_lesson,
    from_question,
    joined,
    nearest,
    read_statements,
)
from rag.training.data import Corpus
from rag.training.lessons import Lesson, Taught
from rag.training.train import Plan, Trainer
from rag.types import NO_ANSWER, Document, Span

QUOTES = "Maria Holt designed the bridge over the Arle in 1931, and Tom Reyes opened it in 1933."
MILL = "Otto Brandt sold the mill."
TEXT = f"{QUOTES} {MILL} It rained."
ON_BRIDGE, ON_MILL = Span(0, len(QUOTES)), Span(TEXT.index(MILL), TEXT.index(MILL) + len(MILL))
WHEN = Lesson(
    "When was it designed?", "Maria Holt designed it in 1931.", (ON_BRIDGE,), (), "Tom Reyes designed it in 1933.", ()
)
WHO = Lesson("and who sold the mill?", "Otto Brandt sold it.", (ON_MILL,), (), "", (WHEN.turn,))
PAID = Lesson("Who paid for the bridge over the Arle?", NO_ANSWER, (), (), "Maria Holt paid for the bridge.", ())
TAUGHT = Taught(Document("d", "The bridge", TEXT, "lessons.txt"), ((WHEN, WHO), (PAID,)))
RIGHT, OTHER = Claim(WHEN.question, WHEN.answer, QUOTES), Claim("Who sold the mill?", WHO.answer, MILL)


def test_a_falsified_statement_says_something_else() -> None:
    made = {falsified(random.Random(seed), WHEN.answer, QUOTES) for seed in range(40)}
    assert made <= {
        "Maria Holt designed it in 1933.",  # the quotes have that number, too
        "Tom Reyes designed it in 1931.",
        "Arle designed it in 1931.",
        None,
    }
    assert "Maria Holt designed it in 1933." in made
    said = "The bridge was closed."
    assert falsified(random.Random(1), said, said) == "The bridge was not closed."
    assert falsified(random.Random(1), "The bridge was not closed.", said) == "The bridge was closed."
    assert falsified(random.Random(1), "It rains.", "It rains.") is None


def test_two_who_did_something_to_each_other_are_exchanged() -> None:
    said = "it was Maria Holt who thanked Tom Reyes."
    made = {falsified(random.Random(seed), said, said) for seed in range(40)}
    assert "it was Tom Reyes who thanked Maria Holt." in made
    assert said not in made


def made_of(lesson: Lesson) -> set[Labelled]:
    return {from_lesson(random.Random(seed), TAUGHT, lesson) for seed in range(300)}


def test_an_answer_is_supported_by_its_sentences_and_answers_its_own_question_only() -> None:
    seen = made_of(WHEN)
    behind = understand(WHO.question, WHO.before).in_context
    assert Labelled(RIGHT, 1, 1) in seen
    assert Labelled(Claim(behind, WHEN.answer, QUOTES), 1, 0) in seen  # true, and no answer to that
    assert Labelled(Claim(PAID.question, WHEN.answer, QUOTES), 1, 0) in seen
    assert Labelled(Claim(WHEN.question, WHEN.answer, MILL), 0, UNKNOWN) in seen
    for one in seen:
        if one.claim.statement not in {WHEN.answer, WHEN.wrong}:
            assert (one.supported, one.answers) == (0, UNKNOWN)  # falsified
        elif one.claim.statement == WHEN.wrong:
            assert (one.supported, one.answers, one.claim.question) == (0, 0, WHEN.question)
    asked = {one.claim.question for one in made_of(WHO) if one.answers == 1}
    assert asked == {behind, understand(WHO.question, WHO.before).standalone}


def test_where_the_article_is_silent_neither_the_tempting_answer_nor_what_is_true_answers() -> None:
    near = nearest(TEXT, PAID.wrong)
    assert near.startswith(QUOTES)
    said = nearest(TEXT, PAID.question)
    assert made_of(PAID) == {
        Labelled(Claim(PAID.question, PAID.wrong, near), 0, 0),
        Labelled(Claim(PAID.question, said, said), 1, 0),
    }


def test_claims_of_questions_are_labelled_by_their_answers(corpus: Corpus) -> None:
    random_ = random.Random(2)
    kinds: set[object] = set()
    for _ in range(4):
        for question in corpus.questions:
            peers = [q for q in corpus.questions if q.document == question.document]
            made = from_question(random_, corpus, question, peers)
            text = corpus.documents[question.document].text
            golds = [text[start:end] for start, end in question.spans]
            if made.claim.statement == question.text:
                assert (made.supported, made.answers) == (0, UNKNOWN)  # a question states nothing
                kinds.add("question")
                continue
            assert made.claim.question == question.text
            if made.answers == 1:
                assert any(
                    gold in made.claim.statement or made.claim.statement.rstrip(".").lower() == gold.lower()
                    for gold in golds
                )
                assert any(gold in made.claim.quotes for gold in golds)
            if made.answers == 0 and made.supported == 1 and golds:
                assert made.claim.statement not in golds
            kinds.add((made.supported, made.answers))
    assert {(1, 1), (1, 0), "question"} <= kinds


def test_two_claims_as_one_are_supported_by_the_quotes_of_both_only() -> None:
    one, other = Labelled(RIGHT, 1.0, 1.0), Labelled(OTHER, 1.0, 1.0)
    found = set()
    for seed in range(60):
        made = joined(random.Random(seed), one, other)
        both = all(quotes in made.claim.quotes for quotes in (QUOTES, MILL))
        assert made.supported == float(both)
        assert made.answers == UNKNOWN
        assert "designed it in 1931" in made.claim.statement
        assert "Otto Brandt sold it" in made.claim.statement
        found.add((both, made.claim.statement.startswith("Otto")))
    assert len(found) == 4
    false = replace(other, supported=0.0)
    assert {joined(random.Random(seed), one, false).supported for seed in range(20)} == {0.0}


def test_statements_are_held_out_by_their_evidence(tmp_path: Path) -> None:
    file = tmp_path / "statements.jsonl"
    lines = [
        {"id": str(n), "evidence": f"e{n // 2}", "statement": f"s{n}", "supported": n % 2 == 0} for n in range(400)
    ]
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    learnt, held = read_statements(file, held=False), read_statements(file, held=True)
    assert len(learnt) + len(held) == 400
    assert 4 <= len(held) <= 60
    assert {one.claim.quotes for one in learnt}.isdisjoint(one.claim.quotes for one in held)
    assert {one.answers for one in learnt} == {UNKNOWN}


def test_the_same_step_has_the_same_claims_and_the_loss_falls(
    corpus: Corpus, tokenizer: Tokenizer, tmp_path: Path
) -> None:
    def task() -> Claims:
        return Claims(corpus, [], [TAUGHT], tokenizer, seed=3, rows=8, group=2)

    assert task().batch(5) == task().batch(5)
    assert task().batch(5) != task().batch(6)

    class SameClaims(Claims):
        def batch(self, step: int) -> tuple[Labelled, ...]:
            return super().batch(0)

    same = SameClaims(corpus, [], [TAUGHT], tokenizer, seed=3, rows=8, group=2)
    torch.manual_seed(0)
    plan = Plan(40, encoder_rate=3e-3, head_rate=3e-3, dropout=0, save_every=40, precision="float32")
    made = Trainer(CheckerNetwork(SHAPE), same, plan, tmp_path, torch.device("cpu"))
    _, first = made.train_step()
    made.run()
    _, last = made.train_step()
    assert last < first / 2


@pytest.mark.parametrize("stripped", [0.0, 1.0])
def test_quotes_are_stripped_as_transcripts_are(corpus: Corpus, tokenizer: Tokenizer, stripped: float) -> None:
    only = Taught(TAUGHT.document, ((WHEN,),))
    shares = Shares(lessons=1, statements=0, contrasts=0, joined=0, stripped=stripped)
    task = Claims(corpus, [], [only], tokenizer, seed=3, rows=16, shares=shares)
    quotes = {one.claim.quotes for step in range(16) for one in task.batch(step)}
    plain = "maria holt designed the bridge over the arle in 1931 and tom reyes opened it in 1933"
    assert (QUOTES in quotes, plain in quotes) == (not stripped, bool(stripped))
