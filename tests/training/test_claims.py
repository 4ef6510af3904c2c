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

from rag.models.checker import Claim
from rag.models.checker_network import CheckerNetwork
from rag.training.claims import (
    UNKNOWN,
    Claims,
    Drafted,
    Labelled,
    Shares,
    falsified,
    from_draft,
    from_question,
    joined,
    read_drafts,
    read_statements,
)
from rag.training.data import Corpus
from rag.training.train import Plan, Trainer

QUOTES = "Maria Holt designed the bridge over the Arle in 1931, and Tom Reyes opened it in 1933."
RIGHT = Drafted("d", "When was it designed?", "Maria Holt designed it in 1931.", (QUOTES,), ("1931",), True, True)
OTHER = Drafted(
    "d", "Who sold the mill?", "Otto Brandt sold it.", ("Otto Brandt sold the mill.",), ("Otto Brandt",), True, True
)
WRONG = Drafted("d", "Who paid for it?", "Maria Holt paid for it.", (QUOTES,), (), False, False)


def test_a_falsified_statement_says_something_else() -> None:
    made = {falsified(random.Random(seed), RIGHT.statement, QUOTES) for seed in range(40)}
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


def test_a_draft_is_told_right_or_wrong_by_the_expected_words(tmp_path: Path) -> None:
    drafted = [
        ("Who?", ["Maria Holt"], [{"text": "Maria Holt did.", "sources": [QUOTES], "cites_gold": True}]),
        ("When?", [], [{"text": "In 1931.", "sources": [QUOTES], "cites_gold": False}]),
        ("What?", ["bridge of stone"], [{"text": "A bridge.", "sources": [QUOTES], "cites_gold": False}]),
        ("Where?", ["Arle"], []),
    ]
    lines = [
        {"id": question, "document": "d", "question": question, "golds": golds, "sentences": sentences}
        for question, golds, sentences in drafted
    ]
    file = tmp_path / "drafts.jsonl"
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    found = read_drafts(file)
    assert [(drafted.question, drafted.right, drafted.cites_gold) for drafted in found] == [
        ("Who?", True, True),
        ("When?", False, False),  # of "What?" half the expected words are there: neither right nor wrong
    ]


def test_claims_of_a_draft() -> None:
    seen = {from_draft(random.Random(seed), RIGHT, [RIGHT, OTHER]) for seed in range(200)}
    assert Labelled(RIGHT.claim, 1, 1) in seen
    assert Labelled(Claim(OTHER.question, RIGHT.statement, QUOTES), 1, 0) in seen  # true, and no answer to that
    assert Labelled(Claim(RIGHT.question, RIGHT.statement, OTHER.quotes[0]), 0, UNKNOWN) in seen
    for one in seen:
        if one.claim.statement != RIGHT.statement:
            assert (one.supported, one.answers) == (0, UNKNOWN)
    assert {from_draft(random.Random(seed), WRONG, [RIGHT]) for seed in range(50)} == {
        Labelled(WRONG.claim, UNKNOWN, 0)
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
    one, other = Labelled(RIGHT.claim, 1.0, 1.0), Labelled(OTHER.claim, 1.0, 1.0)
    found = set()
    for seed in range(60):
        made = joined(random.Random(seed), one, other)
        both = all(quotes in made.claim.quotes for quotes in (RIGHT.claim.quotes, OTHER.claim.quotes))
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
        return Claims(corpus, [], [RIGHT, WRONG, OTHER], tokenizer, seed=3, rows=8, group=2)

    assert task().batch(5) == task().batch(5)
    assert task().batch(5) != task().batch(6)

    class SameClaims(Claims):
        def batch(self, step: int) -> tuple[Labelled, ...]:
            return super().batch(0)

    same = SameClaims(corpus, [], [RIGHT, WRONG, OTHER], tokenizer, seed=3, rows=8, group=2)
    torch.manual_seed(0)
    plan = Plan(40, encoder_rate=3e-3, head_rate=3e-3, dropout=0, save_every=40, precision="float32")
    made = Trainer(CheckerNetwork(SHAPE), same, plan, tmp_path, torch.device("cpu"))
    _, first = made.train_step()
    made.run()
    _, last = made.train_step()
    assert last < first / 2


@pytest.mark.parametrize("stripped", [0.0, 1.0])
def test_quotes_are_stripped_as_transcripts_are(corpus: Corpus, tokenizer: Tokenizer, stripped: float) -> None:
    task = Claims(corpus, [], [RIGHT], tokenizer, seed=3, rows=16, shares=Shares(drafts=1, stripped=stripped))
    quotes = {one.claim.quotes for one in task.batch(0)}
    assert quotes == (
        {QUOTES}
        if not stripped
        else {"maria holt designed the bridge over the arle in 1931 and tom reyes opened it in 1933"}
    )
