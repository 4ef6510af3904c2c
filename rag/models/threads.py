"""How many threads compute: one, or as many as allowed, whichever is quicker now.

Threads that wait for each other at every layer are twice as fast on a free machine and ruinous where a core is busy
with something else (measured: 2 tokens a second with two, 30 with one), and only measuring tells which it is.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rag.settings import default_threads

_TRY_AGAIN_AFTER = 20.0
"""Seconds after which the other number of threads is tried again."""
_KNOWN_FOR = 2.0
"""Seconds for which a probe's outcome is believed."""
_PRODUCTS = 6
"""Products of matrices in a probe: as many times all threads wait for each other."""


class Threads:
    """One thread, or as many as allowed: whichever was quicker of late at the work itself."""

    def __init__(self, most: int) -> None:
        self._choices = sorted({1, most})
        self._seconds: dict[int, float] = {}
        self._tried: dict[int, float] = {}

    def best(self) -> int:
        """The number of threads to take next."""
        now = time.monotonic()
        for choice in reversed(self._choices):
            if now - self._tried.get(choice, -math.inf) > _TRY_AGAIN_AFTER:
                self._seconds.pop(choice, None)
                return choice
        return min(self._choices, key=lambda choice: self._seconds[choice])

    @property
    def seconds(self) -> float:
        """What a token takes with the better number; infinite, where nothing was measured."""
        return min(self._seconds.values(), default=math.inf)

    def took(self, threads: int, seconds: float) -> None:
        """So long a token took with so many threads."""
        self._tried[threads] = time.monotonic()
        before = self._seconds.get(threads)
        self._seconds[threads] = seconds if before is None else 0.7 * before + 0.3 * seconds


class TorchThreads:
    """The number of threads that torch computes with, chosen anew for each pass: whichever a few small products of
    matrices are quicker with. A pass is too long to be tried with the wrong number.
    """

    def __init__(self, most: int, probe: Callable[[int], float]) -> None:
        self._probe = probe
        self._probing = threading.Lock()
        self.allow(most)

    def allow(self, most: int) -> None:
        """From now on at most so many."""
        self._choices = sorted({1, most})
        self._best = 1
        self._until = -math.inf

    @contextmanager
    def chosen(self) -> Iterator[int]:
        """What a pass runs in: so many threads, as is best now. Afterwards they are as many as before."""
        import torch

        before = torch.get_num_threads()
        try:
            torch.set_num_threads(best := self._quickest())
            yield best
        finally:
            torch.set_num_threads(before)

    def _quickest(self) -> int:
        if time.monotonic() >= self._until and self._probing.acquire(blocking=False):
            try:
                self._best = min(self._choices, key=self._probe) if len(self._choices) > 1 else 1
                self._until = time.monotonic() + _KNOWN_FOR
            finally:
                self._probing.release()
        return self._best


def _products(threads: int) -> float:
    """The seconds that a few products of matrices as small as an encoder's take with so many threads."""
    import torch

    torch.set_num_threads(threads)
    rows, columns = torch.ones(64, 384), torch.ones(384, 1536)
    rows @ columns  # what is set up once is not measured
    start = time.perf_counter()
    for _ in range(_PRODUCTS):
        rows @ columns
    return time.perf_counter() - start


TORCH = TorchThreads(default_threads(), _products)
"""Those of this process."""
