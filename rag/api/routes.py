"""The answer over HTTP, in the form of OpenAI's API:

    GET  /v1/models                     {"data": [{"id", "name", …}]}: what can be asked, first what the page shows
    GET  /v1/models/{name}              one of them
    POST /v1/chat/completions           the answer, at once or as a stream, with its citations
    POST /v1/responses                  the same in the form of model responses; nothing of them is kept
    GET  /v1/articles/{name}/{article}  the article as plain text, of which citations count the characters

The site around it lets people in and puts `owner`, a key, into the scope. Text is streamed once it is checked.
"""

from __future__ import annotations

import asyncio
import io
import logging
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Coroutine, Iterator, Sequence
from contextlib import AbstractContextManager, aclosing, contextmanager
from functools import partial
from typing import Any, TypeAlias, TypeVar
from urllib.parse import quote

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from rag.answer.pipeline import Pipeline, Progress
from rag.api.articles import Articles, Named
from rag.api.bodies import receive_body
from rag.api.citations import Json, char_range
from rag.api.completions import Completion
from rag.api.errors import WENT_WRONG, RefusedError, error_response, refused
from rag.api.metrics import Metrics
from rag.api.replies import Reply
from rag.api.requests import LONGEST_REQUEST, Request, read_completion, read_response
from rag.api.responses import ModelResponse
from rag.errors import ArticleChatError
from rag.types import Answer, Citation, Turn

API = "/v1"
"""Where the site mounts it."""
COMMENT = ": …\n\n"
"""An event that no client hears, for what is between it and us and would take silence for the end."""
_STREAM = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
Form: TypeAlias = Callable[[Request, Pipeline, Callable[[Citation], str]], Reply]
T = TypeVar("T")
log = logging.getLogger(__name__)

Stream: TypeAlias = Callable[[str, Sequence[Turn]], AsyncGenerator[Progress]]
"""What a pipeline's `astream` gives for a question and the conversation before it."""
ItsTurn: TypeAlias = Callable[[Pipeline], Awaitable[Stream]]
Places: TypeAlias = Callable[[str], AbstractContextManager[ItsTurn]]
"""Gives an owner's question a place in the line while the block lasts, and what is awaited until it is its turn: what
streams the pipeline's answer.

Raises BusyError where no place is left; what is awaited, ModelError where the models could not be loaded or do not
respond.
"""


def api_app(
    articles: Articles,
    places: Places,
    answered: Callable[[Pipeline], object] = lambda _: None,
    *,
    seconds: float | None = None,
    metrics: Metrics | None = None,
) -> Starlette:
    """The API about the articles; `answered` is told of each pipeline that has answered, an answer that takes more
    than `seconds` is given up, and `metrics` counts the questions.
    """
    api = _Api(articles, places, answered, seconds, metrics or Metrics())
    return Starlette(
        routes=[
            Route("/models", api.models),
            Route("/models/{name}", api.model),
            Route("/articles/{name}/{article}", api.article),
            Route("/chat/completions", partial(api.reply, read_completion, Completion), methods=["POST"]),
            Route("/responses", partial(api.reply, read_response, ModelResponse), methods=["POST"]),
        ],
        exception_handlers={ArticleChatError: _refuse, HTTPException: _unknown, Exception: _refuse},
    )


