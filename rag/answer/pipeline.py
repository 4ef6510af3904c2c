"""The whole flow, from a question to a cited answer."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import AsyncGenerator, Callable, Generator, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

from rag.answer.citing import cite, quoted
from rag.answer.claims import CheckedClaim, ClaimChecker
from rag.answer.drafts import Checked, Draft, Source, Written
from rag.answer.evidence import evidence_for
from rag.answer.question import Question, understand, without_markers
from rag.answer.retrieval import retrieve
from rag.answer.rewording import QuoteWriter
from rag.answer.writing import ArticleWriter, Writer
from rag.errors import ServerError
from rag.library.index import PassageIndex
from rag.models import states
from rag.models.checker import Checker, NeuralChecker
from rag.models.llm import LanguageModel
from rag.models.reader.quotes import Reader, SpanReader
from rag.models.writers import open_writers
from rag.sentences import sentence_texts
from rag.settings import Settings
from rag.types import (
    NO_ANSWER,
    NONE_SAYS,
    NONE_SAYS_MORE,
    NOTHING_ELSE,
    Answer,
    Citation,
    Quote,
    Reading,
    RetrievedPassage,
    Statement,
    Turn,
)

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Progress:
    """Where an answer stands: the stage of STAGES that is running, or "done", and what there is."""

    stage: str
    answer: Answer


class Pipeline:
    """Answers questions about the documents of one index; without a language model it answers in quotes.

    The stand-ins write, in turn, where the model is behind a server that fails.
    """

    def __init__(
        self,
        index: PassageIndex,
        *,
        reader: Reader,
        checker: Checker,
        model: LanguageModel | None = None,
        stand_ins: Sequence[LanguageModel] = (),
        settings: Settings,
    ) -> None:
        self.index = index
        self._reader = reader
        self._checker = checker
        self._models = (model, *stand_ins) if model is not None else ()
        self._settings = settings
        self._claims = ClaimChecker(index, checker)
        self._writers: tuple[Writer, ...] = tuple(
            ArticleWriter(model, index, reader, checker, settings)
            if model.reads
            else QuoteWriter(model, reader, settings)
            for model in self._models
        )

    def over(self, index: PassageIndex) -> Pipeline:
        """A pipeline with the same models and settings over another index."""
        return Pipeline(
            index,
            reader=self._reader,
            checker=self._checker,
            model=self._models[0] if self._models else None,
            stand_ins=self._models[1:],
            settings=self._settings,
        )

    def in_quotes(self) -> Pipeline:
        """A pipeline over the same index that answers without a language model."""
        return Pipeline(self.index, reader=self._reader, checker=self._checker, settings=self._settings)

    def warm_up(self) -> None:
        """Load the models and read the common start of prompts, so that the first question is as quick as others."""
        found = retrieve(self.index, "warm up", k=1)
        reading = self._reader.read("warm up", self.index.documents, found, max_quotes=1)
        for writer in self._writers:
            try:
                writer.write(understand("warm up"), (), found, reading, lambda: False)
                return
            except ServerError as error:
                log.warning("%s", error)

    @property
    def models(self) -> dict[str, str]:
        """The names of the embedder, the reader and the language model ("none" without one)."""
        return self._names()

    @property
    def reads(self) -> bool:
        """Whether there is a language model that reads articles, and the text is not too long for it."""
        return bool(self._writers) and self._writers[0].article is not None

    def study(
        self,
        progress: Callable[[int, int], None] = lambda *_: None,
        stopped: Callable[[], bool] = lambda: False,
        busy: Callable[[], bool] = lambda: False,
    ) -> bool:
        """Let the language model read the whole article, once, where it can: answers are better and sooner afterwards.

        Questions are answered meanwhile, and sooner if nothing is read while `busy()`. `progress` is told how many
        tokens are read, of how many. False where there is nothing to read, or it was stopped.
        """
        for model, writer in zip(self._models, self._writers, strict=True):
            try:
                if writer.article is None or not model.study(writer.article, progress, stopped, busy):
                    return False
            except ServerError as error:
                log.warning("%s", error)
                continue
            states.trim(self._settings.indexes, self._settings.max_states_mb)
            return True
        return False

    def answer(
        self, question: str, history: Sequence[Turn] = (), *, stopped: Callable[[], bool] = lambda: False
    ) -> Answer:
        """The finished answer; see `stream`."""
        *_, last = self.stream(question, history, stopped=stopped)
        return last.answer

    def check(self, claim: str) -> CheckedClaim:
        """Whether the documents say what the claim says, sentence by sentence; no language model is needed for it.

        Raises UsageError for an empty or overlong claim.
        """
        return self._claims.check(claim)

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
        if exclude or not self._writers or not reading.quotes:
            yield Progress("done", replace(by_quote, timings_ms=clock.total()))
            return

        answer = replace(answer, citations=by_quote.citations, short_answer=by_quote.short_answer)
        drafting = _Drafting(list(self._writers), history, found, stopped, answer, clock)
        draft, checked = yield from drafting.write(asked, reading)
        shown = checked.shown
        if draft is not None and not shown:
            for part in asked.apart:
                _, of_part = yield from drafting.write(part, evidence.read(part, found, ()))
                shown += _without_repeated(of_part.shown, [one.text for one in shown])
        if draft is not None and not shown and checked.hopeful:
            _, again = yield from drafting.write(asked, reading, failed=draft)
            shown = again.shown
        unsaid = _without_repeated(shown, _said(history)) if asked.wants_more else shown
        if unsaid:
            answer = self._by_statements(answer, unsaid, reading)
        elif shown:
            answer = replace(answer, citations=(), short_answer=None, refusal=self._refusal(more=True))
        elif draft is None or stopped() or not drafting.writers or drafting.writers[0].trusts(asked, reading):
            answer = by_quote
        else:
            answer = replace(answer, citations=(), short_answer=None, refusal=self._refusal())
        yield Progress("done", replace(answer, timings_ms=clock.total(), model=self._names(drafting.failures)))

    async def astream(
        self,
        question: str,
        history: Sequence[Turn] = (),
        *,
        exclude: Sequence[Citation] = (),
        left: Callable[[threading.Thread], object] = lambda _: None,
    ) -> AsyncGenerator[Progress]:
        """The same for asynchronous programs: each step runs in a thread. Whoever is cancelled, or goes on without the
        rest, ends the step that runs within a moment, and `left` is told of the thread that has still to end.
        """
        loop, ended = asyncio.get_running_loop(), threading.Event()
        steps = self.stream(question, history, exclude=exclude, stopped=ended.is_set)
        made: asyncio.Queue[Progress | Exception | None] = asyncio.Queue()

        def make() -> None:
            with suppress(RuntimeError):  # the loop is closed, and nobody waits any more
                step: Progress | Exception | None = None
                while not ended.is_set():
                    try:
                        step = next(steps, None)
                    except Exception as error:  # noqa: BLE001 - it is raised where it is waited for
                        step = error
                    loop.call_soon_threadsafe(made.put_nowait, step)
                    if not isinstance(step, Progress):
                        return

        thread = threading.Thread(target=make, daemon=True)  # of a pool, the program could not end while it hangs
        thread.start()
        try:
            while (step := await made.get()) is not None:
                if isinstance(step, Exception):
                    raise step
                yield step
        finally:
            ended.set()
            if thread.is_alive():
                left(thread)

    def _refusal(self, *, more: bool = False) -> str:
        """That nothing was found, or nothing `more`, in the one article or in any of several."""
        if len(self.index.documents) > 1:
            return NONE_SAYS_MORE if more else NONE_SAYS
        return NOTHING_ELSE if more else NO_ANSWER

    def _by_quote(self, answer: Answer, reading: Reading, exclude: Sequence[Citation]) -> Answer:
        """The best quote word for word; a refusal, where it is not likely enough to answer."""
        if not reading.quotes or (reading.answerable < self._settings.abstain_below and not exclude):
            return replace(answer, refusal=self._refusal(more=bool(exclude)))
        best = reading.quotes[0]
        said = Statement(" ".join(best.text.split()), (1,), verbatim=True)
        cited = cite(self.index, reading.quotes)
        return replace(answer, statements=(said,), citations=cited, short_answer=best.highlighted)

    def _by_statements(self, answer: Answer, written: Sequence[Written], reading: Reading) -> Answer:
        """The written statements, citing the sentences that say so; behind these the reader's other quotes."""
        sources = list(dict.fromkeys(source for statement in written for source in statement.sources))
        cited = [self._as_quote(source, reading.quotes) for source in sources]
        others = [quote for quote in reading.quotes if not any(map(quote.overlaps, cited))]
        likely = [quote for quote in others if quote.score >= self._settings.abstain_below]
        cited += likely[: max(0, self._settings.max_quotes - len(cited))]
        return replace(
            answer,
            statements=tuple(
                Statement(statement.text, tuple(sorted(sources.index(source) + 1 for source in statement.sources)))
                for statement in written
            ),
            citations=cite(self.index, cited),
            short_answer=next((quote.highlighted for quote in cited if quote.highlight is not None), None),
        )

    def _as_quote(self, source: Source, quotes: Sequence[Quote]) -> Quote:
        """The source as a quote, with the words highlighted that the reader found in it."""
        inside = [
            quote
            for quote in quotes
            if quote.document_id == source.document_id and quote.highlight and source.span.contains(quote.highlight)
        ]
        return quoted(self.index, source, inside[0].highlight if inside else None)

    def _names(self, failures: Sequence[ServerError] = ()) -> dict[str, str]:
        """Who took part; where model servers failed, who stood in for them, and why."""
        names = [*(model.name for model in self._models), "none"]
        told = {"embedder": self.index.embedder.name, "reader": self._reader.name, "llm": names[len(failures)]}
        return {**told, "instead_of": "; ".join(map(str, failures))} if failures else told


