"""The whole flow, from a question to a cited answer."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from rag.answer.evidence import evidence_for
from rag.answer.grounding import check
from rag.answer.prompts import draft_prompt
from rag.answer.question import understand
from rag.answer.retrieval import retrieve
from rag.library.index import PassageIndex
from rag.models.catalogue import find_writer
from rag.models.llm import LanguageModel, LlamaCppModel
from rag.models.reader.quotes import Reader, SpanReader
from rag.sentences import split_sentences
from rag.settings import Settings
from rag.types import (
    NO_ANSWER,
    NOTHING_ELSE,
    Answer,
    Citation,
    Document,
    Passage,
    Quote,
    RetrievedPassage,
    Span,
    Statement,
    Turn,
)


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
        exclude: Sequence[Citation] = (),
        stopped: Callable[[], bool] = lambda: False,
    ) -> Iterator[Progress]:
        """The answer as it grows; each step names the stage that comes next, the last is "done".

        Citations are there from stage "write" on, statements come one by one as each has been verified. When
        `stopped()` becomes true, drafting ends and the quote is shown. With `exclude`, the quotes of an earlier answer
        to this question, it answers from the next best ones, or says that there is nothing else. Raises UsageError for
        an empty or overlong question.
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
        if not reading.quotes or (reading.answerable < self._settings.abstain_below and not exclude):
            refusal = NOTHING_ELSE if exclude else NO_ANSWER
            yield Progress("done", replace(answer, refusal=refusal, timings_ms=clock.total()))
            return
        best = reading.quotes[0]
        answer = replace(answer, citations=self._cite(reading.quotes), short_answer=best.highlighted)

        yield Progress("write", answer)
        for sentence in () if asked.about_whole else self._write(best, asked.standalone, stopped):
            answer = replace(answer, statements=(*answer.statements, Statement(sentence, (1,))))
            yield Progress("write", answer)
        if not answer.statements:
            quoted = Statement(" ".join(best.text.split()), (1,), verbatim=True)
            answer = replace(answer, statements=(quoted,))
        clock.lap("write")
        yield Progress("done", replace(answer, timings_ms=clock.total()))

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
