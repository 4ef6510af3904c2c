"""The routes of the articles that a visitor brings: list, add, read, remove; each knows its owner from the scope alone.

    GET    /own/articles             {"articles": [{"id", "title", "source", "characters", "pages"}], "login", "limits"}
    POST   /own/articles?name=a.pdf  the file as the body; answered by lines of JSON as it is read and indexed
    POST   /own/articles/paste       {"title", "text"}; answered likewise
    GET    /own/articles/{id}        the article, as `article_json` has it
    DELETE /own/articles/{id}        204

A line of progress is {"stage": "reading"}, {"stage": "waiting"} (for articles that came before), {"stage": "indexing",
"done", "total"} (passages), and last {"stage": "done", "article": {…}} or {"stage": "failed", "message"}. Whatever is
refused before that is {"message"} with a status that fits.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
import tempfile
import threading
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import PurePosixPath
from typing import IO, Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse

from rag import (
    SUFFIXES,
    ArticleChatError,
    ArticleEntry,
    CollectionError,
    Document,
    DocumentError,
    Shelf,
    document_from_text,
    read_document,
)
from rag.api import RefusedError, receive_body
from ui.chat import sentence
from ui.owners import owner_of
from ui.paragraphs import article_json

MOST_AT_ONCE = 4
"""Articles that one owner can have on their way."""
_LONGEST_NAME = 120
_PRIVATE = {"Cache-Control": "no-store"}
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
log = logging.getLogger(__name__)

Event = dict[str, Any]
Tell = Callable[[Event], None]


def add_article_routes(site: FastAPI, shelf: Shelf, removed: Callable[[str], None] = lambda _: None) -> None:
    """Add the routes to the site, which has `Owners` and `Guard` around it; `removed` is told of an article's end."""
    settings = shelf.settings
    file_mb = max(settings.max_file_mb, settings.max_document_mb)
    intake = _Intake(shelf)

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
        }
        own = [_entry_json(entry) for entry in shelf.articles(owner_of(request))]
        body = {"articles": own, "login": request.scope["login"], "limits": limits}
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
            return intake.answer(owner, lambda: read_document(data, name, settings), place.pop_all())

    @site.post("/own/articles/paste")
    async def paste(request: Request) -> Response:
        owner = owner_of(request)
        with ExitStack() as place, tempfile.TemporaryFile() as body:
            place.enter_context(intake.place(owner))
            # As JSON, a character can take six bytes; whatever is too long as text is refused as such.
            await receive_body(request, body, most=int(settings.max_document_mb * 6_000_000) + 10_000)
            text, title = await asyncio.to_thread(_pasted, body)  # others go on meanwhile
            return intake.answer(owner, lambda: document_from_text(text, title, settings), place.pop_all())

    @site.get("/own/articles/{article}")
    def read(request: Request, article: str) -> Response:
        index = shelf.open(owner_of(request), article)
        (document,) = index.documents.values()
        return JSONResponse(
            article_json(document, [passage.span.start for passage in index.passages]), headers=_PRIVATE
        )

    @site.delete("/own/articles/{article}")
    def remove(request: Request, article: str) -> Response:
        shelf.remove(owner_of(request), article)
        removed(article)
        return Response(status_code=204, headers=_PRIVATE)


def _pasted(body: IO[bytes]) -> tuple[str, str]:
    """The text and its title, "" for none; raises RefusedError (400) where it is nothing of the kind."""
    try:
        pasted = json.load(body)
        text, title = pasted["text"], pasted.get("title", "")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        text = title = None
    if not isinstance(text, str) or not isinstance(title, str):
        raise RefusedError(400, 'send {"title", "text"} as JSON')
    return text, title


def _entry_json(entry: ArticleEntry) -> dict[str, Any]:
    """What the list of articles shows of one; its "pages" are their number."""
    shown = {key: getattr(entry, key) for key in ("id", "title", "source", "characters")}
    return {**shown, "pages": len(entry.pages)}


class _Intake:
    """Reads and indexes what arrives, and tells how far it is."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self._arriving: Counter[str] = Counter()
        self._lock = threading.Lock()

    @contextmanager
    def place(self, owner: str) -> Iterator[None]:
        """Count an article that is on its way; raises RefusedError (429) where the owner has too many of them."""
        with self._lock:
            if self._arriving[owner] >= MOST_AT_ONCE:
                raise RefusedError(429, "your other articles are still being added; wait until they are")
            self._arriving[owner] += 1
        try:
            yield
        finally:
            with self._lock:
                self._arriving[owner] -= 1
                self._arriving += Counter()  # forget who has none

    def answer(self, owner: str, make: Callable[[], Document], place: ExitStack) -> Response:
        """The lines of progress while the document that `make` reads is added for the owner, who then has the place
        back.
        """
        events: asyncio.Queue[Event] = asyncio.Queue()
        loop = asyncio.get_running_loop()

        def tell(event: Event) -> None:
            with suppress(RuntimeError):  # the server has stopped
                loop.call_soon_threadsafe(events.put_nowait, event)

        # A thread, not a task: who closes the tab has added the article all the same.
        threading.Thread(target=self._work, args=(owner, make, tell, place), daemon=True).start()
        return StreamingResponse(_lines(events), media_type="application/x-ndjson", headers=_PRIVATE)

    def _work(self, owner: str, make: Callable[[], Document], tell: Tell, place: ExitStack) -> None:
        last: Event = {"stage": "failed", "message": "Something went wrong here; the terminal says what."}
        try:
            tell({"stage": "reading"})
            document = make()
            tell({"stage": "waiting"})
            entry = self._shelf.add(
                owner, document, lambda done, total: tell({"stage": "indexing", "done": done, "total": total})
            )
            last = {"stage": "done", "article": _entry_json(entry)}
        except DocumentError as error:
            last["message"] = str(error)  # it begins with the file's name
        except ArticleChatError as error:
            last["message"] = sentence(str(error))
        except Exception:
            log.exception("an article could not be added")
        finally:
            place.close()
            tell(last)


async def _lines(events: asyncio.Queue[Event]) -> AsyncIterator[str]:
    event: Event = {}
    while event.get("stage") not in {"done", "failed"}:
        event = await events.get()
        yield json.dumps(event) + "\n"


def _file_name(name: str) -> str:
    """What a browser calls the file, without the folders that it may name and characters that nobody sees."""
    last = PurePosixPath(name.replace("\\", "/")).name
    last = " ".join(_UNPRINTABLE.sub(" ", last).split())
    stem, dot, suffix = last.rpartition(".")
    return last if len(last) <= _LONGEST_NAME else f"{stem[:_LONGEST_NAME]}{dot}{suffix[:20]}"
