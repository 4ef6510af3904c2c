"""The conversation's events: what happens on a question, a retry and Stop; nothing here knows of HTML or components."""

from __future__ import annotations

import asyncio
import logging
import math
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from functools import partial

from rag import Answer, ArticleChatError, BusyError, ModelError, Pipeline, Turn
from rag.api import Metrics, Stream
from ui.exchanges import Conversation, Exchange
from ui.waiting import Loading, Place, WaitingLine
from ui.watch import UnresponsiveError, Watch

log = logging.getLogger(__name__)
_STAGES = {
    "retrieve": "Searching the article…",
    "read": "Reading the best passages…",
    "write": "Writing the answer…",
    "attribute": "Looking for the words that say so…",
    "check": "Checking each sentence…",
}
_LOOK_AGAIN_AFTER = 0.5
"""Seconds that a waiting question holds a thread before it lets others have it."""

_LOOK_EVERY = 0.1
"""Seconds after which a question that holds no thread looks whether it is its turn."""


@dataclass(frozen=True, slots=True)
class View:
    """What the page shows at one moment; `failed` where the last question got no answer and could be asked again."""

    conversation: Conversation
    status: str
    running: bool = False
    failed: bool = False


class Chat:
    """Answers questions for any number of page visits, one after the other; each visit has an id, its conversation is
    kept by the caller.

    An answer that takes longer than `seconds` is stopped; where what computes it does not end then, whoever asked is
    told so, and the others are answered in quotes alone until it does. `metrics` counts the questions.
    """

    def __init__(self, loading: Loading | None = None, *, seconds: float = math.inf) -> None:
        self.metrics = Metrics()
        self._loading = loading
        self._watch = Watch(seconds)
        self._line = WaitingLine()
        self._running: dict[str, threading.Event] = {}
        watch = self.metrics.watch
        watch("questions_running", "Questions that are being answered.", self._answers)
        watch("questions_waiting", "Questions that wait.", lambda: len(self._line) - self._answers())
        watch("models_loaded", "Whether the models are loaded.", self._has_models)
        watch("unresponsive", "Answers that were asked to end and did not.", self._watch.left_behind)

    def ask(
        self,
        pipeline: Pipeline,
        question: str,
        conversation: Conversation,
        visit: str,
        *,
        owner: str = "",
        replacing_last: bool = False,
    ) -> Iterator[View]:
        """The page as the answer grows; the last view is not `running` and holds the conversation to keep.

        With `replacing_last` the question takes the place of the last one. A question that cannot be asked, one
        that finds too many waiting (of its owner's, or of all), one that was stopped while it waited, and a model that
        fails, give a view that says so and keeps what was before.
        """
        before = conversation.exchanges[:-1] if replacing_last else conversation.exchanges
        return self._run(pipeline, question, conversation, visit, owner, before=before)

    def retry(self, pipeline: Pipeline, conversation: Conversation, visit: str, *, owner: str = "") -> Iterator[View]:
        """The same for the last question once more, answered from the quotes that it has not shown yet."""
        if not conversation.exchanges:
            return iter(())
        *before, last = conversation.exchanges
        earlier = (*last.earlier, last.answer)
        question = last.answer.question
        return self._run(pipeline, question, conversation, visit, owner, before=tuple(before), earlier=earlier)

    def stop(self, visit: str) -> None:
        """End the drafting of the visit's answer, if one is being written; its quote is then shown."""
        if (running := self._running.get(visit)) is not None:
            running.set()

    def is_running(self, visit: str) -> bool:
        """Whether the visit has a question that waits or is being answered."""
        return visit in self._running

    def is_busy(self) -> bool:
        """Whether anybody's question is being answered, or the models still load."""
        return not self._line.is_empty() or (self._loading is not None and not self._loading.finished.is_set())

    def responds(self) -> bool:
        """Whether everything that was asked to end did."""
        return not self._watch.unresponsive()

    def loads(self) -> str:
        """One line that says so while the models load, or why they could not be; else ""."""
        return self._loading.message() if self._loading is not None else ""

    def state(self) -> str:
        """Whether it is "ready", "loading" its models, "failed" to load them, or "unresponsive", as something was asked
        to end and did not; waits for nothing.
        """
        if self._loading is not None and not self._loading.finished.is_set():
            return "loading"
        if not self._has_models():
            return "failed"
        return "unresponsive" if self._watch.left_behind() else "ready"

    @contextmanager
    def place(self, owner: str) -> Iterator[Callable[[Pipeline], Awaitable[Stream]]]:
        """A place in the line, while the block lasts, for a question that is asked elsewhere than on the page; what it
        gives is awaited until it is the question's turn, and returns what streams the answer of the pipeline.

        Raises BusyError where none is left; what is awaited raises ModelError where the models could not be loaded, or
        do not respond.
        """
        place = self._join(owner)
        try:
            yield partial(self._turn, place)
        finally:
            self._line.leave(place)

    def _join(self, owner: str) -> Place:
        try:
            return self._line.join(owner)
        except BusyError:
            self.metrics.busy()
            raise

    def _has_models(self) -> bool:
        return self._loading is None or (self._loading.finished.is_set() and self._loading.error is None)

    def _answers(self) -> int:
        """How many questions are being answered."""
        return int(self._has_models() and not self._line.is_empty())

    async def _turn(self, place: Place, pipeline: Pipeline) -> Stream:
        loading = self._loading
        while self._line.before(place, 0) or (loading is not None and not loading.finished.is_set()):
            await asyncio.sleep(_LOOK_EVERY)  # no thread is held meanwhile
        if loading is not None and loading.error is not None:
            raise ModelError(loading.message())
        responsive = await asyncio.to_thread(self._responsive, pipeline)
        return partial(responsive.astream, left=self._watch.leave)

    def _run(
        self,
        pipeline: Pipeline,
        question: str,
        conversation: Conversation,
        visit: str,
        owner: str,
        *,
        before: tuple[Exchange, ...],
        earlier: tuple[Answer, ...] = (),
    ) -> Iterator[View]:
        if visit in self._running:
            return
        try:
            place = self._join(owner)
        except BusyError as error:
            yield View(conversation, sentence(str(error)), failed=True)
            return
        stop, late = threading.Event(), threading.Event()
        self._running[visit] = stop
        named = conversation.named()
        history = [Turn(exchange.answer.question, exchange.last_answered().spoken) for exchange in before]
        exclude = Exchange(earlier[-1], earlier[:-1]).cited() if earlier else ()

        def view(answer: Answer, status: str, *, running: bool) -> View:
            exchange = Exchange(answer, earlier, running=running)
            return View(replace(named, exchanges=(*before, exchange)), status, running=running)

        try:
            # Before it waits: whether it can be asked at all, and the answer without anything in it yet.
            empty = next(pipeline.stream(question, history)).answer
            with self.metrics.question() as asked:
                for status in self._waits(place, stop):
                    yield view(empty, status, running=True)
                if stop.is_set():
                    last = View(conversation, "Stopped before it was answered.", failed=True)
                else:
                    responsive = self._responsive(pipeline)
                    steps = responsive.stream(
                        question, history, exclude=exclude, stopped=lambda: stop.is_set() or late.is_set()
                    )
                    with closing(self._watch.over(steps, stop, late)) as watched:
                        for progress in watched:
                            asked.shows(progress.answer)
                            if progress.stage != "done":
                                yield view(progress.answer, _STAGES[progress.stage], running=True)
                    asked.has(progress.answer, stopped=stop.is_set(), late=late.is_set())
                    status = _outcome(progress.answer, stopped=stop.is_set(), late=late.is_set())
                    if responsive is not pipeline:
                        status += " The language model does not respond, so these are quotes alone."
                    last = view(progress.answer, status, running=False)
        except ArticleChatError as error:
            last = View(conversation, sentence(str(error)), failed=True)
        except Exception:
            log.exception("a question could not be answered")
            last = View(
                conversation, "Something went wrong here; the terminal says what. Please ask again.", failed=True
            )
        finally:
            stop.set()
            self._line.leave(place)
            del self._running[visit]
        yield last  # who sees it can go on at once: nothing runs any more

    def _responsive(self, pipeline: Pipeline) -> Pipeline:
        """The pipeline, without its language model while that does not respond; raises UnresponsiveError where what is
        left of it did not either.
        """
        left_behind = self._watch.unresponsive()
        if left_behind > 1:
            raise UnresponsiveError("the models do not respond any more; restart the server: article-chat serve")
        return pipeline.in_quotes() if left_behind else pipeline

    def _waits(self, place: Place, stop: threading.Event) -> Iterator[str]:
        """What it waits for, again and again, until it is the question's turn or it was stopped.

        Raises ModelError where the models could not be loaded.
        """
        while (before := self._line.before(place, 0)) and not stop.is_set():
            yield "1 question is before yours." if before == 1 else f"{before} questions are before yours."
            self._line.before(place, _LOOK_AGAIN_AFTER)
        while self._loading is not None and not self._loading.finished.is_set() and not stop.is_set():
            yield self._loading.message()
            self._loading.finished.wait(_LOOK_AGAIN_AFTER)
        if self._loading is not None and self._loading.error is not None:
            raise ModelError(self._loading.message())


def _outcome(answer: Answer, *, stopped: bool, late: bool) -> str:
    if answer.abstained:
        return answer.text
    quotes = "1 quote" if len(answer.citations) == 1 else f"{len(answer.citations)} quotes"
    if late:
        return f"It took too long and was stopped; found {quotes}."
    return f"Stopped; found {quotes}." if stopped else f"Answered, with {quotes}."


def sentence(message: str) -> str:
    """An error's message as a sentence of the page."""
    return message[:1].upper() + message[1:]
