import numpy as np
import pytest
from fakes import FakeEmbedder

from rag.errors import CollectionError
from rag.library.index import Chunking, PassageIndex, lexical_tokens
from rag.types import Document

CHUNKING = Chunking(40, 15)


def documents(count: int = 12) -> list[Document]:
    places = ["harbour", "museum", "dam", "school", "bridge", "station", "market", "library", "tower", "park"]
    return [
        Document(
            f"d{i}", f"D{i}", " ".join(f"The {p} number {i} opened in year {i + j}." for j, p in enumerate(places)), ""
        )
        for i in range(count)
    ]


def test_dense_search_is_the_inner_product_of_numpy(embedder: FakeEmbedder) -> None:
    index = PassageIndex.build(documents(), embedder=embedder, chunking=CHUNKING)
    question = "Which bridge opened in year 7?"
    expected = index.vectors @ embedder.embed([question])[0]  # (n,)
    found = index.search_dense(question, 10)
    assert [score for _, score in found] == pytest.approx(sorted(expected, reverse=True)[:10], abs=1e-6)
    assert all(score == pytest.approx(expected[row], abs=1e-6) for row, score in found)


def test_vectors_are_those_of_the_passages(embedder: FakeEmbedder) -> None:
    index = PassageIndex.build(documents(), embedder=embedder, chunking=CHUNKING)
    np.testing.assert_allclose(index.vectors, embedder.embed([p.text for p in index.passages]), atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(index.vectors, axis=1), 1, atol=1e-6)


def test_asking_for_more_than_there_is_gives_all(index: PassageIndex) -> None:
    assert len(index.search_dense("the ferry", 1000)) == len(index.passages)


def test_lexical_search_finds_inflections_and_nothing_else(index: PassageIndex) -> None:
    found = index.search_lexical("repairing dams", 5)
    assert [index.passages[row].text.count("dam") > 0 for row, _ in found] == [True] * len(found)
    assert found
    assert index.search_lexical("xylophone", 5) == []
    assert index.search_lexical("the of and", 5) == []
    assert index.search_lexical("", 5) == []


def test_stems_and_possessives() -> None:
    assert lexical_tokens(["The minister's talks", "trump s talk"]) == [["minist", "talk"], ["trump", "talk"]]


def test_unchanged_documents_are_not_embedded_again(embedder: FakeEmbedder) -> None:
    old = PassageIndex.build(documents(3), embedder=embedder, chunking=CHUNKING)
    embedder.embedded.clear()
    changed = Document("d1", "D1", "Something else entirely is written here now.", "")
    new = PassageIndex.build(
        [documents(3)[0], changed, *documents(3)[2:]], embedder=embedder, chunking=CHUNKING, known=old
    )
    assert embedder.embedded == [changed.text]
    fresh = PassageIndex.build(new.documents.values(), embedder=embedder, chunking=CHUNKING)
    assert new.passages == fresh.passages
    np.testing.assert_allclose(new.vectors, fresh.vectors, atol=1e-6)


def test_other_passage_lengths_are_cut_anew(embedder: FakeEmbedder) -> None:
    old = PassageIndex.build(documents(2), embedder=embedder, chunking=CHUNKING)
    new = PassageIndex.build(documents(2), embedder=embedder, chunking=Chunking(80, 0), known=old)
    assert len(new.passages) < len(old.passages)


def test_a_text_of_signs_only_can_be_indexed_and_searched(embedder: FakeEmbedder) -> None:
    index = PassageIndex.build([Document("d", "D", "*** — !!!", "")], embedder=embedder, chunking=CHUNKING)
    assert index.search_lexical("anything", 3) == []
    assert len(index.search_dense("anything", 3)) == len(index.passages) == 1


def test_no_document_is_an_error(embedder: FakeEmbedder) -> None:
    with pytest.raises(CollectionError, match="article-chat index"):
        PassageIndex.build([], embedder=embedder, chunking=CHUNKING)


def test_progress_counts_every_passage(embedder: FakeEmbedder) -> None:
    told: list[tuple[int, int]] = []
    index = PassageIndex.build(
        documents(3), embedder=embedder, chunking=CHUNKING, progress=lambda *done_of: told.append(done_of)
    )
    assert told[-1] == (len(index.passages), len(index.passages))
    assert [done for done, _ in told] == sorted(done for done, _ in told)


def test_what_is_joined_is_what_would_be_built_of_the_same_documents_and_embeds_nothing(embedder: FakeEmbedder) -> None:
    one, two, three, four = documents(4)
    left = PassageIndex.build([one, two], embedder=embedder, chunking=CHUNKING)
    right = PassageIndex.build([three, four], embedder=embedder, chunking=CHUNKING)
    fresh = PassageIndex.build([four, one], embedder=embedder, chunking=CHUNKING)
    embedder.embedded.clear()
    joined = PassageIndex.joined([four.id, one.id], [left, right])
    assert embedder.embedded == []
    assert (joined.documents, joined.passages) == (fresh.documents, fresh.passages)
    np.testing.assert_allclose(joined.vectors, fresh.vectors, atol=1e-6)
    for question in ("Which bridge opened in year 7?", "tower"):
        assert joined.search_lexical(question, 9) == fresh.search_lexical(question, 9)
        assert joined.search_dense(question, 9) == fresh.search_dense(question, 9)
    with pytest.raises(KeyError):
        PassageIndex.joined(["d9"], [left, right])
