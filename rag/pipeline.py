"""The whole flow, from a question to a cited answer."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from rag.conversation import clean_question, parts, question_in_context, standalone_question
from rag.grounding import check
from rag.index import PassageIndex
from rag.llm import LanguageModel, LlamaCppModel
from rag.models.catalogue import find_writer
from rag.overview import asks_overview, central_passages, central_quotes
from rag.prompts import NO_ANSWER, NOTHING_ELSE, draft_prompt
from rag.reader import LEAST_SCORE, Reader, SpanReader, merge_touching
from rag.retrieval import retrieve
from rag.sentences import split_sentences
from rag.settings import Settings
from rag.types import Answer, Citation, Document, Passage, Quote, Reading, RetrievedPassage, Span, Turn

LEAST_SHARE = 0.3
"""A further quote is shown where it is at least so likely to answer, as a share of the best one's probability."""


@dataclass(frozen=True, slots=True)
class Progress:
    """Where an answer stands: the stage that is running ("retrieve", "read", "write"), or "done", and what there is."""

    stage: str
    answer: Answer


class Pipeline:
    """Answers questions about the documents of one index; without a language model it answers in quotes."""

    def __init__(
        self, index: PassageIndex, *, reader: Reader, model: LanguageModel | None = None, settings: Settings
    ) -> None:
        self.index = index
        self._reader = reader
        self._model = model
        self._settings = settings

    def over(self, index: PassageIndex) -> Pipeline:
        """A pipeline with the same models and settings over another index."""
        return Pipeline(index, reader=self._reader, model=self._model, settings=self._settings)

    def warm_up(self) -> None:
        """Load the models and read the common start of prompts, so that the first question is as quick as others."""
        found = retrieve(self.index, "warm up", k=1)
        self._reader.read("warm up", self.index.documents, found, max_quotes=1)
        if self._model is not None:
            for _ in self._model.generate(draft_prompt("", "", ""), max_tokens=1, seconds=60, stopped=lambda: False):
                pass

    def answer(
        self, question: str, history: Sequence[Turn] = (), *, stopped: Callable[[], bool] = lambda: False
    ) -> Answer:
        """The finished answer; see `stream`."""
        *_, last = self.stream(question, history, stopped=stopped)
        return last.answer

    def stream(
        self,
        question: str,
        history: Sequence[Turn] = (),
        *,
        besides: Sequence[Citation] = (),
        stopped: Callable[[], bool] = lambda: False,
    ) -> Iterator[Progress]:
        """The answer as it grows: citations are there from stage "write" on, sentences come one by one as each has been
        verified, and the last is "done". When `stopped()` becomes true, drafting ends and the quote is shown.

        With `besides`, the quotes of an earlier answer to this question, it answers from the next best ones, or says
        that there is nothing else. Raises UsageError for an empty or overlong question.
        """
        question = clean_question(question)
        clock = _Clock()
        answer = Answer(question, standalone_question(question, history), text="", abstained=False, model=self._names())
        in_context = question_in_context(question, history)

        yield Progress("retrieve", answer)
        overview, k = asks_overview(answer.standalone_question), self._settings.retrieved_passages
        found = central_passages(self.index, k) if overview else retrieve(self.index, in_context, k=k)
        answer = replace(answer, passages=tuple(found), timings_ms=clock.lap("retrieve"))

        yield Progress("read", answer)
        reading = self._survey(found, besides) if overview else self._read(in_context, found, besides)
        answer = replace(answer, timings_ms=clock.lap("read"))
        if not reading.quotes or (reading.answerable < self._settings.abstain_below and not besides):
            text = NOTHING_ELSE if besides else NO_ANSWER
            yield Progress("done", replace(answer, text=text, abstained=True, timings_ms=clock.total()))
            return
        best = reading.quotes[0]
        answer = replace(answer, citations=self._cite(reading.quotes), short_answer=best.highlighted)

        yield Progress("write", answer)
        for sentence in () if overview else self._write(best, answer.standalone_question, stopped):
            answer = replace(answer, text=f"{answer.text} {sentence} [1]".strip())
            yield Progress("write", answer)
        if not answer.text:
            answer = replace(answer, text=f"“{' '.join(best.text.split())}” [1]")
        clock.lap("write")
        yield Progress("done", replace(answer, timings_ms=clock.total()))

    def _read(self, question: str, found: Sequence[RetrievedPassage], besides: Sequence[Citation]) -> Reading:
        """The reading for the question, without the quotes that overlap `besides` and without those that are much less
        likely than the best left; where it asks two, what answers each comes first.
        """
        documents, wanted = self.index.documents, self._settings.max_quotes

        def read(question: str, max_quotes: int) -> Reading:
            reading = self._reader.read(question, documents, found, max_quotes=max_quotes + len(besides))
            fresh = _fresh(reading.quotes, besides)
            close = [quote for quote in fresh if quote.score >= LEAST_SHARE * fresh[0].score]
            return Reading(tuple(close[:max_quotes]), reading.answerable)

        whole = read(question, wanted)
        apart = [read(part, 1) for part in parts(question)]
        if not apart:
            return whole
        by_chance = sorted((whole, *apart), key=lambda reading: -reading.answerable)
        first = [quote for reading in by_chance for quote in reading.quotes[:1] if quote.score >= LEAST_SCORE]
        quotes = merge_touching([*first, *(quote for quote in whole.quotes if quote not in first)], documents)
        return Reading(tuple(quotes[:wanted]), by_chance[0].answerable)

    def _survey(self, found: Sequence[RetrievedPassage], besides: Sequence[Citation]) -> Reading:
        """The sentences that stand for the whole, without those that overlap `besides`."""
        wanted = self._settings.max_quotes
        quotes = central_quotes(self.index, found, wanted + len(besides))
        return Reading(tuple(_fresh(quotes, besides)[:wanted]), 1.0)

    def _write(self, quote: Quote, question: str, stopped: Callable[[], bool]) -> Iterator[str]:
        """The drafted sentences that the quote supports, up to the first that it does not; the first has the answer."""
        if self._model is None:
            return
        draft = ""
        for piece in self._model.generate(
            draft_prompt(question, quote.highlighted or "", quote.text),
            max_tokens=self._settings.draft_tokens,
            seconds=self._settings.draft_seconds,
            stopped=stopped,
        ):
            draft += piece
            if "\n" in draft.strip():
                break
        if stopped():
            return
        draft = draft.strip().split("\n")[0]
        for number, span in enumerate(split_sentences(draft)):
            sentence = draft[span.start : span.end]
            if not sentence.endswith((".", "!", "?")) or not check(sentence, quote.text, question).supported:
                return
            if number == 0 and not self._answers(sentence, question, quote.highlighted):
                return
            yield sentence

    def _answers(self, sentence: str, question: str, short_answer: str | None) -> bool:
        """Whether the reader, asked the same question of the sentence, finds most of the short answer again: a true
        sentence may leave it out.
        """
        if short_answer is None:
            return True
        draft = Document("draft", "draft", sentence, source="")
        whole = Passage(draft.id, Span(0, len(sentence)), sentence)
        reading = self._reader.read(question, {draft.id: draft}, [RetrievedPassage(whole, 1.0)], max_quotes=1)
        found = next((quote.highlighted for quote in reading.quotes), None)
        return _shares_most(short_answer, found or "")

    def _cite(self, quotes: Sequence[Quote]) -> tuple[Citation, ...]:
        return tuple(
            Citation(
                number=number,
                document_id=quote.document_id,
                title=self.index.documents[quote.document_id].title,
                start=quote.span.start,
                end=quote.span.end,
                quote=quote.text,
                score=quote.score,
                highlight=quote.highlight,
                page=self.index.documents[quote.document_id].page_at(quote.span.start),
            )
            for number, quote in enumerate(quotes, 1)
        )

    def _names(self) -> dict[str, str]:
        return {
            "embedder": self.index.embedder.name,
            "reader": self._reader.name,
            "llm": self._model.name if self._model is not None else "none",
        }


