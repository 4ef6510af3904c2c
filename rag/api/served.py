"""The collection that is served, as it is on the disk now: whoever needs its index asks here, and nowhere else."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping

from rag.answer.pipeline import Pipeline
from rag.errors import ArticleChatError, CollectionError, IndexUnreadableError
from rag.library.collections import Library
from rag.library.index import PassageIndex
from rag.types import Document

log = logging.getLogger(__name__)


class ServedCollection:
    """A pipeline over the collection, which is read anew where somebody has changed it: what was begun with the one
    before ends with it, and the next that is begun has the new one.

    Without a library, or where the collection was never on the disk, it stays as it is. `changed` is told of the index
    that was, and of that in its place, None where the collection was removed.
    """

    def __init__(self, pipeline: Pipeline, name: str, library: Library | None = None) -> None:
        self.name = name
        self.changed: Callable[[PassageIndex, PassageIndex | None], object] = lambda *_: None
        self._last = pipeline
        self._is_there = True
        self._version = library.version(name) if library is not None else None
        self._library = library if self._version is not None else None
        self._told = ""
        self._looking = threading.Lock()

    def now(self) -> Pipeline | None:
        """What answers now, None where the collection was removed.

        Whoever is the first to see a change reads the index; the others have the one before until it is there, and all
        of them have it where the new one cannot be read, which the log says once.
        """
        if self._looking.acquire(blocking=False):
            try:
                if self._library is not None:
                    self._look(self._library)
            finally:
                self._looking.release()
        return self._last if self._is_there else None

    def pipeline(self) -> Pipeline:
        """The same; raises CollectionError where the collection was removed."""
        if (now := self.now()) is None:
            raise CollectionError("the articles that could be asked here were removed; choose another, or add one")
        return now

    def index(self) -> PassageIndex | None:
        """The index of what answers now, None where the collection was removed."""
        now = self.now()
        return now.index if now is not None else None

    def over(self, index: PassageIndex) -> Pipeline:
        """A pipeline with the same models over another index."""
        return self._last.over(index)

    def warm_up(self) -> None:
        """Load the models, as `Pipeline.warm_up` does."""
        self._last.warm_up()

    @property
    def documents(self) -> Mapping[str, Document]:
        """What was there when somebody looked last; looks at nothing."""
        return self._last.index.documents if self._is_there else {}

    @property
    def models(self) -> dict[str, str]:
        """The names of the models, as `Pipeline.models` has them."""
        return self._last.models

    def close(self) -> None:
        """Look no more; what is being read is read to its end first."""
        with self._looking:
            self._library = None

    def _look(self, library: Library) -> None:
        version = self._version
        began = time.perf_counter()
        try:
            version = library.version(self.name)
            if version == self._version:
                return
            index = library.open(self.name) if version is not None else None
        except CollectionError:  # it was removed meanwhile, or has no article any more
            index = None
        except (ArticleChatError, OSError) as error:
            if not isinstance(error, IndexUnreadableError):  # that may pass; all else needs another change
                self._version = version
            if str(error) != self._told:
                self._told = str(error)
                log.warning("%s is answered from as it was before: %s", self.name, error)
            return
        self._version, self._told = version, ""
        before = self._last.index if self._is_there else None
        if index is not None:
            self._last = self._last.over(index)
        self._is_there = index is not None
        articles, seconds = len(self.documents), round(time.perf_counter() - began, 3)
        log.info("the collection was changed", extra={"facts": {"articles": articles, "seconds": seconds}})
        if before is not None and (index is None or index.version != before.version):
            self.changed(before, index)
