"""Whose words are whose, as the trained reader finds them."""

import pytest

from rag.answer.speakers import misattributed
from rag.models.reader.quotes import SpanReader

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
