"""The whole flow, from a question to a cited answer."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, replace

from rag.answer.drafts import Draft, Source, Written
from rag.answer.evidence import evidence_for
from rag.answer.question import Question, understand
from rag.answer.retrieval import retrieve
from rag.answer.rewording import QuoteWriter
from rag.answer.writing import ArticleWriter, Writer
from rag.library.index import PassageIndex
from rag.models import states
from rag.models.catalogue import find_writer
from rag.models.checker import Checker, NeuralChecker
from rag.models.llm import LanguageModel, LlamaCppModel
from rag.models.reader.quotes import Reader, SpanReader
from rag.settings import Settings
from rag.types import NO_ANSWER, NOTHING_ELSE, Answer, Citation, Quote, Reading, RetrievedPassage, Statement, Turn


@dataclass(frozen=True, slots=True)
class Progress:
    """Where an answer stands: the stage of STAGES that is running, or "done", and what there is."""

    stage: str
    answer: Answer


class Pipeline:
    """Answers questions about the documents of one index; without a language model it answers in quotes."""

    def __init__(
        self,
        index: PassageIndex,
        *,
        reader: Reader,
        checker: Checker,
        model: LanguageModel | None = None,
        settings: Settings,
    ) -> None:
        self.index = index
        self._reader = reader
        self._checker = checker
        self._model = model
        self._settings = settings
        self._writer: Writer | None = None
        if model is not None and model.reads:
            self._writer = ArticleWriter(model, index, reader, checker, settings)
        elif model is not None:
            self._writer = QuoteWriter(model, reader, settings)

    def over(self, index: PassageIndex) -> Pipeline:
        """A pipeline with the same models and settings over another index."""
        return Pipeline(index, reader=self._reader, checker=self._checker, model=self._model, settings=self._settings)

    def warm_up(self) -> None:
        """Load the models and read the common start of prompts, so that the first question is as quick as others."""
        found = retrieve(self.index, "warm up", k=1)
        reading = self._reader.read("warm up", self.index.documents, found, max_quotes=1)
        if self._writer is not None:
            self._writer.write(understand("warm up"), (), found, reading, lambda: False)

    @property
    def reads(self) -> bool:
        """Whether there is a language model that reads articles, and the text is not too long for it."""
        return self._writer is not None and self._writer.article is not None

    def study(
        self, progress: Callable[[int, int], None] = lambda *_: None, stopped: Callable[[], bool] = lambda: False
    ) -> bool:
        """Let the language model read the whole article, once, where it can: answers are better and sooner afterwards.

        Questions are answered meanwhile. `progress` is told how many tokens are read, of how many. False where there is
        nothing to read, or it was stopped.
        """
        article = self._writer.article if self._writer is not None else None
        if self._model is None or article is None or not self._model.study(article, progress, stopped):
            return False
        states.trim(self._settings.indexes, self._settings.max_states_mb)
        return True

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
        exclude: Sequence[Citation] = (),
        stopped: Callable[[], bool] = lambda: False,
    ) -> Iterator[Progress]:
        """The answer as it grows; each step names the stage that comes next, the last is "done".

        The reader's quotes are there from stage "write" on, the written statements, with quotes of their own, at the
        end. When `stopped()` becomes true, writing ends and the quote is shown. With `exclude`, the quotes of an
        earlier answer to this question, it answers with the next best ones, or says that there is nothing else. Raises
        UsageError for an empty or overlong question.
        """
        asked = understand(question, history)
        evidence = evidence_for(asked, self.index, self._reader, self._settings)
        clock = _Clock()
        answer = Answer(asked.asked, asked.standalone, model=self._names())

        yield Progress("retrieve", answer)
        found = evidence.retrieve(asked)
        answer = replace(answer, passages=tuple(found), timings_ms=clock.lap("retrieve"))

        yield Progress("read", answer)
        reading = evidence.read(asked, found, exclude)
        answer = replace(answer, timings_ms=clock.lap("read"))
        by_quote = self._by_quote(answer, reading, exclude)
        if exclude or self._writer is None or not reading.quotes:
            yield Progress("done", replace(by_quote, timings_ms=clock.total()))
            return

        answer = replace(answer, citations=by_quote.citations, short_answer=by_quote.short_answer)
        drafting = _Drafting(self._writer, history, found, stopped, answer, clock)
        draft, shown = yield from drafting.write(asked, reading)
        if draft is not None and not shown:
            for part in asked.apart:
                _, of_part = yield from drafting.write(part, evidence.read(part, found, ()))
                shown += of_part
        if draft is not None and not shown:
            _, shown = yield from drafting.write(asked, reading, failed=draft)
        if shown:
            answer = self._by_statements(answer, shown, reading)
        elif draft is None or stopped() or reading.answerable >= self._writer.sure:
            answer = by_quote
        else:
            answer = replace(answer, citations=(), short_answer=None, refusal=NO_ANSWER)
        yield Progress("done", replace(answer, timings_ms=clock.total()))

    async def astream(
        self, question: str, history: Sequence[Turn] = (), *, exclude: Sequence[Citation] = ()
    ) -> AsyncIterator[Progress]:
        """The same for asynchronous programs: each step runs in a thread. Whoever is cancelled, or goes on without the
        rest, ends the step that runs within a moment.
        """
        ended = threading.Event()
        steps = self.stream(question, history, exclude=exclude, stopped=ended.is_set)
        try:
            while (step := await asyncio.to_thread(next, steps, None)) is not None:
                yield step
        finally:
            ended.set()

    def _by_quote(self, answer: Answer, reading: Reading, exclude: Sequence[Citation]) -> Answer:
        """The best quote word for word; a refusal, where it is not likely enough to answer."""
        if not reading.quotes or (reading.answerable < self._settings.abstain_below and not exclude):
            return replace(answer, refusal=NOTHING_ELSE if exclude else NO_ANSWER)
        best = reading.quotes[0]
        quoted = Statement(" ".join(best.text.split()), (1,), verbatim=True)
        cited = self._cite(reading.quotes)
        return replace(answer, statements=(quoted,), citations=cited, short_answer=best.highlighted)

    def _by_statements(self, answer: Answer, written: Sequence[Written], reading: Reading) -> Answer:
        """The written statements, citing the sentences that say so; behind these the reader's other quotes."""
        sources = list(dict.fromkeys(source for statement in written for source in statement.sources))
        cited = [self._as_quote(source, reading.quotes) for source in sources]
        others = [quote for quote in reading.quotes if not any(_overlap(quote, source) for source in cited)]
        likely = [quote for quote in others if quote.score >= self._settings.abstain_below]
        cited += likely[: max(0, self._settings.max_quotes - len(cited))]
        return replace(
            answer,
            statements=tuple(
                Statement(statement.text, tuple(sorted(sources.index(source) + 1 for source in statement.sources)))
                for statement in written
            ),
            citations=self._cite(cited),
            short_answer=next((quote.highlighted for quote in cited if quote.highlight is not None), None),
        )

    def _as_quote(self, source: Source, quotes: Sequence[Quote]) -> Quote:
        """The source as a quote, with the words highlighted that the reader found in it."""
        text = self.index.text_at(source.document_id, source.span)
        inside = [
            quote
            for quote in quotes
            if quote.document_id == source.document_id and quote.highlight and source.span.contains(quote.highlight)
        ]
        return Quote(source.document_id, source.span, text, source.score, inside[0].highlight if inside else None)

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
    path = find_writer(settings)
    model = LlamaCppModel(path, threads=settings.threads) if path is not None else None
    return Pipeline(index, reader=SpanReader(), checker=NeuralChecker(), model=model, settings=settings)


