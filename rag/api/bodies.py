"""How the body of a request is received: so much of it, and not too slowly."""

from __future__ import annotations

import asyncio
from typing import IO

from starlette.requests import Request

from rag.api.errors import RefusedError

GRACE_SECONDS = 30.0
SLOWEST = 10_000
"""Bytes a second, beyond the grace; whoever sends more slowly, or stops, holds a place that others need."""


async def receive_body(request: Request, into: IO[bytes], *, most: int) -> None:
    """Write the request's body, of at most `most` bytes, to the file, and rewind it.

    Raises RefusedError for a larger one (413) and for one that comes too slowly (408).
    """
    size, began = 0, asyncio.get_running_loop().time()
    try:
        async with asyncio.timeout(GRACE_SECONDS) as deadline:
            async for chunk in request.stream():
                size += len(chunk)
                deadline.reschedule(began + GRACE_SECONDS + size / SLOWEST)
                if size <= most:
                    into.write(chunk)
                elif size > 4 * most:
                    break  # up to here it is read on and dropped: a browser that cannot send on sees no answer
    except TimeoutError as error:
        raise RefusedError(408, "it came too slowly; try again where the network is faster") from error
    if size > most:
        raise RefusedError(413, f"it is larger than the {most / 1e6:g} MB allowed; send less")
    into.seek(0)
