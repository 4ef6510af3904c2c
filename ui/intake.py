"""What visitors bring, on its way to their shelves: read, in line, indexed; each can be given up by its owner."""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from rag import (
    ArticleChatError,
    ArticleEntry,
    CollectionError,
    Document,
    DocumentError,
    LeftOutError,
    NoRoomError,
    Shelf,
)
from rag.api import Metrics, RefusedError
from ui.chat import sentence

MOST_AT_ONCE = 4
"""Articles that one owner can have on their way."""
_LAST = frozenset({"done", "failed", "cancelled"})
log = logging.getLogger(__name__)

Event = dict[str, Any]
Found: TypeAlias = Callable[[], Iterable[Document | DocumentError]]
"""Reads the articles that arrive, one by one, or in place of one the error that says why it cannot be read."""
MOST_TOLD = 3
"""Of what was not added, so much is told."""


class GivenUpError(ArticleChatError):
    """The owner has given up an article that was on its way."""


@dataclass(slots=True)
class Arrival:
    """An article on its way: whose it is, what it is called, and the last event of it, which `tell` sends on."""

    owner: str
    name: str
    tell: Callable[[Event], None]
    id: str = field(default_factory=lambda: secrets.token_hex(16))
    number: int = 1
    """Which of the articles in its file it is at."""
    event: Event = field(default_factory=dict)
    cancelled: threading.Event = field(default_factory=threading.Event)

    def at(self, stage: str, **how_far: int) -> None:
        """Tell where it stands, where that has changed; raises GivenUpError once its owner has given it up."""
        if self.cancelled.is_set():
            raise GivenUpError("it was given up")
        event = {"stage": stage, "id": self.id, **({"number": self.number} if self.number > 1 else {}), **how_far}
        if event != self.event:
            self.event = event
            self.tell(event)


