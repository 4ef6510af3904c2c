from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer

from rag.training.augment import Marked, strip
from rag.training.batches import BoundaryBatch, SpanBatch, boundary_batch
from rag.training.boundaries import boundary_window, labelled_words
from rag.training.data import Corpus, Question, held_out, load_corpus, occurrences
from rag.training.examples import DEFAULT_MIX, Stream, compose

PLAIN = replace(
    DEFAULT_MIX, stripped=0, beside=0, elsewhere=0, foreign=0, swapped=0, off_task=0, neighbours=0.5, history=0
)


def stream(corpus: Corpus, tokenizer: Tokenizer, **changes: float) -> Stream:
    return Stream(corpus, tokenizer, replace(DEFAULT_MIX, **changes), seed=3, rows=8, group=2)


def plain_words(text: str) -> list[str]:
    return strip(Marked(text, ())).text.split()


def test_whole_articles_are_held_out(data: Path, corpus: Corpus) -> None:
    held = load_corpus(data, held=True)
    assert held.questions
    assert {d.group for d in held.documents}.isdisjoint(d.group for d in corpus.documents)
    assert all(held_out(d.group) for d in held.documents)


def test_every_question_points_into_its_document(corpus: Corpus) -> None:
    for question in corpus.questions:
        text = corpus.documents[question.document].text
        assert all(0 <= a < b <= len(text) for a, b in question.spans)


def test_an_answer_occurs_as_whole_words_only() -> None:
    assert occurrences("art, part and art", "art") == ((0, 3), (14, 17))


def test_questions_about_reasons_come_more_often(corpus: Corpus, tokenizer: Tokenizer) -> None:
    asked = [question.text.startswith("Why") for question in corpus.questions]
    more = stream(corpus, tokenizer, reasons=2.5).epoch_examples - stream(corpus, tokenizer, reasons=1).epoch_examples
    assert more == pytest.approx(1.5 * sum(asked), abs=0.3 * sum(asked))


def test_composed_examples_point_at_an_answer_of_their_question(corpus: Corpus, tokenizer: Tokenizer) -> None:
    made = stream(corpus, tokenizer, words=(12, 30), stripped=0.5, history=0)
    random_ = random.Random(0)
    answered = 0
    for question in random_.choices(corpus.questions, k=400):
        text = corpus.documents[question.document].text
        answers = [plain_words(text[a:b]) for a, b in question.spans]
        example = compose(random_, made, question)
        for start, end in example.marked.spans:
            assert plain_words(example.marked.text[start:end]) in answers
        answered += bool(example.marked.spans)
    assert 100 < answered < 300


def test_some_examples_are_asked_in_a_dialogue(corpus: Corpus, tokenizer: Tokenizer) -> None:
    made = stream(corpus, tokenizer, history=0.5, stripped=1)
    questions = [compose(random.Random(seed), made, corpus.questions[seed % 9]).question for seed in range(200)]
    assert 60 < sum(" ; " in question for question in questions) < 120


def test_without_augmentation_every_answerable_question_keeps_its_answer(corpus: Corpus, tokenizer: Tokenizer) -> None:
    made = Stream(corpus, tokenizer, PLAIN, seed=3, rows=8)
    for question in corpus.questions:
        assert bool(compose(random.Random(1), made, question).marked.spans) == bool(question.spans)


def test_a_batch_marks_the_pieces_of_the_answer(corpus: Corpus, tokenizer: Tokenizer) -> None:
    made = stream(corpus, tokenizer)
    batch = made.batch(0)
    assert isinstance(batch, SpanBatch)
    examples = made._pool(0)[0]
    for row, example in enumerate(examples):
        columns = [tuple(pair) for pair in batch.targets[row].tolist() if pair[0] >= 0]
        if not example.marked.spans:
            assert columns == [(0, 0)]
            continue
        for (first, last), (start, end) in zip(columns, example.marked.spans, strict=True):
            pieces = batch.encoded.offsets[row]
            shift = batch.encoded.first[row]
            assert (pieces[first - shift][0], pieces[last - shift][1]) == (start, end)
            assert batch.encoded.answerable[row, first]


def test_the_stream_depends_on_seed_and_step_alone(corpus: Corpus, tokenizer: Tokenizer) -> None:
    one, other = stream(corpus, tokenizer), stream(corpus, tokenizer)
    other.batch(7)
    for step in (0, 4, 31):
        assert torch.equal(one.batch(step).encoded.ids, other.batch(step).encoded.ids)


def test_every_fifth_batch_is_of_boundaries(corpus: Corpus, tokenizer: Tokenizer) -> None:
    made = stream(corpus, tokenizer)
    assert [isinstance(made.batch(step), BoundaryBatch) for step in range(5)] == [False] * 4 + [True]


def test_boundary_labels_stand_on_the_last_words_of_sentences(tokenizer: Tokenizer) -> None:
    words, ends = labelled_words("Dr. Arden left. Was the mill, built by the guild, sad?")
    assert [word for word, end in zip(words, ends, strict=True) if end] == ["left", "sad"]
    batch = boundary_batch(tokenizer, [(["the", "mill", "burned", "people", "paid"], [0, 0, 1, 0, 1])])
    assert batch.labels[0].tolist() == [-1, 0, 0, 1, 0, -1, -1]  # [CLS], four words, the last word's is unknown, [SEP]


def test_boundary_windows_have_as_many_labels_as_words(corpus: Corpus) -> None:
    for seed in range(20):
        words, ends = boundary_window(random.Random(seed), corpus, 10, 40)
        assert len(words) == len(ends) <= 40
        assert 1 in ends


def test_a_folder_without_questions_says_what_to_give(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="give a folder of"):
        load_corpus(tmp_path, held=False)


def test_a_question_is_a_value() -> None:
    assert Question("a", "Why?", 0, ()) == Question("a", "Why?", 0, ())