@dataclass(frozen=True, slots=True)
class _Drafting:
    """One draft after the other for a question: written, attributed, checked, each step told as progress."""

    writer: Writer
    history: Sequence[Turn]
    found: Sequence[RetrievedPassage]
    stopped: Callable[[], bool]
    answer: Answer
    clock: _Clock

    def write(
        self, question: Question, reading: Reading, failed: Draft | None = None
    ) -> Generator[Progress, None, tuple[Draft | None, list[Written]]]:
        """A draft, None where there is none, and those of its sentences that may be shown."""
        yield Progress("write", self.answer)
        draft = self.writer.write(question, self.history, self.found, reading, self.stopped, failed=failed)
        self.clock.lap("write")
        if draft is None:
            return None, []

        yield Progress("attribute", self.answer)
        written = self.writer.attribute(question, draft, self.found, reading)
        self.clock.lap("attribute")

        yield Progress("check", self.answer)
        shown = self.writer.check(question, draft, written, reading)
        self.clock.lap("check")
        return draft, shown


def _overlap(one: Quote, other: Quote) -> bool:
    return one.document_id == other.document_id and one.span.overlaps(other.span)


class _Clock:
    """Milliseconds of each stage, all its times together."""

    def __init__(self) -> None:
        self._start = self._last = time.perf_counter()
        self._laps: dict[str, float] = {}

    def lap(self, stage: str) -> dict[str, float]:
        now = time.perf_counter()
        self._laps[stage] = self._laps.get(stage, 0.0) + (now - self._last) * 1000
        self._last = now
        return dict(self._laps)

    def total(self) -> dict[str, float]:
        return {**self._laps, "total": (time.perf_counter() - self._start) * 1000}
