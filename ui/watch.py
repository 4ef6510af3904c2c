"""A watch over what computes an answer: in a thread of its own, behind a deadline that it cannot hold up.

A thread that runs native code, such as llama.cpp's, cannot be ended from outside: it is asked to end, and otherwise
left behind, with the lock of its model.
"""

from __future__ import annotations

import logging
import math
import queue
import threading
import time
from collections.abc import Generator, Iterable
from contextlib import suppress
from typing import TypeVar

from rag import ModelError

GRACE_SECONDS = 20.0
"""What was asked to end has so long for it."""
_LOOK_AGAIN_AFTER = 0.5
log = logging.getLogger(__name__)

T = TypeVar("T")


class UnresponsiveError(ModelError):
    """What computes an answer did not end though it was asked to."""


class Watch:
    """Lets nothing hold its caller for much longer than `seconds`; one thing at a time is watched."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._left: list[tuple[threading.Thread, float]] = []  # and until when each has to end

    def over(self, steps: Iterable[T], stop: threading.Event, late: threading.Event) -> Generator[T, None, None]:
        """The steps, as they are made in another thread; what they raise is raised here.

        `late` is set once they take longer than the seconds; whoever makes them is to end where `late` or `stop` is
        set, and whoever closes this before its end sets one. Raises UnresponsiveError where they have not ended
        GRACE_SECONDS after that.
        """
        made: queue.SimpleQueue[tuple[T, ...] | Exception] = queue.SimpleQueue()

        def make() -> None:
            try:
                for step in steps:
                    made.put((step,))
                made.put(())
            except Exception as error:  # noqa: BLE001 - it is raised where it is waited for
                made.put(error)

        thread = threading.Thread(target=make, daemon=True)
        deadline, end = time.monotonic() + self.seconds, math.inf
        thread.start()
        try:
            while True:
                try:
                    step = made.get(timeout=max(0.0, min(_LOOK_AGAIN_AFTER, deadline - time.monotonic())))
                except queue.Empty:
                    step = None
                if isinstance(step, Exception):
                    raise step
                if step == ():
                    return
                if step:
                    yield step[0]
                now = time.monotonic()
                if now > deadline:
                    late.set()
                    deadline = math.inf
                if late.is_set() or stop.is_set():
                    end = min(end, now + GRACE_SECONDS)
                if now >= end:
                    log.error("what computes an answer does not respond; restart the server where it stays so")
                    raise UnresponsiveError(
                        "there was no answer in time, and the model does not respond; ask again to be answered in "
                        "quotes"
                    )
        finally:
            if thread.is_alive():
                self.leave(thread, end)

    def leave(self, thread: threading.Thread, end: float = math.inf) -> None:
        """Leave the thread behind, which was asked to end, and has until then or at most GRACE_SECONDS for it."""
        self._left.append((thread, min(end, time.monotonic() + GRACE_SECONDS)))

    def left_behind(self) -> int:
        """How many have not ended though their time for it is over; waits for none."""
        now = time.monotonic()
        return sum(thread.is_alive() and now > end for thread, end in self._left)

    def unresponsive(self) -> int:
        """How many were left behind and still have not ended; waits for those that have time for it."""
        for left in list(self._left):
            thread, end = left
            thread.join(max(0.0, end - time.monotonic()))
            if not thread.is_alive():
                with suppress(ValueError):  # another has counted it
                    self._left.remove(left)
        return len(self._left)
