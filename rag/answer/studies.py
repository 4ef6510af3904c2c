"""Articles that the language model reads in the background, one after the other, each once."""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from rag.answer.pipeline import Pipeline
from rag.errors import ArticleChatError

MOST_REMEMBERED = 1000
"""Articles of which it is remembered how far they are read."""
MOST_WAITING = 100
"""Articles that wait to be read; of more, those are forgotten that wait longest, until somebody opens them again."""
_READ = 1.0
log = logging.getLogger(__name__)


class Studies:
    """Has the language model read the articles that people open; questions come first, whenever they come."""

    def __init__(self) -> None:
        self._shares: OrderedDict[tuple[str, ...], float] = OrderedDict()
        self._waiting: OrderedDict[tuple[str, ...], Pipeline] = OrderedDict()
        self._latest: tuple[str, ...] = ()
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="studies")

    def of(self, pipeline: Pipeline) -> float | None:
        """How much of the pipeline's articles has been read, in [0, 1]; None where there is nothing to read, or nothing
        more. The first call asks for it, and so does one for several articles after one for others: what is read of
        them is kept in memory only, where something else takes its place.
        """
        if not pipeline.reads or self._stopped.is_set():
            return None
        articles = tuple(pipeline.index.documents)
        with self._lock:
            again = pipeline.index.folder is None and self._latest != articles and self._shares.get(articles) == _READ
            self._latest = articles
            if again or articles not in self._shares:
                self._shares[articles] = 0.0
                self._waiting[articles] = pipeline
                self._worker.submit(self._study, articles)
                if len(self._waiting) > MOST_WAITING:
                    self._shares.pop(self._waiting.popitem(last=False)[0], None)
                if len(self._shares) > MOST_REMEMBERED:
                    self._shares.popitem(last=False)
            share = self._shares[articles]
        return share if share < _READ else None

    def forget(self, article: str) -> None:
        """Stop reading an article that was removed, alone or with others, and keep nothing of it."""
        with self._lock:
            for articles in [articles for articles in self._shares if article in articles]:
                del self._shares[articles]
                self._waiting.pop(articles, None)

    def stop(self) -> None:
        """End the reading within a moment, and wait for that."""
        self._stopped.set()
        self._worker.shutdown(cancel_futures=True)

    def _study(self, articles: tuple[str, ...]) -> None:
        with self._lock:
            pipeline = self._waiting.pop(articles, None)
        if pipeline is None:
            return
        try:
            pipeline.study(
                partial(self._note, articles), lambda: self._stopped.is_set() or articles not in self._shares
            )
        except ArticleChatError as error:
            log.warning("an article could not be read by the language model: %s", error)
        finally:
            self._note(articles, 1, 1)

    def _note(self, articles: tuple[str, ...], done: int, total: int) -> None:
        with self._lock:
            if articles in self._shares:
                self._shares[articles] = done / total
