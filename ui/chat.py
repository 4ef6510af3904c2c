"""The conversation's events: what happens on a question and on Stop; nothing here knows about HTML or components."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rag import NO_ANSWER, Answer, ArticleChatError, Pipeline, Turn
from ui.rendering import Exchange

log = logging.getLogger(__name__)
_STAGES = {
    "retrieve": "Searching the article…",
    "read": "Reading the best passages…",
    "write": "Writing from the quotes and checking each sentence…",
}


@dataclass(frozen=True, slots=True)
class View:
    """What the page shows at one moment; `failed` where the last question got no answer and could be asked again."""

    exchanges: tuple[Exchange, ...]
    status: str
    running: bool = False
    failed: bool = False


class Chat:
    """Answers questions for any number of page visits; each has an id, its conversation is kept by the caller."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        self._running: dict[str, threading.Event] = {}

    def ask(self, question: str, before: Sequence[Exchange], visit: str) -> Iterator[View]:
        """The page as the answer grows; the last view is not `running` and holds the conversation to keep.

        A question that cannot be asked, and a model that fails, give a view that says so and keeps what was before.
        """
        before = tuple(before)
        stop = self._running[visit] = threading.Event()
        history = [Turn(exchange.answer.question, exchange.answer.text) for exchange in before]
        try:
            for progress in self._pipeline.stream(question, history, stopped=stop.is_set):
                done = progress.stage == "done"
                status = _outcome(progress.answer, stopped=stop.is_set()) if done else _STAGES[progress.stage]
                yield View((*before, Exchange(progress.answer, running=not done)), status, running=not done)
        except ArticleChatError as error:
            yield View(before, _sentence(str(error)), failed=True)
        except Exception:
            log.exception("a question could not be answered")
            yield View(before, "Something went wrong here; the terminal says what. Please ask again.", failed=True)
        finally:
            stop.set()
            if self._running.get(visit) is stop:
                del self._running[visit]

    def stop(self, visit: str) -> None:
        """End the drafting of the visit's answer, if one is being written; its quote is then shown."""
        if (running := self._running.get(visit)) is not None:
            running.set()


def _outcome(answer: Answer, *, stopped: bool) -> str:
    if answer.abstained:
        return NO_ANSWER
    quotes = "1 quote" if len(answer.citations) == 1 else f"{len(answer.citations)} quotes"
    return f"Stopped; found {quotes}." if stopped else f"Answered, with {quotes}."


def _sentence(message: str) -> str:
    return message[:1].upper() + message[1:]
