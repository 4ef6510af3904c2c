"""The routes of the articles that a visitor brings: list, add, read, remove; each knows its owner from the scope alone.

    GET    /own/articles             {"articles": [{"id", "title", "source", "characters", "pages"}],
                                     "arriving": [event, …], "login", "limits"}
    POST   /own/articles?name=a.pdf  the file as the body; answered by events, lines of JSON, as it is read and indexed;
                                     each article in a ZIP file becomes one of its own
    POST   /own/articles/paste       {"title", "text"}; answered likewise
    POST   /own/articles/address     {"address"} of a web page, which is fetched; answered likewise
    GET    /own/articles/{id}        the article, as `article_json` has it
    DELETE /own/articles/{id}        204
    DELETE /own/arriving/{id}        204; the article with the id in its events is given up

An event is {"stage": "reading"}, {"stage": "waiting", "before"} (so many articles), {"stage": "indexing", "done",
"total"} (passages; a total of 0 is not known yet), each with "id", in the list with "name", and from the second article
of a ZIP file on with its "number", and last {"stage": "done", "article": {…}, "added"}, {"stage": "cancelled", "added"}
or {"stage": "failed", "message"}. Of several articles, "article" is the last, and "added" how many are new: none where
that text was there already; "without_pages", where there are some, is how many of these came from PDF files that are
too large to be kept; "nearly", where some of these are nearly the same as others that were there before, has for each
{"id", "title", "like": {"id", "title"}, "percent"}, so many percent of the shorter of the two texts stand in both;
where some could not be added, the "message" says so. Whatever is refused before that is {"message"} with a status that
fits.
"""

from __future__ import annotations

import asyncio
import json
import re
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack
from pathlib import PurePosixPath
from typing import IO

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse

from rag import (
    SUFFIXES,
    ArticleChatError,
    CollectionError,
    Document,
    Settings,
    Shelf,
    document_from_text,
    is_address,
    load_page,
    pages_of,
    read_articles,
)
from rag.api import Metrics, RefusedError, receive_body
from ui.chat import sentence
from ui.intake import Intake, entry_json
from ui.owners import owner_of
from ui.paragraphs import article_json

