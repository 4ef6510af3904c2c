"""Question, evidence and what was said -> a draft of the answer, by a language model that has read the article."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from statistics import fmean
from typing import Protocol

from rag.answer import prompts
from rag.answer.attribution import Attributor
from rag.answer.checking import LEAST_HOPE, LEAST_OF_TRUSTED, SURE, Judge
from rag.answer.citing import quoted
from rag.answer.drafts import Checked, Draft, Written, without_false_yes
from rag.answer.question import Question, without_markers
from rag.library.index import PassageIndex
from rag.models import states
from rag.models.checker import Checker
from rag.models.llm import LanguageModel, Message, Prompt
from rag.models.reader.quotes import Reader
from rag.sentences import split_sentences, with_words_around
from rag.settings import Settings
from rag.types import NO_ANSWER, Quote, Reading, RetrievedPassage, Span, Turn

CHARACTERS_READ = 21_000
"""An article of more characters is not read as a whole: with the conversation it would not fit the context."""
HINTS = 2
"""So many of the reader's quotes, where they are likely, stand before the question: the writer knows the article, and
each token costs time. None, where the question leans on the conversation: the writer understands that better.

The sentence most like the question beside them holds more of what answers (of 50 questions of news .68 for .56), and
yet no more answers were right with it (46 for 50 of 75).
"""
HINT_WORDS = 12
"""Words of a quote on both sides of those that answer."""
NEAREST = 3
"""So many sentences stand before a question that is answered anew, or asks for more of what was said."""
TURNS = 2
"""So many earlier questions and answers stand in the prompt of a question that points back to them; of 20 others 9 were
answered from the right place without them, in two thirds of the time, 8 with them. Refusals are left out: a small model
that has seen itself refuse does so again. Of seven follow-ups after a refusal four were refused with it in the prompt,
and none without it, where six drafts in the place of three were right."""
SURE_REFUSAL, SURE_REFUSAL_OF_TUNED = -2.0, -0.7
"""From this log-probability of a refusal on, in nats, the writer is believed: of 48 drafts that it wrote in the place
of such a refusal 5 were right; of 50 from its own bar on of one that was tuned, 5."""
SURE_READER = 0.8
"""From this probability on, the reader is believed though no draft may be shown."""
LEAST_CONFIDENCE = -0.6
"""A draft whose tokens are less likely than this on average, in nats, is one that the writer stumbled over: of 8 such
drafts 1 was right."""
_BEGUN_QUOTE = re.compile(r"\s[\"“]$")
_ENDS = (".", "!", "?", '"', "”", "’", "'")
LONG_TOKENS = 220
"""Tokens of an answer in three to six sentences, at most."""


class Writer(Protocol):
    """Words answers about the documents of one index."""

    @property
    def article(self) -> Prompt | None:
        """The prompt that begins with the whole article, to be studied before questions come; None where it reads no
        whole articles, or this one is too long.
        """
        ...

    def write(
        self,
        question: Question,
        history: Sequence[Turn],
        found: Sequence[RetrievedPassage],
        reading: Reading,
        stopped: Callable[[], bool],
        *,
        failed: Draft | None = None,
    ) -> Draft | None:
        """The draft of an answer; None where it was stopped or cannot be written, or not otherwise than the draft
        that `failed`.
        """
        ...

    def attribute(
        self, question: Question, draft: Draft, found: Sequence[RetrievedPassage], reading: Reading
    ) -> list[Written]:
        """The draft's sentences, each with the sentences of the article that it rests on."""
        ...

    def check(
        self, question: Question, draft: Draft, written: Sequence[Written], reading: Reading, *, anew: bool = False
    ) -> Checked:
        """Those of the sentences that may be shown, of a first draft or of one that was made `anew`."""
        ...

    def trusts(self, question: Question, reading: Reading) -> bool:
        """Whether the reader's quote is shown though nothing that was written may be."""
        ...


