import pytest

from rag.answer.retrieval import fuse_ranks, retrieve
from rag.library.index import PassageIndex


def test_first_everywhere_is_one_and_order_follows_ranks() -> None:
    fused = fuse_ranks([[3, 1, 2], [3, 2]])
    assert fused[3] == pytest.approx(1.0)
    assert fused[2] > fused[1] > 0
    assert fused[1] == pytest.approx(61 / 62 / 2)


def test_nothing_ranked_is_nothing_fused() -> None:
    assert fuse_ranks([[], []]) == {}


def test_the_passage_that_has_the_words_comes_first(index: PassageIndex) -> None:
    found = retrieve(index, "When did the museum move to Basel?", k=2)
    assert "moved to Basel" in found[0].passage.text
    assert 1 >= found[0].score >= found[1].score > 0
    assert len(found) == 2


def test_k_bounds_what_is_found(index: PassageIndex) -> None:
    assert len(retrieve(index, "ferry", k=1)) == 1
    assert len(retrieve(index, "ferry", k=99)) == len(index.passages)
