"""The prompt for a writer that reads: what is wanted, examples, the article, what was said, and the question."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rag.answer.question import without_markers
from rag.models.llm import Message
from rag.types import NO_ANSWER, Turn

_SYSTEM = (
    "You answer questions about an article. Answer in one short, complete sentence with facts from the article only. "
    "Correct a question that assumes what the article contradicts. If the article does not say it, answer only: "
    f"{NO_ANSWER}"
)
_READ = "I have read it. What would you like to know?"
AT_LENGTH = "Answer in three to six sentences."
"""Stands behind a question that asks for more than a fact."""
# Invented; a short model follows what it sees done. One is answered with what contradicts it, one is not answered.
_BRIDGE = (
    "The bridge over the Arle was designed by Maria Holt in 1931. It was closed in May after the spring flood weakened "
    "two of its piers. Shop owners complained that they were losing customers, while the city said safety came first. "
    '"We would rather lose trade than lives," said Mayor Tom Reyes.'
)
_FILM = (
    "lewis won the silver medal in 1988 and two years later he retired from the sport his brother paul won gold in "
    "1992 critics called the film about them bold but its director ana cruz said ticket sales had disappointed her"
)
_EXAMPLES: tuple[tuple[str, tuple[tuple[str, str, str], ...]], ...] = (
    (
        _BRIDGE,
        (
            (
                "how come nobody can cross the river there any more",
                "It was closed in May after the spring flood weakened two of its piers.",
                "The bridge was closed because the spring flood weakened two of its piers.",
            ),
            (
                "and what did both sides make of that?",
                "Shop owners complained that they were losing customers, while the city said safety came first.",
                "Shop owners complained that they were losing customers, while the city said that safety came first.",
            ),
            (
                "How much did the bridge cost?",
                "The bridge over the Arle was designed by Maria Holt in 1931.",
                NO_ANSWER,
            ),
            (
                "who would rather lose trade than lives",
                '"We would rather lose trade than lives," said Mayor Tom Reyes.',
                "Mayor Tom Reyes said so.",
            ),
        ),
    ),
    (
        _FILM,
        (
            (
                "Why did Lewis retire after winning gold?",
                "lewis won the silver medal in 1988 and two years later he retired from the sport",
                "Lewis did not win gold: he won silver in 1988, and the article does not say why he retired.",
            ),
            (
                "was the director happy with the sales?",
                "its director ana cruz said ticket sales had disappointed her",
                "No, the director, Ana Cruz, said that ticket sales had disappointed her.",
            ),
            ("what was the film called", "critics called the film about them bold", NO_ANSWER),
        ),
    ),
)


def article(texts: Iterable[str], *, examples: bool = True) -> tuple[Message, ...]:
    """The beginning of every prompt about the texts, each of an article or a part of one: what is wanted, examples
    unless the writer was tuned to do without, the texts.
    """
    return (*introduction(examples=examples), *_reading("\n[…]\n".join(" ".join(text.split()) for text in texts)))


def introduction(*, examples: bool) -> tuple[Message, ...]:
    """What comes before every article."""
    return _INTRODUCTION if examples else _INTRODUCTION[:1]


def question(asked: str, quotes: Iterable[str], *, at_length: bool = False) -> Message:
    """A question, behind the sentences that may answer it."""
    hints = "\n".join(f"- {' '.join(quote.split())}" for quote in quotes)
    more = f" {AT_LENGTH}" if at_length else ""
    return Message("user", (f"Sentences that may help:\n{hints}\n\n" if hints else "") + f"Question: {asked}{more}")


def turns(history: Sequence[Turn]) -> tuple[Message, ...]:
    """What was asked and answered before, as the conversation that it was."""
    return tuple(
        message
        for turn in history
        for message in (question(turn.question, ()), Message("assistant", without_markers(turn.answer)))
    )


def _reading(text: str) -> tuple[Message, Message]:
    return Message("user", f"Article:\n{text}"), Message("assistant", _READ)


_INTRODUCTION = (
    Message("system", _SYSTEM),
    *(
        message
        for text, asked in _EXAMPLES
        for message in (
            *_reading(text),
            *(part for q, quote, reply in asked for part in (question(q, (quote,)), Message("assistant", reply))),
        )
    ),
)
