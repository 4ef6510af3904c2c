from __future__ import annotations

import itertools
import json
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest
import tiny
import torch
from tokenizers import Tokenizer

from rag.evaluation.metrics import auc
from rag.models.reader.network import ScoredSpan
from rag.training import evaluate
from rag.training.__main__ import finish
from rag.training.calibrate import calibrate, calibration_cases, fit_logistic, reliability
from rag.training.data import Corpus, Document, Question
from rag.training.diagram import reliability_svg
from rag.training.evaluate import (
    Case,
    best_f1,
    dialogue_cases,
    held_out_cases,
    quick,
    quote,
    read,
    summary,
    windows,
    word_f1,
)
from rag.training.examples import DEFAULT_MIX, Stream
from rag.training.train import Plan, Trainer

TEXT = " ".join(f"w{n}" for n in range(230))


def test_windows_overlap_by_half_and_hold_every_word() -> None:
    parts = windows(TEXT)
    assert [len(TEXT[a:b].split()) for a, b in parts] == [100, 100, 100, 80]
    assert {word for a, b in parts for word in TEXT[a:b].split()} == set(TEXT.split())
    assert len(windows("two words")) == 1
    assert windows(" ") == []


def test_a_quote_has_ten_words_on_each_side() -> None:
    start = TEXT.index("w100 ")
    a, b = quote(TEXT, start, start + 4)
    assert TEXT[a:b].split() == [f"w{n}" for n in range(90, 111)]
    assert quote("a b c", 2, 3) == (0, 5)


def test_word_f1_ignores_articles_and_marks() -> None:
    assert word_f1("The mill.", "mill") == 1
    assert word_f1("old mill", "new mill") == pytest.approx(0.5)
    assert word_f1("mill", "bridge") == 0


def test_a_hit_shows_the_words_of_an_answer() -> None:
    case = Case("?", "The mill burned in 1700. It was sad.", ((4, 8),))
    assert evaluate.found_in(case, ScoredSpan(0, 9, 15, 1.0))
    far = Case("?", TEXT, ((0, 2),))
    assert not evaluate.found_in(far, ScoredSpan(0, len(TEXT) - 4, len(TEXT), 1.0))


def test_reading_gives_distinct_spans_inside_the_text(corpus: Corpus, tokenizer: Tokenizer) -> None:
    text = " ".join(document.text for document in corpus.documents[:8])
    spans = read(tiny.network().eval(), tokenizer, "When was the mill built?", text)
    assert len(spans) == 3
    assert [s.score for s in spans] == sorted((s.score for s in spans), reverse=True)
    assert all(0 <= s.start < s.end <= len(text) for s in spans)
    for better, worse in itertools.pairwise(spans):
        a, b = quote(text, better.start, better.end)
        assert not (a <= worse.start and worse.end <= b)


def test_cases_keep_their_answers_among_neighbouring_paragraphs(corpus: Corpus) -> None:
    for case in held_out_cases(corpus, 50, paragraphs=2, source="town"):
        assert case.text.count("\n\n") == 1
        assert all(case.text[a:b].isdigit() or "trade" in case.text[a:b] for a, b in case.spans)


def test_auc_and_f1_of_known_rankings() -> None:
    labels = np.array([True, True, False, False])
    assert auc(np.array([3.0, 2.0, 1.0, 0.0]), labels) == 1
    assert auc(np.array([1.0, 1.0, 1.0, 1.0]), labels) == 0.5
    assert best_f1(np.array([0.9, 0.8, 0.2, 0.1], dtype=np.float32), labels)[0] == 1


def test_the_logistic_fit_finds_the_curve_that_made_the_labels() -> None:
    random_ = np.random.default_rng(0)
    scores = random_.normal(0, 4, 20000)
    labels = random_.random(20000) < 1 / (1 + np.exp(-(0.5 * scores - 1)))
    slope, offset = fit_logistic(scores, labels)
    assert slope == pytest.approx(0.5, abs=0.03)
    assert offset == pytest.approx(-1, abs=0.06)
    error, rows = reliability(1 / (1 + np.exp(-(slope * scores + offset))), labels)
    assert error < 0.02
    assert sum(count for _, _, count in rows) == 20000


def test_quick_and_calibration_run_on_a_tiny_corpus(
    corpus: Corpus, tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluate, "MAIN_SOURCE", "town")
    network = tiny.network().eval()
    assert 0 <= quick(network, tokenizer, corpus, count=12)["paragraphs"]["auc"] <= 1
    cases = calibration_cases(corpus, 60)
    assert 0.3 < np.mean([not case.spans for case in cases]) < 0.8
    fit = calibrate(network, tokenizer, corpus, count=60)
    assert 0 <= fit.ece <= 1
    assert 0 < fit.calibration.probability(0.0) < 1


def test_dialogue_cases_are_asked_bare_and_after_what_they_follow(
    corpus: Corpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluate, "MAIN_SOURCE", "town")
    bare, composed = dialogue_cases(corpus, 30)
    assert len(bare) == len(composed) == 30
    for alone, after in zip(bare, composed, strict=True):
        assert after.question.endswith(f" ; {alone.question}")
        assert (alone.text, alone.spans) == (after.text, after.spans)


def test_where_no_question_can_lean_on_another_there_are_no_dialogues(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluate, "MAIN_SOURCE", "town")
    document = Document("town", "mill", "mill", "The mill burned.", range(1))
    assert dialogue_cases(Corpus((document,), (Question("a", "Who painted it?", 0, ()),)), 5) == ([], [])


def test_the_reliability_diagram_shows_each_bin_at_its_place() -> None:
    svg = ET.fromstring(reliability_svg(((0.25, 0.5, 100), (1.0, 1.0, 25)), 0.125))
    circles = [c for c in svg.iter() if c.tag.endswith("circle")]
    places = [tuple(float(c.attrib[name]) for name in ("cx", "cy", "r")) for c in circles]
    assert places == [(136, 184, 16), (376, 24, 10)]
    assert any("ECE 0.125, 125 questions" in (part.text or "") for part in svg.iter())


def test_a_finished_run_leaves_calibrated_weights_a_diagram_and_a_report(
    corpus: Corpus, tokenizer: Tokenizer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluate, "MAIN_SOURCE", "town")
    stream = Stream(corpus, tokenizer, DEFAULT_MIX, seed=5, rows=4, group=1)
    trainer = Trainer(tiny.network(), stream, Plan(1), tmp_path / "run", torch.device("cpu"))
    trainer.folder.mkdir()
    (tmp_path / "weights").mkdir()
    finish(trainer, tokenizer, corpus, tmp_path / "weights" / "reader.safetensors", count=60)
    report = json.loads((tmp_path / "run" / "report.json").read_text())
    assert report["held_out"]["single paragraphs"]["questions"] > 0
    assert sorted(path.name for path in (tmp_path / "weights").iterdir()) == [
        "reader.safetensors",
        "reader.safetensors.sha256",
        "reliability.svg",
    ]
    assert ET.parse(tmp_path / "weights" / "reliability.svg").getroot().tag.endswith("svg")


def test_a_summary_has_only_what_its_cases_allow() -> None:
    outcomes = [evaluate.Outcome(answerable=True, score=1.0, f1=1.0, rank=2, words=5)]
    assert summary(outcomes) == {"questions": 1, "f1": 1, "hit1": 0, "hit2": 1, "hit3": 1}
