"""What programs can ask, by name: the collection that is served, others, each article of one, and one's own."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial

from rag.answer.pipeline import Pipeline
from rag.api.served import ServedCollection
from rag.errors import CollectionError
from rag.library.collections import Library
from rag.library.index import PassageIndex
from rag.library.manifest import ArticleEntry
from rag.library.shelf import Shelf
from rag.types import Document

OPEN_PIPELINES = 4
"""Collections and single articles kept in memory beside the one that is served, the last used."""
_SEVERAL = 2


@dataclass(frozen=True, slots=True)
class Named:
    """Something that can be asked: its name for programs, and its title for people."""

    name: str
    title: str


class Articles:
    """A pipeline for each name: `seeds` is a collection, `seeds:hanoi-summit` an article of it, and a visitor's own
    article is known by its id.

    With a library, its other collections than the one that is `served` have names, too, and are opened again where
    `index` or `remove` has changed them since; with a shelf, an owner's own articles, which nobody else can ask.
    """

    def __init__(self, served: ServedCollection, *, library: Library | None = None, shelf: Shelf | None = None) -> None:
        self._served = served
        self.collection = served.name
        self._library = library
        self._shelf = shelf
        self._open: OrderedDict[str, tuple[object, Pipeline]] = OrderedDict()
        self._lock = threading.Lock()

    def named(self, owner: str = "") -> list[Named]:
        """Everything that the owner can ask, first the collection that is served; where there are several articles in
        a collection, each of them behind it.
        """
        collections: dict[str, Iterable[Document | ArticleEntry]] = {}
        if (served := self._served.index()) is not None:
            collections[self.collection] = served.documents.values()
        for info in self._library.collections() if self._library is not None else ():
            collections.setdefault(info.name, info.documents)
        found: list[Named] = []
        for name in sorted(collections, key=lambda name: name != self.collection):
            found += _names(name, collections[name])
        if self._shelf is not None:
            found += [Named(entry.id, entry.title) for entry in self._shelf.articles(owner)]
        return found

    def pipeline(self, name: str, owner: str = "") -> Pipeline:
        """What answers under the name; raises CollectionError where the owner can ask nothing of that name."""
        collection, colon, article = name.partition(":")
        whole = self._whole(collection, owner)
        if whole is None or (colon and article not in whole.index.documents):
            known = ", ".join(named.name for named in self.named(owner)[:10]) or "nothing"
            raise CollectionError(f"there is nothing called {name!r} to ask; there is, among others: {known}")
        if not colon:
            return whole
        return self._kept(name, whole.index.version, partial(whole.index.part, article))

    def _whole(self, collection: str, owner: str) -> Pipeline | None:
        if collection == self.collection and (served := self._served.now()) is not None:
            return served
        version = self._library.version(collection) if self._library is not None else None
        if self._library is not None and version is not None:
            return self._kept(collection, version, partial(self._library.open, collection))
        if self._shelf is not None and any(entry.id == collection for entry in self._shelf.articles(owner)):
            return self._served.over(self._shelf.open(owner, collection))
        return None

    def _kept(self, name: str, version: object, index: Callable[[], PassageIndex]) -> Pipeline:
        """The pipeline that was made for the name, or a new one where that was made of another version."""
        with self._lock:
            made_of, pipeline = self._open.get(name, (None, None))
            if pipeline is None or made_of != version:
                pipeline = self._served.over(index())
                self._open[name] = version, pipeline
            self._open.move_to_end(name)
            while len(self._open) > OPEN_PIPELINES:
                self._open.popitem(last=False)
            return pipeline


def _names(collection: str, articles: Iterable[Document | ArticleEntry]) -> Iterator[Named]:
    """The collection, called as its only article where it has no other; and each article, where it has several."""
    entries = list(articles)
    several = len(entries) >= _SEVERAL
    yield Named(collection, f"{collection} ({len(entries)} articles)" if several else entries[0].title)
    for entry in entries if several else ():
        yield Named(f"{collection}:{entry.id}", entry.title)
