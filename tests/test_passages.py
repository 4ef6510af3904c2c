import itertools
from collections.abc import Sequence

import pytest

from rag.ingest.passages import split_passages
from rag.sentences import split_sentences
from rag.types import Document


def document(text: str) -> Document:
    return Document("d", "D", text, "d.txt")


def count_words(texts: Sequence[str]) -> list[int]:
    return [len(text.split()) for text in texts]


def test_passages_are_slices_of_whole_sentences_within_the_limit() -> None:
    text = " ".join(f"Sentence number {i} says something{' more' * (i % 7)}." for i in range(60))
    passages = split_passages(document(text), count_words, max_pieces=40, overlap_pieces=12)
    starts, ends = zip(*((s.start, s.end) for s in split_sentences(text)), strict=True)
    for passage in passages:
        assert text[passage.span.start : passage.span.end] == passage.text
        assert passage.span.start in starts
        assert [s.start for s in passage.sentences] == [s for s in starts if passage.span.start <= s < passage.span.end]
        assert passage.span.end in ends
        assert len(passage.text.split()) <= 40
    assert passages[0].span.start == 0
    assert passages[-1].span.end == len(text)


def test_consecutive_passages_overlap_and_each_brings_something_new() -> None:
    text = " ".join(f"Sentence number {i} is here." for i in range(50))
    passages = split_passages(document(text), count_words, max_pieces=40, overlap_pieces=12)
    for one, two in itertools.pairwise(passages):
        assert two.span.start < one.span.end < two.span.end
        assert len(text[two.span.start : one.span.end].split()) <= 12


def test_no_overlap_when_none_is_asked_for() -> None:
    text = " ".join(f"Sentence number {i} is here." for i in range(50))
    passages = split_passages(document(text), count_words, max_pieces=40, overlap_pieces=0)
    assert all(one.span.end < two.span.start for one, two in itertools.pairwise(passages))


@pytest.mark.parametrize("text", ["x" * 3000, "7" * 500 + " short", "word " * 400])
def test_a_sentence_over_the_limit_is_cut_until_it_fits(text: str) -> None:
    def count_characters(texts: Sequence[str]) -> list[int]:
        return [len(t) for t in texts]

    passages = split_passages(document(text), count_characters, max_pieces=100, overlap_pieces=0)
    assert all(len(passage.text) <= 100 for passage in passages)
    assert "".join("".join(p.text.split()) for p in passages) == "".join(text.split())


def test_an_overlap_longer_than_what_is_left_still_ends() -> None:
    text = " ".join(f"{'word ' * 18}end{i}." for i in range(10))
    passages = split_passages(document(text), count_words, max_pieces=20, overlap_pieces=10)
    assert len(passages) == 10
