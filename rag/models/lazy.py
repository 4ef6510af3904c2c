"""Heavy models: each loads on first use, once, and one thread at a time runs it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

T = TypeVar("T")


class Lazy(Generic[T]):
    """What `load` returns, once it is asked for; where `load` raises, the next who asks tries again.

    Its lock is held while it loads and by whoever runs it. Models that may not run beside each other share one.
    """

    def __init__(self, load: Callable[[], T], lock: threading.Lock | None = None) -> None:
        self._load = load
        self._lock = lock or threading.Lock()
        self._loaded: T | None = None

    @property
    def value(self) -> T:
        """The model for what many threads may do at once, such as asking its size; waits only until it is loaded."""
        if self._loaded is not None:
            return self._loaded
        with self.held() as loaded:
            return loaded

    @contextmanager
    def held(self) -> Iterator[T]:
        """The model for this thread alone, until the block ends; inside it, nothing of the same lock may be used."""
        with self._lock:
            if self._loaded is None:
                self._loaded = self._load()
            yield self._loaded