class ArticleWriter:
    """For models that can read: the article, once; what was said; the reader's quotes last, and the question.

    Until the model has studied the article, and where it is too long, the quotes stand in its place with the sentences
    around them.
    """

    def __init__(
        self, model: LanguageModel, index: PassageIndex, reader: Reader, checker: Checker, settings: Settings
    ) -> None:
        self._model = model
        self._attributor = Attributor(index)
        self._judge = Judge(index, reader, checker, model.name)
        self._index = index
        self._settings = settings
        self._whole = sum(len(document.text) for document in index.documents.values()) <= CHARACTERS_READ

    @property
    def article(self) -> Prompt | None:
        if not self._whole:
            return None
        messages = self._reading(document.text for document in self._index.documents.values())
        memory = self._index.folder / states.FOLDER if self._index.folder is not None else None
        return Prompt(messages, len(messages), memory, self._introduction)

    def write(
        self,
        question: Question,
        history: Sequence[Turn],
        found: Sequence[RetrievedPassage],
        reading: Reading,
        stopped: Callable[[], bool],
        *,
        failed: Draft | None = None,
    ) -> Draft | None:
        """After a draft that failed, the writer is told nothing but the reader's quotes, where these are trusted, and
        what it has read is kept: with the whole article before it, it may have overlooked them. Elsewhere the evidence
        is what is like the draft and the question, rather than what the reader found for the question: a wrong answer
        often has the words that a right one needs (Shao et al., 2023, "ITER-RETGEN").
        """
        if failed is not None and question.at_length:
            return None
        prompt = self.prompt(question, history, found, reading, failed=failed)
        refusal = self._model.likelihood(prompt, NO_ANSWER, stopped=stopped)
        sure = SURE_REFUSAL_OF_TUNED if self._model.tuned else SURE_REFUSAL
        if refusal is not None and refusal >= sure:
            return Draft(NO_ANSWER, None, refusal)
        most = LONG_TOKENS if question.at_length else self._settings.draft_tokens
        draft = drafted(self._model, prompt, self._settings, stopped, most=most)
        if draft is None:
            return None
        return replace(draft, text=without_false_yes(draft.text, question.asked), refusal=refusal)

    def prompt(
        self,
        question: Question,
        history: Sequence[Turn],
        found: Sequence[RetrievedPassage],
        reading: Reading,
        *,
        failed: Draft | None = None,
    ) -> Prompt:
        """What the model is asked, behind the article where it has studied that. More of what was said before stands
        around that.
        """
        article = self.article
        kept = article is None or article.memory is not None  # else the model had to read it again after other prompts
        alone = failed is not None and kept and self.trusts(question, reading)
        like = None if alone else failed.text if failed is not None else "" if question.wants_more else None
        quotes = self._like(f"{question.in_context} {like}", found) if like is not None else list(reading.quotes)
        earlier = prompts.turns([turn for turn in history if turn.answered][-TURNS:] if question.points_back else ())
        whole = article if article is not None and not alone and self._model.knows(article) else None
        if like is not None:
            hints = quotes if whole is not None else []
        else:
            hints = [] if alone or question.leans else self._likely(quotes)
        words = self._with_neighbours if question.wants_more else self._hint
        asked = prompts.question(question.told, map(words, hints), at_length=question.at_length)
        if whole is not None:
            return replace(whole, messages=(*whole.messages, *earlier, asked))
        told = [quote.text for quote in self._likely(quotes)] if alone else map(self._with_neighbours, quotes)
        read, introduction = self._reading(told), self._introduction
        return Prompt((*read, *earlier, asked), introduction, introduction=introduction)

    def attribute(
        self,
        question: Question,
        draft: Draft,
        found: Sequence[RetrievedPassage],
        reading: Reading,  # noqa: ARG002
    ) -> list[Written]:
        return [self._attributor.attribute(sentence, found, question.in_context) for sentence in draft.sentences]

    def check(
        self, question: Question, draft: Draft, written: Sequence[Written], reading: Reading, *, anew: bool = False
    ) -> Checked:
        """Of an account, which answers nothing in particular, the sentences that the article says; else those that are
        likely right. A draft that is not likely right at all is not worth another, unless the reader's quote would
        stand in its place, than which a sentence is to be better. Of one that the writer stumbled over nothing is
        shown.
        """
        if draft.confidence is not None and draft.confidence < LEAST_CONFIDENCE:
            return Checked((), hopeful=not question.at_length)
        if question.at_length:
            return Checked(tuple(sentence for sentence in written if self._judge.is_said(question, sentence)))
        quotable = self.trusts(question, reading)
        least = (SURE if anew else LEAST_OF_TRUSTED) if quotable else 0.0
        chances = [self._judge.chance(question, draft, sentence, reading) for sentence in written]
        shown = (
            sentence
            for sentence, chance in zip(written, chances, strict=True)
            if self._judge.is_right(question, sentence, chance, least)
        )
        return Checked(tuple(shown), hopeful=quotable or max(chances, default=0.0) >= LEAST_HOPE)

    def trusts(self, question: Question, reading: Reading) -> bool:
        """Where the reader is sure, and the question names nobody whom the articles do not: the reader then finds what
        somebody else said.
        """
        return reading.answerable >= SURE_READER and not self._judge.unknown(question)

    def _reading(self, texts: Iterable[str]) -> tuple[Message, ...]:
        return prompts.article(texts, examples=not self._model.tuned)

    @property
    def _introduction(self) -> int:
        """The messages before every article."""
        return len(prompts.introduction(examples=not self._model.tuned))

    def _likely(self, quotes: Sequence[Quote]) -> list[Quote]:
        """Those of the best quotes that are worth a hint, in the order of the text."""
        likely = [quote for quote in quotes[:HINTS] if quote.score >= self._settings.abstain_below]
        return sorted(likely, key=lambda quote: (quote.document_id, quote.span.start))

    def _like(self, text: str, found: Sequence[RetrievedPassage]) -> list[Quote]:
        """The sentences that are most like the text, at most NEAREST, in the order of the text."""
        return [quoted(self._index, near) for near in self._attributor.nearest(text, found, NEAREST)]

    def _hint(self, quote: Quote) -> str:
        """The words of the quote that answer, with those around them."""
        if quote.highlight is None:
            return quote.text
        text = self._index.documents[quote.document_id].text
        span = with_words_around(text, quote.highlight, HINT_WORDS, within=quote.span)
        return text[span.start : span.end]

    def _with_neighbours(self, quote: Quote) -> str:
        """The quote with the sentence before and the one after it."""
        text, sentences = self._index.documents[quote.document_id].text, self._index.sentences[quote.document_id]
        touched = [n for n, sentence in enumerate(sentences) if sentence.overlaps(quote.span)]
        if not touched:
            return quote.text
        around = Span(sentences[max(0, touched[0] - 1)].start, sentences[min(len(sentences) - 1, touched[-1] + 1)].end)
        return text[min(around.start, quote.span.start) : max(around.end, quote.span.end)]


