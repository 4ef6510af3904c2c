"""A line in which owners take turns."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

LOOK_AGAIN_AFTER = 0.2
"""Seconds after which who waits is told of it again, whether anything has changed or not."""


@dataclass(frozen=True, slots=True, eq=False)
class _Place:
    """A place in the line; no other is equal to it."""

    owner: str
    round: int


class FairLine:
    """One at a time has the turn; who brings many things waits with the second until each other owner had a first.

    (Goyal, Vin & Cheng, 1996, "Start-time fair queueing", in which everything takes equally long.)
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._places: list[_Place] = []  # in the order of their turns
        self._round = 0  # of the last turn

    @contextmanager
    def turn(self, owner: str, waits: Callable[[int], None]) -> Iterator[None]:
        """The owner's turn, once it has come; until then `waits` is told, again and again, how many are before it.

        What `waits` raises gives up the place.
        """
        place = self._join(owner)
        try:
            while before := self._look(place):
                waits(before)
                self._wait(place, before)
            yield
        finally:
            with self._changed:
                self._places.remove(place)
                self._changed.notify_all()

    def wait_until_empty(self) -> None:
        """Return once nobody has the turn or waits for it."""
        with self._changed:
            self._changed.wait_for(lambda: not self._places)

    def _join(self, owner: str) -> _Place:
        with self._changed:
            rounds = [place.round + 1 for place in self._places if place.owner == owner]
            place = _Place(owner, max([self._round, *rounds]))
            after = [n for n, other in enumerate(self._places) if other.round > place.round]
            self._places.insert(after[0] if after else len(self._places), place)
            self._changed.notify_all()
        return place

    def _look(self, place: _Place) -> int:
        """How many are before the place; with 0 its turn has begun, and nobody comes before it any more."""
        with self._changed:
            before = self._places.index(place)
            if not before:
                self._round = place.round
        return before

    def _wait(self, place: _Place, before: int) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._places.index(place) != before, LOOK_AGAIN_AFTER)
