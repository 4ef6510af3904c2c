"""The writer for models too small to read: it rewords the best quote, and shows only what is a compression of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from rag.answer import grounding
from rag.answer.drafts import Checked, Draft, Source, Written
from rag.answer.question import Question
from rag.answer.writing import drafted
from rag.models.llm import LanguageModel, Message, Prompt
from rag.models.reader.quotes import Reader, read_alone
from rag.settings import Settings
from rag.types import Reading, RetrievedPassage, Turn

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


class QuoteWriter:
    """Rewords the best quote, knowing the reader's short answer; nothing else of the article is seen."""

    article = None

    def __init__(self, model: LanguageModel, reader: Reader, settings: Settings) -> None:
        self._model = model
        self._reader = reader
        self._settings = settings

    def write(
        self,
        question: Question,
        history: Sequence[Turn],  # noqa: ARG002
        found: Sequence[RetrievedPassage],  # noqa: ARG002
        reading: Reading,
        stopped: Callable[[], bool],
        *,
        failed: Draft | None = None,
    ) -> Draft | None:
        """As the protocol says; None, too, for what is about the whole article or not likely enough answered."""
        if failed is not None or question.about_whole or not self.trusts(question, reading):
            return None
        best = reading.quotes[0]
        prompt = rewording(question.standalone, best.highlighted or "", best.text)
        return drafted(self._model, prompt, self._settings, stopped, most=self._settings.draft_tokens)

    def attribute(
        self,
        question: Question,  # noqa: ARG002
        draft: Draft,
        found: Sequence[RetrievedPassage],  # noqa: ARG002
        reading: Reading,
    ) -> list[Written]:
        """Every sentence rests on the quote that was reworded."""
        best = reading.quotes[0]
        return [Written(sentence, (Source(best.document_id, best.span, best.score),)) for sentence in draft.sentences]

    def check(
        self,
        question: Question,
        draft: Draft,  # noqa: ARG002
        written: Sequence[Written],
        reading: Reading,
        *,
        anew: bool = False,  # noqa: ARG002
    ) -> Checked:
        """The sentences up to the first that is no compression of the quote; none, where the first lacks the answer."""
        best = reading.quotes[0]
        shown: list[Written] = []
        for sentence in written:
            if not grounding.check(sentence.text, best.text, question.standalone).supported:
                break
            if not shown and not self._answers(sentence.text, question.standalone, best.highlighted):
                break
            shown.append(sentence)
        return Checked(tuple(shown))

    def trusts(self, question: Question, reading: Reading) -> bool:  # noqa: ARG002
        """Wherever it is likely enough to answer."""
        return reading.answerable >= self._settings.abstain_below

    def _answers(self, sentence: str, question: str, short_answer: str | None) -> bool:
        """Whether the reader, asked the same question of the sentence, finds most of the short answer again: a true
        sentence may leave it out.
        """
        if short_answer is None:
            return True
        found = next((quote.highlighted for quote in read_alone(self._reader, question, sentence).quotes), None)
        words = re.findall(r"\w+", short_answer.lower())
        again = set(re.findall(r"\w+", (found or "").lower()))
        return 2 * sum(word in again for word in words) >= len(words)
