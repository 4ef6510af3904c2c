"""The socket and the server under the site: bound first, so that a taken port is said before any model loads."""

from __future__ import annotations

import asyncio
import errno
import logging
import socket

import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.h11_impl import H11Protocol

from rag import UsageError
from rag.api import bind
from ui.security import is_loopback

MOST_CONNECTIONS = 120
"""Half of the descriptors that some systems give a process (256): files are opened, too. A tab holds about three."""
HEADER_SECONDS = 10.0
"""How long the head of a request may take: whoever sends none holds a connection, and needs no password for it."""


def listen(host: str, port: int, *, open_to_others: bool = False) -> socket.socket:
    """A socket bound to the address; raises UsageError, in one line, where that cannot be, and where others could reach
    it that may not.
    """
    if not is_loopback(host) and not open_to_others:
        raise UsageError(
            f"others can reach the page on {host}, so it needs accounts: add --auth NAME:PASSWORD, or serve this "
            "computer only: --host 127.0.0.1"
        )
    try:
        return bind(host, port)
    except PermissionError as error:
        raise UsageError(f"port {port} is not allowed; choose another: article-chat serve --port 7860") from error
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise UsageError(f"cannot serve on {host} port {port}: {error.strerror or error}") from error
        raise UsageError(
            f"port {port} is taken; choose another: article-chat serve --port {_free_port_after(host, port)}"
        ) from error


def server_of(site: FastAPI) -> uvicorn.Server:
    """A server that stops within about a second, without a traceback for each tab that still listens."""
    return _Server(
        uvicorn.Config(
            site,
            http=_Protocol,
            log_config=None,  # whoever runs the server has a handler for the log
            log_level="warning",
            timeout_graceful_shutdown=1,
            server_header=False,
            proxy_headers=False,
        )
    )


class _Protocol(H11Protocol):
    """HTTP on a connection, of which there are at most so many, and which is closed where no request comes of it."""

    _late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > MOST_CONNECTIONS:
            transport.abort()
        else:
            self._expect()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.cycle is None or self.cycle.response_complete:
            self._expect()
        else:
            self._expect_nothing()

    def connection_lost(self, exc: Exception | None) -> None:
        self._expect_nothing()
        super().connection_lost(exc)

    def _expect(self) -> None:
        """Close the connection unless the head of a request is complete in time, however it drips in."""
        if self._late is None:
            self._late = self.loop.call_later(HEADER_SECONDS, self.transport.abort)

    def _expect_nothing(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None


class _Server(uvicorn.Server):
    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
        await super().shutdown(sockets)


def _free_port_after(host: str, port: int) -> int:
    for other in range(port + 1, min(port + 20, 65536)):
        try:
            bind(host, other).close()
        except OSError:
            continue
        return other
    return 7860


def url_of(listener: socket.socket, host: str) -> str:
    """Where the page is, for people."""
    return f"http://{f'[{host}]' if ':' in host else host}:{listener.getsockname()[1]}"
