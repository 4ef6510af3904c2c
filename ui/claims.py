"""The route that checks a claim: POST /check?about=IDS with {"claim"}, answered as `check --json` is.

Each quote has, besides, the `range` by which the page's script marks it, and its `place` in words; one that says so has
the `pin` that is kept of it. What is refused is {"message"} with a status that fits.
"""

from __future__ import annotations

import asyncio
import json
from io import BytesIO
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse

from rag import BusyError, CheckedClaim, CollectionError, Span, UsageError
from rag.api import RefusedError, receive_body
from ui.exchanges import Documents
from ui.owners import owner_of
from ui.page import PipelineOf
from ui.pins import pin_json
from ui.rendering import place, range_value
from ui.waiting import WaitingLine

MOST_BYTES = 20_000
"""Of a request; the longest claim takes less."""


def add_claim_route(site: FastAPI, pipeline_of: PipelineOf) -> None:
    """Add the route to the site, which has `Owners` and `Guard` around it; claims are checked one at a time."""
    line, turn = WaitingLine(), asyncio.Lock()

    @site.post("/check")
    async def check(request: Request, about: str = "") -> Response:
        claim = await _claim(request)

        def checked() -> dict[str, Any]:
            pipeline = pipeline_of(request, about)
            return checked_json(pipeline.check(claim), pipeline.index.documents)

        try:
            waiting = line.join(owner_of(request))
        except BusyError as error:
            raise RefusedError(429, str(error)) from error
        try:
            async with turn:
                return JSONResponse(await asyncio.to_thread(checked), headers={"Cache-Control": "no-store"})
        except CollectionError:
            raise  # 404: the article was removed meanwhile
        except UsageError as error:
            raise RefusedError(400, str(error)) from error
        finally:
            line.leave(waiting)


def checked_json(checked: CheckedClaim, documents: Documents) -> dict[str, Any]:
    """The checked claim as the page's script reads it."""
    told = checked.to_json()
    for sentence, said in zip(told["sentences"], checked.sentences, strict=True):
        for quote in (*sentence["citations"], *sentence["nearest"]):
            document, span = documents[quote["document_id"]], Span(quote["start"], quote["end"])
            quote |= {"range": range_value(document, span), "place": place(span, quote["place"], document)}
        for quote, citation in zip(sentence["citations"], said.citations, strict=True):
            quote["pin"] = pin_json(citation, said.text, documents)
    return told


async def _claim(request: Request) -> str:
    body = BytesIO()
    await receive_body(request, body, most=MOST_BYTES)
    try:
        claim = json.load(body)["claim"]
    except (ValueError, KeyError, TypeError, RecursionError):
        claim = None
    if not isinstance(claim, str):
        raise RefusedError(400, 'send {"claim"} as JSON')
    return claim