class Intake:
    """Reads and indexes what arrives, and tells how far it is; `metrics` counts it."""

    def __init__(self, shelf: Shelf, metrics: Metrics) -> None:
        self._shelf = shelf
        self._metrics = metrics
        self._places: Counter[str] = Counter()
        self._arrivals: dict[str, Arrival] = {}
        metrics.watch("articles_arriving", "Articles that are read, wait or are indexed.", lambda: len(self._arrivals))
        self._lock = threading.Lock()

    @contextmanager
    def place(self, owner: str) -> Iterator[None]:
        """Count an article that is on its way; raises RefusedError (429) where the owner has too many of them."""
        with self._lock:
            if self._places[owner] >= MOST_AT_ONCE:
                raise RefusedError(429, "your other articles are still being added; wait until they are")
            self._places[owner] += 1
        try:
            yield
        finally:
            with self._lock:
                self._places[owner] -= 1
                self._places += Counter()  # forget who has none

    def of(self, owner: str) -> list[Event]:
        """The last event of each of the owner's articles that are on their way, with its name."""
        with self._lock:
            return [{**one.event, "name": one.name} for one in self._arrivals.values() if one.owner == owner]

    def cancel(self, owner: str, arrival: str) -> None:
        """End what is done for the owner's article, within a moment once its file is read; nothing of it is left.

        Raises RefusedError (404) where none of the owner's is on its way under this id.
        """
        with self._lock:
            found = self._arrivals.get(arrival)
        if found is None or found.owner != owner:
            raise RefusedError(404, "this article is not, or no longer, on its way")
        found.cancelled.set()

    def lines(self, owner: str, name: str, find: Found, place: ExitStack) -> AsyncIterator[str]:
        """The lines of progress while the articles that `find` reads are added for the owner, who then has the place
        back.
        """
        events: asyncio.Queue[Event] = asyncio.Queue()
        loop = asyncio.get_running_loop()

        def tell(event: Event) -> None:
            with suppress(RuntimeError):  # the server has stopped
                loop.call_soon_threadsafe(events.put_nowait, event)

        arrival = Arrival(owner, name, tell)
        arrival.at("reading")
        with self._lock:
            self._arrivals[arrival.id] = arrival
        # A thread, not a task: who closes the tab has added the article all the same.
        threading.Thread(target=self._work, args=(arrival, find, place), daemon=True).start()
        return _until_last(events)

    def _work(self, arrival: Arrival, find: Found, place: ExitStack) -> None:
        began = time.perf_counter()
        added: list[ArticleEntry] = []
        refused: list[str] = []
        nearly: list[Event] = []
        before: set[str] = set()
        given_up = False
        try:
            before = {entry.id for entry in self._shelf.articles(arrival.owner)}
            for made in self._each(arrival, find):
                if isinstance(made, str):
                    refused.append(made)
                else:
                    is_new = made.id not in before.union(entry.id for entry in added)
                    added.append(made)
                    if is_new:
                        nearly += self._nearly(arrival.owner, made)
        except GivenUpError:
            given_up = True
        except DocumentError as error:
            refused.append(str(error))  # it begins with the file's name
        except ArticleChatError as error:
            refused.append(sentence(str(error)))
        except Exception:
            log.exception("an article could not be added")
            refused.append("Something went wrong here; the terminal says what.")
        finally:
            with self._lock:
                del self._arrivals[arrival.id]
            place.close()
            new = {entry.id: entry for entry in added if entry.id not in before}
            last: Event = {"stage": "cancelled", "added": len(new)} if given_up else _last(added, new, nearly, refused)
            self._metrics.arrived(last["stage"], time.perf_counter() - began)
            arrival.tell(last)

    def _nearly(self, owner: str, entry: ArticleEntry) -> Iterator[Event]:
        """What is told where the article, which is new, has nearly the text of another of the owner's."""
        if (found := self._shelf.nearest_duplicate(owner, entry.id)) is not None:
            other, percent = found
            like = {"id": other.id, "title": other.title}
            yield {"id": entry.id, "title": entry.title, "like": like, "percent": percent}

    def _each(self, arrival: Arrival, find: Found) -> Iterator[ArticleEntry | str]:
        """Each article, once it is added, or in its place why it was not; where there is no room for it, the last."""
        for number, found in enumerate(find(), 1):
            arrival.number = number
            if number > 1:
                arrival.at("reading")
            if number > (most := self._shelf.settings.max_articles) and not isinstance(found, LeftOutError):
                yield f"{arrival.name}: only the first {most} articles in it were read, as nobody may have more"
                return
            if isinstance(found, DocumentError):
                yield str(found)  # it begins with the file's name
                continue
            try:
                yield self._shelf.add(
                    arrival.owner,
                    found,
                    lambda done, total: arrival.at("indexing", done=done, total=total),
                    lambda before: arrival.at("waiting", before=before),
                )
            except NoRoomError as error:
                yield sentence(str(error))
                return
            except CollectionError as error:
                yield f"{found.source}: {error}" if "/" in found.source else sentence(str(error))


def _last(added: list[ArticleEntry], new: Mapping[str, ArticleEntry], nearly: list[Event], refused: list[str]) -> Event:
    """The event that says what became of all that arrived: the last article, how many are new, of how many of these the
    pages cannot be shown, as the file was too large to be kept, which are nearly the same as others, and what failed.
    """
    more = len(refused) - MOST_TOLD
    told = [*refused[:MOST_TOLD], f"And so it is with {more} more."] if more > 0 else refused
    said = {"message": " ".join(told)} if told else {}
    if not added:
        return {"stage": "failed", **said}
    unkept = sum(_pages(entry) > 0 and not entry.original for entry in new.values())
    pages = {"without_pages": unkept} if unkept else {}
    like = {"nearly": nearly} if nearly else {}
    return {"stage": "done", "article": entry_json(added[-1]), "added": len(new), **pages, **like, **said}


def entry_json(entry: ArticleEntry) -> Event:
    """What the list of articles shows of one; its "pages" are their number."""
    shown = {key: getattr(entry, key) for key in ("id", "title", "source", "characters")}
    return {**shown, "pages": _pages(entry)}


def _pages(entry: ArticleEntry) -> int:
    return sum(place.kind == "page" for place in entry.places)


async def _until_last(events: asyncio.Queue[Event]) -> AsyncIterator[str]:
    event: Event = {}
    while event.get("stage") not in _LAST:
        event = await events.get()
        yield json.dumps(event) + "\n"
