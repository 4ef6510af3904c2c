"""The prompt for a writer too small to read: it rewords one quote."""

from __future__ import annotations

from rag.models.llm import Message, Prompt

_SYSTEM = "Say the answer to the question in one short sentence with the words of the quote."
# They copy and shorten rather than rephrase, since that is what a small model does well and what can be checked. A
# model this small repeats the last example when it is at a loss: it is one that fits no other question.
_EXAMPLES = (
    (
        "Where did the author write his first novel?",
        "Geneva",
        "He was born in Lyon in 1820, studied law in Paris and moved to Geneva, where he wrote his first novel.",
        "He moved to Geneva, where he wrote his first novel.",
    ),
    (
        "How many books will the library have?",
        "40,000 books",
        "Mayor Tom Reyes told reporters on Friday that the new library would open in March with 40,000 books.",
        "Mayor Tom Reyes told reporters that the new library would open in March with 40,000 books.",
    ),
    (
        "who left the ferry last",
        "captain john lowe",
        "the ferry sank near the harbour in 1904 and captain john lowe was the last man to leave it",
        "Captain John Lowe was the last man to leave it.",
    ),
    (
        "What do bees do in spring?",
        "dance in the hive",
        "In spring the bees dance in the hive, and so they show the others where the lime trees flower.",
        "In spring the bees dance in the hive.",
    ),
    (
        "Why was the bridge closed?",
        "the spring flood weakened two of its piers",
        (
            "The stone bridge over the Arle, which Maria Holt designed in 1931, was closed after the spring flood "
            "weakened two of its piers."
        ),
        "The stone bridge over the Arle was closed after the spring flood weakened two of its piers.",
    ),
)


def _user(question: str, short_answer: str, quote: str) -> Message:
    return Message("user", f"Question: {question}\nAnswer: {short_answer}\nQuote: {quote}")


_PREFIX: tuple[Message, ...] = (
    Message("system", _SYSTEM),
    *(
        message
        for question, short_answer, quote, sentence in _EXAMPLES
        for message in (_user(question, short_answer, quote), Message("assistant", sentence))
    ),
)


def rewording(question: str, short_answer: str, quote: str) -> Prompt:
    """The prompt for one sentence which answers the question from the quote, saying the short answer."""
    return Prompt((*_PREFIX, _user(*(" ".join(part.split()) for part in (question, short_answer, quote)))))