_LONGEST_NAME = 120
_LONGEST_ADDRESS = 10_000
"""Bytes of a request with one; whatever is longer than an address may be is refused as such."""
_PRIVATE = {"Cache-Control": "no-store"}
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def add_article_routes(
    site: FastAPI,
    shelf: Shelf,
    metrics: Metrics,
    removed: Callable[[str], None] = lambda _: None,
    *,
    page: Callable[[str, Settings], Document] = load_page,
) -> None:
    """Add the routes to the site, which has `Owners` and `Guard` around it; `removed` is told of an article's end, and
    `page` fetches that at an address.
    """
    settings = shelf.settings
    file_mb = max(settings.max_file_mb, settings.max_document_mb)
    intake = Intake(shelf, metrics)

    @site.exception_handler(ArticleChatError)
    def refused(_: Request, error: ArticleChatError) -> Response:
        status = error.status if isinstance(error, RefusedError) else 404 if isinstance(error, CollectionError) else 500
        return JSONResponse({"message": sentence(str(error))}, status, headers=_PRIVATE)

    @site.get("/own/articles")
    def articles(request: Request) -> Response:
        limits = {
            "file_mb": settings.max_file_mb,
            "text_mb": settings.max_document_mb,
            "articles": settings.max_articles,
            "articles_mb": settings.max_articles_mb,
            "suffixes": SUFFIXES,
            "web_pages": settings.web_pages,
        }
        owner = owner_of(request)
        arriving = intake.of(owner)  # first: what is complete meanwhile is then in both lists, rather than in none
        own = [entry_json(entry) for entry in shelf.articles(owner)]
        body = {"articles": own, "arriving": arriving, "login": request.scope["login"], "limits": limits}
        return JSONResponse(body, headers=_PRIVATE)

    @site.post("/own/articles")
    async def add(request: Request, name: str = "") -> Response:
        name, owner = _file_name(name), owner_of(request)
        with ExitStack() as place, tempfile.TemporaryFile() as body:  # without a name: whatever happens, it is gone
            place.enter_context(intake.place(owner))
            await receive_body(request, body, most=int(file_mb * 1_000_000))
            if not name:
                raise RefusedError(400, "the file has no name; rename it, and add it again")
            if request.headers.get("content-type", "").startswith("multipart/"):
                raise RefusedError(415, "send the file itself as the body, without a form around it")
            data = body.read()
            return _streamed(intake.lines(owner, name, lambda: read_articles(data, name, settings), place.pop_all()))

    @site.post("/own/articles/paste")
    async def paste(request: Request) -> Response:
        owner = owner_of(request)
        with ExitStack() as place, tempfile.TemporaryFile() as body:
            place.enter_context(intake.place(owner))
            # As JSON, a character can take six bytes; whatever is too long as text is refused as such.
            await receive_body(request, body, most=int(settings.max_document_mb * 6_000_000) + 10_000)
            title, text = await asyncio.to_thread(_texts, body, title="", text=None)  # others go on meanwhile
            lines = intake.lines(
                owner, "the text", lambda: [document_from_text(text, title, settings)], place.pop_all()
            )
            return _streamed(lines)

    @site.post("/own/articles/address")
    async def fetch(request: Request) -> Response:
        owner = owner_of(request)
        with ExitStack() as place, tempfile.TemporaryFile() as body:
            place.enter_context(intake.place(owner))
            await receive_body(request, body, most=_LONGEST_ADDRESS)
            if not settings.web_pages:
                raise RefusedError(403, "web pages are not fetched here; save the page in a browser, and add the file")
            (address,) = _texts(body, address=None)
            if not is_address(address):
                raise RefusedError(400, "the address of a web page is needed, such as https://example.org/article")
            return _streamed(intake.lines(owner, address, lambda: [page(address, settings)], place.pop_all()))

    @site.get("/own/articles/{article}")
    def read(request: Request, article: str) -> Response:
        index = shelf.open(owner_of(request), article)
        (document,) = index.documents.values()
        return JSONResponse(
            article_json(
                document,
                [passage.span.start for passage in index.passages],
                pages=pages_of(index, document.id, settings),
            ),
            headers=_PRIVATE,
        )

    @site.delete("/own/articles/{article}")
    def remove(request: Request, article: str) -> Response:
        shelf.remove(owner_of(request), article)
        removed(article)
        return Response(status_code=204, headers=_PRIVATE)

    @site.delete("/own/arriving/{arrival}")
    def cancel(request: Request, arrival: str) -> Response:
        intake.cancel(owner_of(request), arrival)
        return Response(status_code=204, headers=_PRIVATE)


def _streamed(lines: AsyncIterator[str]) -> Response:
    return StreamingResponse(lines, media_type="application/x-ndjson", headers=_PRIVATE)


def _texts(body: IO[bytes], **defaults: str | None) -> list[str]:
    """The texts of those names, each its default where it is not sent; raises RefusedError (400) where one is none."""
    try:
        sent = json.load(body)
        texts = [sent.get(name, default) for name, default in defaults.items()]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        texts = [None]
    if not all(isinstance(text, str) for text in texts):
        raise RefusedError(400, f"send {{{', '.join(map(json.dumps, defaults))}}} as JSON")
    return texts


def _file_name(name: str) -> str:
    """What a browser calls the file, without the folders that it may name and characters that nobody sees."""
    last = PurePosixPath(name.replace("\\", "/")).name
    last = " ".join(_UNPRINTABLE.sub(" ", last).split())
    stem, dot, suffix = last.rpartition(".")
    return last if len(last) <= _LONGEST_NAME else f"{stem[:_LONGEST_NAME]}{dot}{suffix[:20]}"
