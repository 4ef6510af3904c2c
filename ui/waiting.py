"""What a question waits for before it is answered: the models that still load, and the questions before it."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from rag import ArticleChatError, BusyError

log = logging.getLogger(__name__)
LOADING = "The models are still loading. You can read and ask; your question waits until they are ready."


class Loading:
    """Loads the models in the background; `finished` once they are there, or once `error` says why they are not."""

    def __init__(self, load: Callable[[], None]) -> None:
        self.finished = threading.Event()
        self.error: Exception | None = None
        self._load = load

    def start(self, then: Callable[[], None]) -> None:
        """Begin to load; `then` is called, in the background, when it is over."""
        threading.Thread(target=self._run, args=(then,), daemon=True).start()

    def message(self) -> str:
        """One line for the page: that they load or could not be loaded; "" once they are there."""
        if not self.finished.is_set():
            return LOADING
        if self.error is None:
            return ""
        why = str(self.error) if isinstance(self.error, ArticleChatError) else "the terminal says why"
        return f"The models could not be loaded: {why}"

    def _run(self, then: Callable[[], None]) -> None:
        began = time.perf_counter()
        try:
            self._load()
            seconds = round(time.perf_counter() - began, 3)
            log.info("the models are loaded", extra={"facts": {"seconds": seconds}})
        except Exception as error:  # noqa: BLE001 - whatever it was, questions must not wait for it
            self.error = error
        finally:
            self.finished.set()
            then()


MOST_IN_LINE = 50
MOST_OF_ONE = 3
"""Questions that one owner can have in the line; each holds a thread now and then."""


@dataclass(frozen=True, slots=True, eq=False)
class Place:
    """A place in the line; no other is equal to it."""

    owner: str


class WaitingLine:
    """Questions are answered one at a time, in the order in which they came; only so many can wait, and so many of one
    owner.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._places: list[Place] = []

    def __len__(self) -> int:
        return len(self._places)

    def is_empty(self) -> bool:
        """Whether nobody is being answered."""
        return not self._places

    def join(self, owner: str) -> Place:
        """A place of the owner's at the end of the line; whoever took it leaves it.

        Raises BusyError where none is left.
        """
        place = Place(owner)
        with self._changed:
            if sum(other.owner == owner for other in self._places) >= MOST_OF_ONE:
                raise BusyError(f"{MOST_OF_ONE} of your questions are waiting already; ask again once one is answered")
            if len(self._places) >= MOST_IN_LINE:
                raise BusyError("too many questions are waiting; ask again in a while")
            self._places.append(place)
        return place

    def before(self, place: Place, seconds: float) -> int:
        """How many are before the place: 0 as soon as it is the first, else what holds after the seconds."""
        with self._changed:
            self._changed.wait_for(lambda: self._places[0] is place, seconds)
            return self._places.index(place)

    def leave(self, place: Place) -> None:
        """Let those behind move up."""
        with self._changed:
            self._places.remove(place)
            self._changed.notify_all()
