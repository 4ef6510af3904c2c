"""Whose words are whose, as the trained reader finds them."""

from collections.abc import Sequence

import pytest
from fakes import FakeEmbedder

from rag.answer.checking import Judge
from rag.answer.drafts import Source, Written
from rag.answer.question import understand
from rag.answer.speakers import misattributed
from rag.library.index import Chunking, PassageIndex
from rag.models.checker import Claim, Verdict
from rag.models.reader.quotes import SpanReader
from rag.types import Document, Span

pytestmark = pytest.mark.e2e
QUESTION = "What do Anna Berg and Tom Reyes say about the ferry?"
TWO = ("“It will pay for itself in four years,” says Anna Berg.", "Tom Reyes argues that the ferry is too small.")


@pytest.mark.parametrize(
    ("text", "sources"),
    [
        ("Anna Berg said that the ferry was unsafe.", ["The captain Lars Holm said that the ferry was unsafe."]),
        ("Berg thinks that it could save the port.", ["Others argue that the ferry could save the port."]),
        ("Tom Reyes says that it will pay for itself in four years.", TWO),
        ("Anna Berg says it will pay, while Tom Reyes said that it was sold.", [*TWO, "Ida Moe said it was sold."]),
        ("Anna Berg, who runs it, argues that the ferry is too small.", TWO),
    ],
)
def test_words_of_another_are_noticed(text: str, sources: list[str]) -> None:
    assert misattributed(text, QUESTION, sources, SpanReader())


@pytest.mark.parametrize(
    ("text", "sources"),
    [
        ("Anna Berg said that it will pay for itself in four years.", TWO),
        ("Tom Reyes thinks the ferry is too small, while Anna Berg says that it will pay for itself.", TWO),
        ("Anna Berg said that the ferry was unsafe.", ["The captain, Anna Berg, said that the ferry was unsafe."]),
        ("Anna Berg said that the ferry was unsafe.", ["She said that the ferry was unsafe."]),
        ("Anna Berg said that the ferry was unsafe.", ["The captain said that the ferry was unsafe."]),
        ("Anna Berg said that the ferry was unsafe.", ["The New York captain said that the ferry was unsafe."]),
        ("Tom Reyes said the bridge would close.", ["Tom Reyes told Anna Berg that the bridge would close."]),
        ("Officials said that the ferry was unsafe.", ["Lars Holm said that the ferry was unsafe."]),
        ("The ferry was built by Lars Holm.", ["Ida Moe said that Lars Holm built the ferry."]),
        ("Anna Berg said that the ferry was unsafe.", ["anna berg said that the ferry was unsafe"]),
    ],
)
def test_the_words_of_whom_they_name_or_may_mean_are_let_through(text: str, sources: list[str]) -> None:
    assert not misattributed(text, QUESTION, sources, SpanReader())


def test_words_of_another_are_not_shown_however_sure_the_checker_is(embedder: FakeEmbedder) -> None:
    class Sure:
        def check(self, claims: Sequence[Claim]) -> list[Verdict]:
            return [Verdict(1.0, 1.0) for _ in claims]

    said = "The captain Lars Holm said that the ferry was unsafe."
    document = Document("ferry", "The ferry", f"{said} Anna Berg runs the museum.", "ferry.txt")
    judge = Judge(
        PassageIndex.build([document], embedder=embedder, chunking=Chunking(40, 15)), SpanReader(), Sure(), "standard"
    )
    asked, source = understand("What did Anna Berg say?"), Source("ferry", Span(0, len(said)), 1.0)
    for speaker, shown in (("Lars Holm", True), ("Anna Berg", False)):
        written = Written(f"{speaker} said that the ferry was unsafe.", (source,))
        assert judge.is_right(asked, written, 0.9) is shown
        assert judge.is_said(asked, written) is shown
