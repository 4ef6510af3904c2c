"""What is found out about articles in the background, one choice of them after the other, and remembered."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, TypeAlias, TypeVar

from rag.answer.pipeline import Pipeline

MOST_REMEMBERED = 1000
"""Articles, and choices of several, of which it is remembered what was found out."""
MOST_WAITING = 100
"""Of those, so many may wait; of more, those are forgotten that wait longest, until somebody asks for them again."""
Articles: TypeAlias = tuple[str, ...]
"""The ids of a pipeline's documents, in their order."""
T = TypeVar("T")
_LOOK_AGAIN_AFTER = 0.2


def undisturbed(busy: Callable[[], bool], stopped: Callable[[], bool]) -> bool:
    """Wait while `busy()`; whether to go on, as it is not `stopped()`."""
    while busy() and not stopped():
        time.sleep(_LOOK_AGAIN_AFTER)
    return not stopped()


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
        articles = tuple(pipeline.index.documents)
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
            for articles in [articles for articles in self._known if article in articles]:
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
        if pipeline is not None:  # else it was forgotten while it waited
            self._work(articles, pipeline)