def build_pipeline(index: PassageIndex, settings: Settings) -> Pipeline:
    """The pipeline that the settings describe, over the index; the models load on first use.

    Raises ModelError where the language model's file does not exist, SettingsError where a server's address is none.
    """
    models = open_writers(settings)
    return Pipeline(
        index,
        reader=SpanReader(),
        checker=NeuralChecker(),
        model=models[0] if models else None,
        stand_ins=models[1:],
        settings=settings,
    )


def _without_repeated(written: Sequence[Written], said: Sequence[str]) -> tuple[Written, ...]:
    return tuple(one for one in written if not any(map(one.repeats, said)))


def _said(history: Sequence[Turn]) -> list[str]:
    """The sentences of earlier answers."""
    return [sentence for turn in history for sentence in sentence_texts(without_markers(turn.answer))]


@dataclass(slots=True)
class _Drafting:
    """One draft after the other for a question: written, attributed, checked, each step told as progress.

    A writer whose server fails is left out from then on, its draft with it, and the next one writes.
    """

    writers: list[Writer]
    history: Sequence[Turn]
    found: Sequence[RetrievedPassage]
    stopped: Callable[[], bool]
    answer: Answer
    clock: _Clock
    failures: list[ServerError] = field(default_factory=list)

    def write(
        self, question: Question, reading: Reading, failed: Draft | None = None
    ) -> Generator[Progress, None, tuple[Draft | None, Checked]]:
        """A draft, None where there is none, and what may be shown of it."""
        draft = None
        while self.writers:
            writer = self.writers[0]
            yield Progress("write", self.answer)
            try:
                draft = writer.write(question, self.history, self.found, reading, self.stopped, failed=failed)
                break
            except ServerError as error:
                log.warning("%s", error)
                self.failures.append(error)
                del self.writers[0]
        self.clock.lap("write")
        if draft is None:
            return None, Checked(())

        yield Progress("attribute", self.answer)
        written = writer.attribute(question, draft, self.found, reading)
        self.clock.lap("attribute")

        yield Progress("check", self.answer)
        checked = writer.check(question, draft, written, reading, anew=failed is not None)
        self.clock.lap("check")
        return draft, checked


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
