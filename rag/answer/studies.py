"""Articles that the language model reads in the background, one after the other, each once."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from rag.answer.background import Articles, Background
from rag.answer.pipeline import Pipeline
from rag.errors import ArticleChatError
from rag.library.index import PassageIndex

PATIENCE_SECONDS = 60.0
"""So long reading waits for questions that follow each other; then it goes on between their steps, as all of them are
answered better and sooner once the article is read."""
_READ = 1.0
log = logging.getLogger(__name__)


class Studies:
    """Has the language model read the articles that people open; questions come first, whenever they come: while
    `busy()` it waits, at most PATIENCE_SECONDS.
    """

    def __init__(self, busy: Callable[[], bool] = lambda: False) -> None:
        self._busy = busy
        self._busy_since: float | None = None
        self._shares = Background("studies", self._study, 0.0)
        self._latest: Articles | None = None

    def of(self, pipeline: Pipeline) -> float | None:
        """How much of the pipeline's articles has been read, in [0, 1]; None where there is nothing to read, or nothing
        more. The first call asks for it, and so does one for several articles after one for others: what is read of
        them is kept in memory only, where something else takes its place.
        """
        if not pipeline.reads or self._shares.stopped.is_set():
            return None
        articles = Articles.of(pipeline)
        if pipeline.index.folder is None and self._latest != articles:
            self._shares.drop(articles, _READ)
        self._latest = articles
        share = self._shares.of(pipeline)
        return share if share < _READ else None

    def forget(self, article: str) -> None:
        """Stop reading an article that was removed, alone or with others, and keep nothing of it."""
        self._shares.forget(article)

    def renew(self, before: PassageIndex, now: PassageIndex | None) -> None:
        """Stop reading what has changed where `now` is in the place of `before`, and keep nothing of it."""
        self._shares.renew(before, now)

    def stop(self) -> None:
        """End the reading within a moment, and wait for that."""
        self._shares.stop()

    def _study(self, articles: Articles, pipeline: Pipeline) -> None:
        def progress(done: int, total: int) -> None:
            self._shares.note(articles, done / total)

        try:
            pipeline.study(progress, lambda: not self._shares.wants(articles), self._waits)
        except ArticleChatError as error:
            log.warning("an article could not be read by the language model: %s", error)
        finally:
            self._shares.note(articles, _READ)

    def _waits(self) -> bool:
        """Whether to wait for questions, which share the processor with reading."""
        if not self._busy():
            self._busy_since = None
            return False
        now = time.monotonic()
        self._busy_since = self._busy_since or now
        return now - self._busy_since < PATIENCE_SECONDS
