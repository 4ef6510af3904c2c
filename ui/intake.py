"""What visitors bring, on its way to their shelves: read, in line, indexed; each can be given up by its owner."""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from rag import ArticleChatError, ArticleEntry, Document, DocumentError, Shelf
from rag.api import Metrics, RefusedError
from ui.chat import sentence

MOST_AT_ONCE = 4
"""Articles that one owner can have on their way."""
_LAST = frozenset({"done", "failed", "cancelled"})
log = logging.getLogger(__name__)

Event = dict[str, Any]


class GivenUpError(ArticleChatError):
    """The owner has given up an article that was on its way."""


@dataclass(slots=True)
class Arrival:
    """An article on its way: whose it is, what it is called, and the last event of it, which `tell` sends on."""

    owner: str
    name: str
    tell: Callable[[Event], None]
    id: str = field(default_factory=lambda: secrets.token_hex(16))
    event: Event = field(default_factory=dict)
    cancelled: threading.Event = field(default_factory=threading.Event)

    def at(self, stage: str, **how_far: int) -> None:
        """Tell where it stands, where that has changed; raises GivenUpError once its owner has given it up."""
        if self.cancelled.is_set():
            raise GivenUpError("it was given up")
        event = {"stage": stage, "id": self.id, **how_far}
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

    def lines(self, owner: str, name: str, make: Callable[[], Document], place: ExitStack) -> AsyncIterator[str]:
        """The lines of progress while the document that `make` reads is added for the owner, who then has the place
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
        threading.Thread(target=self._work, args=(arrival, make, place), daemon=True).start()
        return _until_last(events)

    def _work(self, arrival: Arrival, make: Callable[[], Document], place: ExitStack) -> None:
        began = time.perf_counter()
        last: Event = {"stage": "failed", "message": "Something went wrong here; the terminal says what."}
        try:
            document = make()
            entry = self._shelf.add(
                arrival.owner,
                document,
                lambda done, total: arrival.at("indexing", done=done, total=total),
                lambda before: arrival.at("waiting", before=before),
            )
            last = {"stage": "done", "article": entry_json(entry)}
        except GivenUpError:
            last = {"stage": "cancelled"}
        except DocumentError as error:
            last["message"] = str(error)  # it begins with the file's name
        except ArticleChatError as error:
            last["message"] = sentence(str(error))
        except Exception:
            log.exception("an article could not be added")
        finally:
            with self._lock:
                del self._arrivals[arrival.id]
            place.close()
            self._metrics.arrived(last["stage"], time.perf_counter() - began)
            arrival.tell(last)


def entry_json(entry: ArticleEntry) -> Event:
    """What the list of articles shows of one; its "pages" are their number."""
    shown = {key: getattr(entry, key) for key in ("id", "title", "source", "characters")}
    return {**shown, "pages": sum(place.kind == "page" for place in entry.places)}


async def _until_last(events: asyncio.Queue[Event]) -> AsyncIterator[str]:
    event: Event = {}
    while event.get("stage") not in _LAST:
        event = await events.get()
        yield json.dumps(event) + "\n"