def build_pipeline(index: PassageIndex, settings: Settings) -> Pipeline:
    """The pipeline that the settings describe, over the index; the models load on first use.

    Raises ModelError where the language model's file does not exist.
    """
    model = LlamaCppModel(path, threads=settings.threads) if (path := find_writer(settings)) else None
    return Pipeline(index, reader=SpanReader(), model=model, settings=settings)


def _fresh(quotes: Sequence[Quote], besides: Sequence[Citation]) -> list[Quote]:
    """The quotes that overlap none of the citations."""
    seen = [(citation.document_id, Span(citation.start, citation.end)) for citation in besides]
    return [
        quote for quote in quotes if not any(quote.document_id == of and quote.span.overlaps(span) for of, span in seen)
    ]


def _shares_most(short_answer: str, found: str) -> bool:
    words = re.findall(r"\w+", short_answer.lower())
    again = set(re.findall(r"\w+", found.lower()))
    return 2 * sum(word in again for word in words) >= len(words)


class _Clock:
    """Milliseconds of each stage since the last lap."""

    def __init__(self) -> None:
        self._start = self._last = time.perf_counter()
        self._laps: dict[str, float] = {}

    def lap(self, stage: str) -> dict[str, float]:
        now = time.perf_counter()
        self._laps[stage] = (now - self._last) * 1000
        self._last = now
        return dict(self._laps)

    def total(self) -> dict[str, float]:
        return {**self._laps, "total": (time.perf_counter() - self._start) * 1000}