def drafted(
    model: LanguageModel,
    prompt: Prompt,
    settings: Settings,
    stopped: Callable[[], bool],
    *,
    most: int,
) -> Draft | None:
    """The first paragraph of the reply, up to its last finished sentence.

    It states something even where the writer would rather refuse, if the model can avoid words: a writer alone tells
    badly whether a text answers, and the judge is told how much it wanted to.
    """
    text, logprobs, deadline = "", list[float | None](), math.inf
    tokens = model.generate(prompt, max_tokens=most, seconds=settings.draft_seconds, stopped=stopped, avoid=NO_ANSWER)
    for token in tokens:
        deadline = min(deadline, time.monotonic() + settings.draft_seconds)  # it counts from the first word
        text += token.text
        logprobs.append(token.logprob)
        if "\n" in text.strip():
            break
    if stopped():
        return None
    first = _BEGUN_QUOTE.sub("", without_markers(text.strip().split("\n")[0]))
    cut = len(logprobs) >= most or time.monotonic() >= deadline
    if not cut and first and not first.endswith(_ENDS):
        first += "."  # a few words, and the model had no more to say
    finished = [span for span in split_sentences(first) if first[: span.end].endswith(_ENDS)]
    if not finished:
        return None
    told = [logprob for logprob in logprobs if logprob is not None]
    return Draft(first[: finished[-1].end], fmean(told) if len(told) == len(logprobs) else None)
