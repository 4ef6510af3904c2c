"""The outline of an article: its headings, or a sentence of each of its sections."""

import numpy as np
import pytest
from fakes import FakeEmbedder

from rag.answer.outline import MOST_HEADINGS, MOST_LINES, outline, sections
from rag.library.index import Chunking, PassageIndex
from rag.models.reader.quotes import MAX_QUOTE_WORDS
from rag.types import Document

MARKED = """\
# Harbours

## The first quay ##

Stones were brought from the hills by cart.

### Who paid

The guild of salters paid for half of it.

## The storm

The quay was washed away within a night.
"""
PLAIN = """\
Harbours

The first quay

Stones were brought from the hills by cart.

Who paid

The guild of salters paid for half of it, and the town for the rest.

The storm

The quay was washed away within a night.

A caption of a photograph (1911)

Years later.
"""
TOPICS = [
    " ".join(f"The {animal} hunts small mice near the {place} at night number {n}." for n in range(6))
    for animal, place in (("owl", "barn"), ("ferry", "harbour"), ("baker", "oven"))
]


def index_of(*documents: Document) -> PassageIndex:
    return PassageIndex.build(documents, embedder=FakeEmbedder(), chunking=Chunking(26, 0))


def document(text: str, name: str = "harbours") -> Document:
    return Document(name, name.title(), text, "")


def lines(index: PassageIndex) -> list[str]:
    found = outline(index)
    assert all(index.text_at(quote.document_id, quote.span) == quote.text for quote in found)
    return [quote.text for quote in found]


@pytest.mark.parametrize("text", [MARKED, PLAIN])
def test_an_article_with_headings_is_outlined_by_them_without_its_title(text: str) -> None:
    assert lines(index_of(document(text))) == ["The first quay", "Who paid", "The storm"]


def test_of_many_headings_the_deeper_ones_are_left_out() -> None:
    parts = "".join(
        f"## Part {n}\n\nSome words on it.\n\n" + "### Detail\n\nMore of them.\n\n" * MOST_HEADINGS for n in range(3)
    )
    assert lines(index_of(document(parts))) == ["Part 0", "Part 1", "Part 2"]


def test_without_headings_each_section_has_the_sentence_that_is_most_like_it() -> None:
    index = index_of(document("\n\n".join(TOPICS)))
    found = lines(index)
    assert len(found) <= MOST_LINES
    assert [quote.span.start for quote in outline(index)] == sorted({quote.span.start for quote in outline(index)})
    for animal in ("owl", "ferry", "baker"):
        assert any(animal in line for line in found)


def test_several_articles_have_fewer_lines_each_and_a_short_one_has_one() -> None:
    index = index_of(document("\n\n".join(TOPICS), "animals"), document("The mill burned down in one night.", "mill"))
    of_mill = [quote for quote in outline(index) if quote.document_id == "mill"]
    assert [quote.text for quote in of_mill] == ["The mill burned down in one night."]
    assert 1 <= len(outline(index)) - len(of_mill) <= MOST_LINES // 2


def test_a_text_without_sentences_is_quoted_as_far_as_a_quote_goes() -> None:
    index = PassageIndex.build([document("word " * 70)], embedder=FakeEmbedder(), chunking=Chunking(80, 0))
    (line,) = lines(index)
    assert line == " ".join(["word"] * len(line.split()))
    assert len(line.split()) <= MAX_QUOTE_WORDS


def test_sections_are_cut_where_the_direction_changes() -> None:
    rng = np.random.default_rng(7)
    topics = np.repeat(rng.normal(size=(3, 16)), [4, 3, 5], axis=0) + 0.1 * rng.normal(size=(12, 16))
    vectors = (topics / np.linalg.norm(topics, axis=1, keepdims=True)).astype(np.float32)
    assert sections(vectors, 3) == [(0, 4), (4, 7), (7, 12)]
    assert sections(vectors, 1) == [(0, 12)]
    assert sections(vectors, 12) == [(n, n + 1) for n in range(12)]
    long = np.repeat(vectors, 200, axis=0)
    cut = sections(long, 3)
    assert cut[0][0] == 0
    assert cut[-1][1] == len(long)
    assert all(abs(end - at) <= 5 for (_, end), at in zip(cut, (800, 1400, 2400), strict=True))
