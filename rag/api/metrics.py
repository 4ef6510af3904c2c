"""What a server counts and how long it takes, for Prometheus and for the log: numbers and our own words, never the text
of a question, an answer or an article.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal, TypeAlias, get_args

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest

from rag.api.errors import RefusedError
from rag.types import Answer

Outcome: TypeAlias = Literal["answered", "not_said", "stopped", "late", "failed"]
_SECONDS = (0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0)
log = logging.getLogger(__name__)


class Asked:
    """A question from when it was asked; its outcome is "stopped" unless somebody knows better."""

    def __init__(self) -> None:
        self.outcome: Outcome = "stopped"
        self.first_quote: float | None = None
        """Seconds after which there was a quote to show; None where there is none yet."""
        self._began = time.perf_counter()

    @property
    def seconds(self) -> float:
        """How long ago it was asked."""
        return time.perf_counter() - self._began

    def shows(self, answer: Answer) -> None:
        """Note what there is of the answer so far."""
        if self.first_quote is None and answer.citations:
            self.first_quote = self.seconds

    def has(self, answer: Answer, *, stopped: bool = False, late: bool = False) -> None:
        """Note that this is the whole answer, or what there is of one that was ended before."""
        full: Outcome = "not_said" if answer.abstained else "answered"
        self.outcome = "late" if late else "stopped" if stopped else full


class Metrics:
    """The figures of one server, in a registry of its own."""

    def __init__(self) -> None:
        own = self._registry = CollectorRegistry()
        self._watched: dict[str, Gauge] = {}
        ProcessCollector(registry=own)  # memory, processor time, open files, where the system tells
        self._questions = Counter("article_chat_questions", "Questions that ended.", ["outcome"], registry=own)
        self._first_quote = _histogram("first_quote", "From the question to the first quote, its wait included.", own)
        self._answer = _histogram("answer", "From the question to the whole answer, its wait included.", own)
        self._articles = Counter(
            "article_chat_articles", "Articles of visitors that arrived.", ["outcome"], registry=own
        )
        for outcome in (*get_args(Outcome), "busy"):
            self._questions.labels(outcome)  # told as 0 until there is one

    @contextmanager
    def question(self) -> Iterator[Asked]:
        """Counts a question, its wait included, when the block ends; what the block raises, it has failed with."""
        asked = Asked()
        try:
            yield asked
        except RefusedError as error:
            asked.outcome = "late" if error.status == 504 else "failed"
            raise
        except Exception:
            asked.outcome = "failed"
            raise
        finally:
            self._count(asked)

    def busy(self) -> None:
        """Count a question for which too many waited already."""
        self._questions.labels("busy").inc()
        log.info("a question was refused, as too many wait")

    def arrived(self, outcome: str, seconds: float) -> None:
        """Count an article of a visitor's: "done", "failed" or "cancelled"."""
        self._articles.labels(outcome).inc()
        log.info("an article arrived", extra={"facts": {"outcome": outcome, "seconds": round(seconds, 3)}})

    def watch(self, name: str, what: str, now: Callable[[], float]) -> None:
        """Tell the figure that `now`, of whoever watched last, returns whenever somebody asks."""
        if name not in self._watched:
            self._watched[name] = Gauge(f"article_chat_{name}", what, registry=self._registry)
        self._watched[name].set_function(now)

    def text(self) -> bytes:
        """All figures of now, in Prometheus' text format."""
        return generate_latest(self._registry)

    def _count(self, asked: Asked) -> None:
        seconds = asked.seconds
        self._questions.labels(asked.outcome).inc()
        if asked.first_quote is not None:
            self._first_quote.observe(asked.first_quote)
        if asked.outcome in {"answered", "not_said"}:
            self._answer.observe(seconds)
        facts: dict[str, float | str] = {"outcome": asked.outcome, "seconds": round(seconds, 3)}
        if asked.first_quote is not None:
            facts["first_quote_seconds"] = round(asked.first_quote, 3)
        log.info("a question ended", extra={"facts": facts})


def _histogram(name: str, what: str, registry: CollectorRegistry) -> Histogram:
    return Histogram(f"article_chat_{name}_seconds", what, registry=registry, buckets=_SECONDS)