class _Api:
    def __init__(
        self,
        articles: Articles,
        places: Places,
        answered: Callable[[Pipeline], object],
        seconds: float | None,
        metrics: Metrics,
    ) -> None:
        self._articles = articles
        self._places = places
        self._answered = answered
        self._seconds = seconds
        self._metrics = metrics
        self._began = int(time.time())

    def models(self, request: HttpRequest) -> Response:
        models = [self._model(named) for named in self._articles.named(_owner_of(request))]
        return JSONResponse({"object": "list", "data": models})

    def model(self, request: HttpRequest) -> Response:
        name, owner = request.path_params["name"], _owner_of(request)
        self._articles.pipeline(name, owner)  # or it is refused
        named = {found.name: found for found in self._articles.named(owner)}
        return JSONResponse(self._model(named.get(name, Named(name, name))))

    def article(self, request: HttpRequest) -> Response:
        index = self._articles.pipeline(request.path_params["name"], _owner_of(request)).index
        document = index.documents.get(request.path_params["article"])
        if document is None:
            raise HTTPException(404)
        return PlainTextResponse(document.text)

    async def reply(self, read: Callable[[bytes], Request], form: Form, request: HttpRequest) -> Response:
        """The answer to what is read in the request, in the form; what a form leaves out is the same in all of them."""
        body = io.BytesIO()
        await receive_body(request, body, most=LONGEST_REQUEST)
        asked, owner = read(body.getvalue()), _owner_of(request)
        pipeline = await asyncio.to_thread(self._articles.pipeline, asked.model, owner)
        reply = form(asked, pipeline, partial(_link, request, asked.model))
        if not asked.stream:
            whole = await _unless_gone(request, self._whole(reply, owner))
            return JSONResponse(whole) if whole is not None else Response(status_code=499)
        events = self._events(reply, owner)
        first = await anext(events)  # what is refused before it has a status of its own
        return StreamingResponse(_chain(first, events), media_type="text/event-stream", headers=_STREAM)

    async def _whole(self, reply: Reply, owner: str) -> Json:
        with self._places(owner) as turn:
            async for step in self._steps(reply, turn):
                answer = step
        self._answered(reply.pipeline)
        return reply.whole(answer)

    async def _events(self, reply: Reply, owner: str) -> AsyncIterator[str]:
        """The events of a stream; from the first on, an error is an event, too."""
        with self._places(owner) as turn:
            yield reply.opening()
            try:
                async for step in self._steps(reply, turn):
                    answer = step
                    yield COMMENT
                told = list(reply.events(answer))
            except ArticleChatError as error:
                told = [reply.failure(refused(error))]
        self._answered(reply.pipeline)
        for one in told:
            yield one

    async def _steps(self, reply: Reply, turn: ItsTurn) -> AsyncIterator[Answer]:
        """The answer as it grows, once it is the question's turn. Only what computes it has the deadline: who reads it
        may take their time.
        """
        with self._metrics.question() as asked:
            with _told():
                stream = await turn(reply.pipeline)
            deadline = None if self._seconds is None else asyncio.get_running_loop().time() + self._seconds
            async with aclosing(stream(reply.request.question, reply.request.history)) as steps:
                while True:
                    with _told():
                        async with asyncio.timeout_at(deadline):
                            step = await anext(steps, None)
                    if step is None:
                        return
                    asked.shows(step.answer)
                    if step.stage == "done":
                        asked.has(step.answer)
                    yield step.answer

    def _model(self, named: Named) -> Json:
        owned = {"object": "model", "created": self._began, "owned_by": "article-chat"}
        return {"id": named.name, "name": named.title, **owned}


@contextmanager
def _told() -> Iterator[None]:
    """Raises whatever fails in the block as an error that the API can tell; the log has the rest."""
    try:
        yield
    except ArticleChatError:
        raise
    except TimeoutError as error:
        raise RefusedError(504, "it took too long and was stopped; ask again, or for less") from error
    except Exception as error:
        log.exception("a question could not be answered")
        raise RefusedError(500, WENT_WRONG) from error


def _owner_of(request: HttpRequest) -> str:
    return str(request.scope.get("owner", ""))


def _link(request: HttpRequest, name: str, citation: Citation) -> str:
    """Where the quote can be looked up: in the article as plain text, at these characters (RFC 5147)."""
    path = f"{API}/articles/{quote(name, safe=':')}/{quote(citation.document_id)}"
    return str(request.base_url.replace(path=path, fragment=char_range(citation.start, citation.end)))


async def _chain(first: str, rest: AsyncIterator[str]) -> AsyncIterator[str]:
    yield first
    async for one in rest:
        yield one


async def _unless_gone(request: HttpRequest, work: Coroutine[Any, Any, T]) -> T | None:
    """What the work gives; None where the client hung up before, which ends the work."""

    async def gone() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass

    working, watching = asyncio.ensure_future(work), asyncio.ensure_future(gone())
    try:
        await asyncio.wait({working, watching}, return_when=asyncio.FIRST_COMPLETED)
        return working.result() if working.done() else None
    finally:
        working.cancel()
        watching.cancel()


def _refuse(_: HttpRequest, error: Exception) -> Response:
    return error_response(refused(error) if isinstance(error, ArticleChatError) else RefusedError(500, WENT_WRONG))


def _unknown(request: HttpRequest, error: Exception) -> Response:
    """No such address, or not by this method."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    return error_response(
        RefusedError(status, f"{request.method} {request.url.path} is not here; try GET {API}/models")
    )
