"""The pages of articles that came from PDF files, as pictures with the words of quotes marked.

    GET /own/articles/{id}/pages/{number}    of a visitor's own article
    GET /articles/{id}/pages/{number}        of a shared one

`?width=` is the picture's, in pixels; each `range=START-END` counts the characters (code points) of the article's text.
The answer is {"picture": a data: URL, "marks": for each range [[left, top, width, height], …] as parts of the page's};
a range, or the part of it that is on another page, has no marks. What is refused is {"message"} with a status that
fits.
"""

from __future__ import annotations

import base64
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse

from rag import CollectionError, DocumentError, PassageIndex, Shelf, Span, page_image
from rag.api import RefusedError
from ui.owners import owner_of

WIDEST = 1600
"""Pixels of a page, at most."""
NARROWEST = 100
MOST_RANGES = 100
_NUMBER = re.compile(r"[0-9]{1,9}")
_RANGE = re.compile(r"([0-9]{1,9})-([0-9]{1,9})")


def add_page_routes(site: FastAPI, shelf: Shelf, shared: Callable[[], PassageIndex | None]) -> None:
    """Add the routes to the site, which has those of the articles; each owner has one page drawn at a time. `shared`
    gives the index of the shared ones, if there is one.
    """
    drawing: set[str] = set()
    lock = threading.Lock()

    @contextmanager
    def alone(owner: str) -> Iterator[None]:
        with lock:
            if owner in drawing:
                raise RefusedError(429, "another page is being drawn for you; try again in a moment")
            drawing.add(owner)
        try:
            yield
        finally:
            with lock:
                drawing.remove(owner)

    def drawn(request: Request, index: PassageIndex, article: str, number: str) -> Response:
        page, width = _number(number), _number(request.query_params.get("width", "1000"))
        ranges = _ranges(request.query_params.getlist("range"))
        width = min(max(width, NARROWEST), WIDEST)
        try:
            with alone(owner_of(request)):
                image = page_image(index, article, page, ranges, width=width, settings=shelf.settings)
        except DocumentError as error:
            raise RefusedError(422, str(error)) from error
        picture = "data:image/png;base64," + base64.b64encode(image.picture).decode()
        return JSONResponse({"picture": picture, "marks": image.marks}, headers={"Cache-Control": "no-store"})

    @site.get("/own/articles/{article}/pages/{number}")
    def own(request: Request, article: str, number: str) -> Response:
        return drawn(request, shelf.open(owner_of(request), article), article, number)

    @site.get("/articles/{article}/pages/{number}")
    def of_all(request: Request, article: str, number: str) -> Response:
        index = shared()
        if index is None or article not in index.documents:
            raise CollectionError("there is no such article; choose another")
        return drawn(request, index, article, number)


def _number(text: str) -> int:
    if not _NUMBER.fullmatch(text):
        raise RefusedError(400, "a page and its width are whole numbers")
    return int(text)


def _ranges(texts: list[str]) -> list[Span]:
    """The ranges that are asked for; raises RefusedError (400) where one is none, or there are too many."""
    found = [_RANGE.fullmatch(text) for text in texts]
    try:
        spans = [Span(int(match[1]), int(match[2])) for match in found if match is not None]
    except ValueError as error:
        raise RefusedError(400, "a range begins before it ends") from error
    if len(spans) < len(texts) or len(texts) > MOST_RANGES:
        raise RefusedError(400, f"a range is START-END, and there are at most {MOST_RANGES}")
    return spans
