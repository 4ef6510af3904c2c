"""Question, evidence and what was said -> a draft of the answer, by a language model that has read the article."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import Protocol

from rag.answer import prompts
from rag.answer.question import Question
from rag.answer.rewording_prompt import rewording
from rag.library.index import PassageIndex
from rag.models import states
from rag.models.llm import LanguageModel, Prompt
from rag.sentences import split_sentences
from rag.settings import Settings
from rag.types import NO_ANSWER, Quote, Reading, Span, Turn

WORDS_READ = 3500
"""An article of more words is not read as a whole: with the conversation it would not fit the context."""
HINTS = 4
"""So many of the reader's quotes stand before the question."""
TURNS = 3
"""So many earlier questions and answers stand in the prompt."""
_ENDS = (".", "!", "?", '"', "”", "’", "'")
LONG_TOKENS = 220
"""Tokens of an answer in three to six sentences, at most."""


@dataclass(frozen=True, slots=True)
class Draft:
    """What was written, and how sure the writer was, in nats: the mean log-probability of the tokens, and the
    log-probability of a refusal in their place.
    """

    text: str
    confidence: float
    refusal: float

    @property
    def refuses(self) -> bool:
        """Whether it says that the article does not say."""
        return not self.sentences

    @property
    def sentences(self) -> list[str]:
        """What it states: its sentences, but for those that only say that the article does not say."""
        spans = split_sentences(self.text)
        return [s for s in (self.text[span.start : span.end] for span in spans) if s != NO_ANSWER]


class Writer(Protocol):
    """Words answers about the documents of one index."""

    @property
    def article(self) -> Prompt | None:
        """The prompt that begins with the whole article, to be studied before questions come; None where it reads no
        whole articles, or this one is too long.
        """
        ...

    def write(
        self, question: Question, history: Sequence[Turn], reading: Reading, stopped: Callable[[], bool]
    ) -> Draft | None:
        """The draft of an answer; None where it was stopped or cannot be written."""
        ...


class ArticleWriter:
    """For models that can read: the article, once; what was said; the reader's quotes last, and the question.

    Until the model has studied the article, and where it is too long, the quotes stand in its place with the sentences
    around them.
    """

    def __init__(self, model: LanguageModel, index: PassageIndex, settings: Settings) -> None:
        self._model = model
        self._index = index
        self._settings = settings
        words = sum(len(document.text.split()) for document in index.documents.values())
        self._whole = words <= WORDS_READ

    @property
    def article(self) -> Prompt | None:
        if not self._whole:
            return None
        messages = prompts.article(document.text for document in self._index.documents.values())
        memory = self._index.folder / states.FOLDER if self._index.folder is not None else None
        return Prompt(messages, len(messages), memory)

    def write(
        self, question: Question, history: Sequence[Turn], reading: Reading, stopped: Callable[[], bool]
    ) -> Draft | None:
        quotes = sorted(reading.quotes, key=lambda quote: (quote.document_id, quote.span.start))
        said = prompts.turns(history[-TURNS:])
        article = self.article
        if article is not None and self._model.knows(article):
            asked = prompts.question(question.asked, [quote.text for quote in quotes], at_length=question.at_length)
            prompt = replace(article, messages=(*article.messages, *said, asked))
        else:
            asked = prompts.question(question.asked, (), at_length=question.at_length)
            prompt = Prompt((*prompts.article(map(self._with_neighbours, quotes)), *said, asked))
        refusal = self._model.likelihood(prompt, NO_ANSWER, stopped=stopped)
        if refusal is None:
            return None
        most = LONG_TOKENS if question.at_length else self._settings.draft_tokens
        return _drafted(self._model, prompt, self._settings, stopped, most=most, refusal=refusal)

    def _with_neighbours(self, quote: Quote) -> str:
        """The quote with the sentence before and the one after it."""
        text, sentences = self._index.documents[quote.document_id].text, self._index.sentences[quote.document_id]
        touched = [n for n, sentence in enumerate(sentences) if sentence.overlaps(quote.span)]
        if not touched:
            return quote.text
        around = Span(sentences[max(0, touched[0] - 1)].start, sentences[min(len(sentences) - 1, touched[-1] + 1)].end)
        return text[min(around.start, quote.span.start) : max(around.end, quote.span.end)]


class QuoteWriter:
    """For models that can only reword: the question, the reader's short answer and its best quote."""

    article = None

    def __init__(self, model: LanguageModel, settings: Settings) -> None:
        self._model = model
        self._settings = settings

    def write(
        self,
        question: Question,
        history: Sequence[Turn],  # noqa: ARG002
        reading: Reading,
        stopped: Callable[[], bool],
    ) -> Draft | None:
        best = reading.quotes[0]
        prompt = rewording(question.standalone, best.highlighted or "", best.text)
        return _drafted(self._model, prompt, self._settings, stopped, most=self._settings.draft_tokens, refusal=0.0)


def _drafted(
    model: LanguageModel, prompt: Prompt, settings: Settings, stopped: Callable[[], bool], *, most: int, refusal: float
) -> Draft | None:
    """The first paragraph of the reply, up to its last finished sentence."""
    text, logprobs = "", []
    for token in model.generate(prompt, max_tokens=most, seconds=settings.draft_seconds, stopped=stopped):
        text += token.text
        logprobs.append(token.logprob)
        if "\n" in text.strip():
            break
    if stopped():
        return None
    first = text.strip().split("\n")[0]
    spans = split_sentences(first)
    finished = [span for span in spans if first[: span.end].endswith(_ENDS)]
    return Draft(first[: finished[-1].end], fmean(logprobs), refusal) if finished else None


def writer_of(model: LanguageModel, index: PassageIndex, settings: Settings) -> Writer:
    """The way in which the model writes about the index: by reading, or by rewording a quote."""
    return ArticleWriter(model, index, settings) if model.reads else QuoteWriter(model, settings)
