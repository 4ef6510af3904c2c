"""The sessions that Gradio keeps in memory: few, small, and not for long once their tab is closed."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from gradio.blocks import Blocks
from gradio.state_holder import SessionState, StateHolder

MOST_SESSIONS = 200
"""More than there can be connections, and so open tabs."""
MOST_OF_ONE = 20
KEPT_SECONDS = 3600.0
"""A session whose tab is closed, or sleeps, is kept so long."""
OWNER_DIGITS = 16
"""With so many characters the names of an owner's sessions begin, and no other's."""


class Kept(StateHolder):
    """What Gradio keeps its sessions in; where there are too many, those of closed tabs go first, the oldest of them.

    A tab whose session is gone begins anew with its next question; its conversation is kept in the browser.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._open: Counter[str] = Counter()
        self._used: dict[str, float] = {}

    def __getitem__(self, session: str) -> SessionState:
        with self.lock:
            if session not in self.session_data:
                self.session_data[session] = _Session(self.blocks)
                self._make_room(session)
            self._touch(session)
            return self.session_data[session]

    @contextmanager
    def open(self, session: str) -> Iterator[None]:
        """Within this, the session's tab is open."""
        with self.lock:
            self._open[session] += 1
        try:
            yield
        finally:
            with self.lock:
                self._open[session] -= 1
                self._open += Counter()  # forget those that are closed
                if session in self.session_data:
                    self._touch(session)

    def delete_all_expired_state(self) -> None:
        """Forget the sessions whose time is over; Gradio asks for that every second."""
        with self.lock:
            now = time.monotonic()
            for session, used in list(self._used.items()):
                if not self._open[session] and now - used > KEPT_SECONDS:
                    self._forget(session)

    def _touch(self, session: str) -> None:
        self._used[session] = time.monotonic()
        self.session_data.move_to_end(session)

    def _make_room(self, new: str) -> None:
        others = [session for session in self.session_data if session != new]
        own = [session for session in others if session[:OWNER_DIGITS] == new[:OWNER_DIGITS]]
        among = own if len(own) >= MOST_OF_ONE else others if len(others) >= MOST_SESSIONS else []
        if among:
            self._forget(next((session for session in among if not self._open[session]), among[0]))

    def _forget(self, session: str) -> None:
        del self.session_data[session], self._used[session]


class _Session(SessionState):
    """A session without a copy of all that its browser shows, and of all that it sent: nothing here asks for them."""

    def __init__(self, blocks: Blocks) -> None:
        super().__init__(blocks)
        self.config_values = {}

    def __setitem__(self, key: int, value: Any) -> None:
        super().__setitem__(key, value)
        self.config_values.clear()

    def _update_config(self, key: int) -> None:
        """Keep nothing."""

    def _update_value_in_config(self, key: int, value: Any) -> None:
        """Keep nothing."""
