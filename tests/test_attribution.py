import pytest
from fakes import FakeEmbedder

from rag.answer.attribution import Attributor
from rag.answer.drafts import Written
from rag.answer.retrieval import retrieve
from rag.library.index import Chunking, PassageIndex
from rag.types import Document

TEXT = """\
Clara Lindt was a pilot from Basel. She learned to fly in old planes. Her uncle paid for the lessons. She founded the \
maritime museum after the war. The mayor gave the building. Visitors came from far away.

The northern dam was repaired in 1954. The bank in Oslo lent forty million crowns. Nobody remembers the price of bread.
"""


@pytest.fixture
def index() -> PassageIndex:
    return PassageIndex.build([Document("d", "D", TEXT, "")], embedder=FakeEmbedder(), chunking=Chunking(25, 5))


def quotes(index: PassageIndex, written: Written) -> list[str]:
    return [index.documents[s.document_id].text[s.span.start : s.span.end] for s in written.sources]


def attribute(index: PassageIndex, statement: str, question: str = "who?") -> list[str]:
    written = Attributor(index).attribute(statement, retrieve(index, question, k=1), question)
    assert written.text == statement
    assert all(0 <= source.score <= 1 for source in written.sources)
    return quotes(index, written)


def test_a_statement_is_found_by_its_own_words(index: PassageIndex) -> None:
    said = "The bank in Oslo lent forty million crowns for it."
    assert attribute(index, said, "how much did the lake cost?") == ["The bank in Oslo lent forty million crowns."]


def test_a_name_that_stands_before_is_cited_with_the_pronoun_that_stands_for_it(index: PassageIndex) -> None:
    assert attribute(index, "After the war Clara Lindt founded the maritime museum.") == [
        "Clara Lindt was a pilot from Basel.",
        "She founded the maritime museum after the war.",
    ]


def test_two_sentences_are_cited_where_each_says_a_part(index: PassageIndex) -> None:
    said = "The northern dam was repaired with crowns that a bank had lent."
    assert attribute(index, said) == [
        "The northern dam was repaired in 1954.",
        "The bank in Oslo lent forty million crowns.",
    ]


def test_a_short_statement_is_found_with_the_question(index: PassageIndex) -> None:
    assert attribute(index, "Her uncle did so.", "Who paid for the lessons?") == ["Her uncle paid for the lessons."]


def test_every_sentence_is_embedded_once(index: PassageIndex) -> None:
    attributor, embedder = Attributor(index), index.embedder
    assert isinstance(embedder, FakeEmbedder)
    said = "The northern dam was repaired in 1954 after all."
    attributor.attribute(said, retrieve(index, "dam", k=5))
    before = len(embedder.embedded)
    Attributor(index).attribute(said, retrieve(index, "dam", k=5))
    assert len(embedder.embedded) - before <= 5  # what was written, and what is searched for
