"""What is found out about articles in the background, one choice of them after the other, and remembered."""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Generic, TypeVar

from rag.answer.pipeline import Pipeline
from rag.library.index import PassageIndex

MOST_REMEMBERED = 1000
"""Articles, and choices of several, of which it is remembered what was found out."""
MOST_WAITING = 100
"""Of those, so many may wait; of more, those are forgotten that wait longest, until somebody asks for them again."""
T = TypeVar("T")
log = logging.getLogger(__name__)
_LOOK_AGAIN_AFTER = 0.2


def undisturbed(busy: Callable[[], bool], stopped: Callable[[], bool]) -> bool:
    """Wait while `busy()`; whether to go on, as it is not `stopped()`."""
    while busy() and not stopped():
        time.sleep(_LOOK_AGAIN_AFTER)
    return not stopped()


@dataclass(frozen=True, slots=True)
class Articles:
    """A pipeline's documents: their ids, in their order, and the version of their index."""

    ids: tuple[str, ...]
    version: str

    @classmethod
    def of(cls, pipeline: Pipeline) -> Articles:
        """Those of the pipeline."""
        return cls(tuple(pipeline.index.documents), pipeline.index.version)


class Background(Generic[T]):
    """Has work done for the articles that are asked for, once, and remembers what is known of each: `at_first` until
    the work notes something else.

    The work runs in one thread, and is to end soon after its articles are not wanted any more.
    """

    def __init__(self, name: str, work: Callable[[Articles, Pipeline], None], at_first: T) -> None:
        self._work = work
        self._at_first = at_first
        self._known: OrderedDict[Articles, T] = OrderedDict()
        self._waiting: OrderedDict[Articles, Pipeline] = OrderedDict()
        self._lock = threading.Lock()
        self.stopped = threading.Event()
        """Set once nothing more is to be done."""
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix=name)

    def of(self, pipeline: Pipeline) -> T:
        """What is known of the pipeline's articles; the first call asks for the work."""
        articles = Articles.of(pipeline)
        with self._lock:
            if articles not in self._known and not self.stopped.is_set():
                self._known[articles] = self._at_first
                self._waiting[articles] = pipeline
                self._worker.submit(self._do, articles)
                if len(self._waiting) > MOST_WAITING:
                    self._known.pop(self._waiting.popitem(last=False)[0], None)
                if len(self._known) > MOST_REMEMBERED:
                    self._known.popitem(last=False)
            return self._known.get(articles, self._at_first)

    def note(self, articles: Articles, found: T) -> None:
        """Remember what was found out about articles that are still wanted."""
        with self._lock:
            if self._is_wanted(articles):
                self._known[articles] = found

    def wants(self, articles: Articles) -> bool:
        """Whether the work for these articles is to go on."""
        with self._lock:
            return not self.stopped.is_set() and self._is_wanted(articles)

    def drop(self, articles: Articles, found: T) -> None:
        """Have the work done anew when it is asked for, where this is what is known of the articles."""
        with self._lock:
            if self._known.get(articles) == found:
                del self._known[articles]

    def end(self, articles: Articles) -> None:
        """Keep nothing of exactly these articles, and end the work for them."""
        with self._lock:
            self._end(articles)

    def forget(self, article: str) -> None:
        """Keep nothing of an article, alone or with others, and end the work for it."""
        with self._lock:
            for articles in [articles for articles in self._known if article in articles.ids]:
                self._end(articles)

    def renew(self, before: PassageIndex, now: PassageIndex | None) -> None:
        """Where `now` is in the place of `before`: keep nothing of articles that were changed or removed, nor of all
        of them together, and end the work for that.
        """
        after = now.documents if now is not None else {}
        changed = {key for key, document in before.documents.items() if after.get(key) != document}
        with self._lock:
            for articles in list(self._known):
                if articles.version == before.version or not changed.isdisjoint(articles.ids):
                    self._end(articles)

    def stop(self) -> None:
        """End the work, and wait for that."""
        with self._lock:
            self.stopped.set()
        self._worker.shutdown(cancel_futures=True)

    def _end(self, articles: Articles) -> None:
        self._known.pop(articles, None)
        self._waiting.pop(articles, None)

    def _is_wanted(self, articles: Articles) -> bool:
        """Whether they are, by the work that runs: what waits was asked for anew, and is done from its beginning."""
        return articles in self._known and articles not in self._waiting

    def _do(self, articles: Articles) -> None:
        with self._lock:
            pipeline = self._waiting.pop(articles, None)
        if pipeline is None:  # it was forgotten while it waited
            return
        try:
            self._work(articles, pipeline)
        except Exception:
            log.exception("what is made of articles in the background ended with an error")
