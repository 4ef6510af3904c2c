"""The articles of a collection for other programs, by the Model Context Protocol: tools that ask, search, fetch, list
and check, with exact quotes, and the articles as resources.

An article's address is `article://COLLECTION/ID`; `#char=120,180` behind it, or behind an id alone, names a range of
its characters (RFC 5147). `search` and `fetch` have the form that ChatGPT's connectors want of a server.
"""

from __future__ import annotations

import errno
import re
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import anyio.to_thread
import uvicorn
from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ResourceNotFoundError, ToolError
from mcp.server.transport_security import TransportSecuritySettings
from mcp.types import Resource, ToolAnnotations

from rag.answer.pipeline import Pipeline
from rag.answer.question import clean_question
from rag.answer.retrieval import retrieve
from rag.api.articles import Articles
from rag.api.citations import char_range
from rag.api.sockets import bind
from rag.errors import ArticleChatError, UsageError
from rag.types import Document, Span, Turn

NAME = "article-chat"
PATH = "/mcp"
HOST = "127.0.0.1"
MOST_FOUND = 8
"""Passages that `search` returns."""
MOST_FETCHED = 50_000
"""Characters that `fetch` returns at once; it names the range that is left."""
_INSTRUCTIONS = (
    "Answers about a collection of articles, each with the exact words that it rests on: a quote is what the article "
    "says between the characters start and end. Use ask for a question, check for a statement that may be wrong, "
    "search and fetch to read for yourself. Where the articles do not say, you are told so: say so, too."
)
_READS = ToolAnnotations(read_only_hint=True, open_world_hint=False)
_ID = re.compile(r"(?P<document>[^#]+)(?:#char=(?P<start>\d{1,12}),(?P<end>\d{1,12}))?")


@dataclass(frozen=True)
class Earlier:
    """An earlier question of the conversation, and its answer."""

    question: str
    answer: str = ""


@dataclass(frozen=True)
class Result:
    """A passage that was found: what `fetch` wants to be told, and its exact words with their place."""

    id: str
    title: str
    url: str
    document_id: str
    start: int
    end: int
    quote: str


@dataclass(frozen=True)
class Results:
    """What `search` found, best first."""

    results: list[Result]


@dataclass(frozen=True)
class Fetched:
    """An article, or a part of it: `text` is exactly what stands there."""

    id: str
    title: str
    text: str
    url: str
    metadata: dict[str, str | int | None]


@dataclass(frozen=True)
class Article:
    """An article of the collection; `characters` is how long it is."""

    id: str
    title: str
    url: str
    characters: int


@dataclass(frozen=True)
class Listed:
    """The articles of the collection."""

    collection: str
    articles: list[Article]


class ArticleServer(MCPServer[Any]):
    """The server of one collection; what its tools cannot do, they say in one line (ToolError).

    The models answer one question at a time. `used` is told of each pipeline that is used.
    """

    def __init__(
        self, articles: Articles, collection: str, used: Callable[[Pipeline], object] = lambda _: None
    ) -> None:
        super().__init__(NAME, instructions=_INSTRUCTIONS, log_level="WARNING")
        self._articles = articles
        self._collection = collection
        self._used = used
        self._turn = threading.Lock()
        self.add_tool(self._ask, "ask", "Ask the articles", annotations=_READS)
        self.add_tool(self._search, "search", "Search the articles", annotations=_READS)
        self.add_tool(self._fetch, "fetch", "Read an article", annotations=_READS)
        self.add_tool(self._list, "list", "List the articles", annotations=_READS)
        self.add_tool(self._check, "check", "Check a claim", annotations=_READS)
        self.resource(self._url("{document}"), name="article", mime_type="text/plain")(self._resource)

    async def list_resources(self) -> list[Resource]:
        """Every article of the collection as it is now."""
        articles = await anyio.to_thread.run_sync(self._list)
        return [
            Resource(uri=article.url, name=article.id, title=article.title, mime_type="text/plain")
            for article in articles.articles
        ]

    async def _ask(self, question: str, history: Sequence[Earlier] = ()) -> dict[str, Any]:
        """Answer a question from the articles: "statements", each with the numbers of its "citations", which are exact
        quotes with their character offsets; "abstained" is true where the articles do not say.

        "history" has the earlier questions and answers of the conversation, oldest first, so that "who said that?" is
        understood.
        """
        stopped = threading.Event()
        turns = [Turn(turn.question, turn.answer) for turn in history]
        try:
            return await anyio.to_thread.run_sync(
                partial(self._answer, question, turns, stopped), abandon_on_cancel=True
            )
        finally:
            stopped.set()  # where the client does not want it any more, writing ends

    def _answer(self, question: str, turns: Sequence[Turn], stopped: threading.Event) -> dict[str, Any]:
        with _told(), self._turn:
            return self._pipeline().answer(question, turns, stopped=stopped.is_set).to_json()

    def _check(self, claim: str) -> dict[str, Any]:
        """Check whether the articles say what the claim says, sentence by sentence: "supported" with the quotes that
        say so, or "not said" with the nearest sentences, which do not say it. Not said is not false: the articles may
        deny it, or leave it open.
        """
        with _told(), self._turn:
            return self._pipeline().check(claim).to_json()

    def _search(self, query: str) -> Results:
        """Find the passages of the articles that are most like a question or some words, best first."""
        with _told(), self._turn:
            index = self._pipeline().index
            found = [retrieved.passage for retrieved in retrieve(index, clean_question(query), k=MOST_FOUND)]
        return Results(
            [
                Result(
                    id=f"{passage.document_id}{_range(passage.span)}",
                    title=index.documents[passage.document_id].title,
                    url=f"{self._url(passage.document_id)}{_range(passage.span)}",
                    document_id=passage.document_id,
                    start=passage.span.start,
                    end=passage.span.end,
                    quote=passage.text,
                )
                for passage in found
            ]
        )

    def _fetch(self, id: str) -> Fetched:  # noqa: A002 (the connectors call it so)
        """Read an article by its id, or the part of it that an id of `search` names ("ID#char=START,END").

        Of a long article the first part comes; "next" in the metadata is the id of what follows.
        """
        with _told():
            document, span = self._place(id.removeprefix(self._url("")))
        shown = Span(span.start, min(span.end, span.start + MOST_FETCHED))
        rest = Span(shown.end, span.end) if shown.end < span.end else None
        place = "" if len(shown) == len(document.text) else _range(shown)
        return Fetched(
            id=f"{document.id}{place}",
            title=document.title,
            text=document.text[shown.start : shown.end],
            url=f"{self._url(document.id)}{place}",
            metadata={
                "document_id": document.id,
                "start": shown.start,
                "end": shown.end,
                "characters": len(document.text),
                "page": document.page_at(shown.start),
                "place": document.label_at(shown.start),
                "next": f"{document.id}{_range(rest)}" if rest is not None else None,
            },
        )

    def _list(self) -> Listed:
        """List the articles that can be asked, with their ids and titles."""
        with _told():
            documents = self._pipeline().index.documents.values()
        return Listed(
            self._collection,
            [Article(found.id, found.title, self._url(found.id), len(found.text)) for found in documents],
        )

    def _resource(self, document: str) -> str:
        """The whole text of an article."""
        documents = self._pipeline().index.documents
        if document not in documents:
            raise ResourceNotFoundError(f"there is no article {document!r}; there is {', '.join(documents)}")
        return documents[document].text

    def _pipeline(self) -> Pipeline:
        """The pipeline over the articles of today; raises CollectionError where there are none any more."""
        pipeline = self._articles.pipeline(self._collection)
        self._used(pipeline)
        return pipeline

    def _place(self, place: str) -> tuple[Document, Span]:
        """The document and the range that an id names; raises UsageError where there is no such thing."""
        documents = self._pipeline().index.documents
        found = _ID.fullmatch(place)
        if found is None or found["document"] not in documents:
            raise UsageError(f"there is no article {place!r}; there is {', '.join(documents)}")
        document = documents[found["document"]]
        start, end = (0, len(document.text)) if found["start"] is None else (int(found["start"]), int(found["end"]))
        if not start < end <= len(document.text):
            raise UsageError(f"{document.id!r} has the characters 0 to {len(document.text)}, and no {start} to {end}")
        return document, Span(start, end)

    def _url(self, document_id: str) -> str:
        return f"article://{self._collection}/{document_id}"


def serve_stdio(server: ArticleServer) -> None:
    """Serve the program that started this one, by standard input and output, until it is gone."""
    try:
        server.run("stdio")
    except* BrokenPipeError:
        pass  # it went while an answer was on its way


def serve_http(server: ArticleServer, port: int) -> None:
    """Serve programs of this computer by streamable HTTP until Ctrl-C; the address is printed once they can come.

    No page of a browser may ask it. Raises UsageError where the port cannot be had.
    """
    with _listen(port) as listener:
        own = TransportSecuritySettings(allowed_hosts=[f"{name}:*" for name in (HOST, "localhost")])
        site = server.streamable_http_app(
            streamable_http_path=PATH, stateless_http=True, host=HOST, transport_security=own
        )
        config = uvicorn.Config(
            site, log_config=None, log_level="warning", timeout_graceful_shutdown=1, server_header=False
        )
        print(f"http://{HOST}:{listener.getsockname()[1]}{PATH}", flush=True)  # noqa: T201
        uvicorn.Server(config).run(sockets=[listener])


def _listen(port: int) -> socket.socket:
    try:
        return bind(HOST, port)
    except OSError as error:
        reason = "is taken" if error.errno == errno.EADDRINUSE else f"cannot be had: {error.strerror or error}"
        raise UsageError(f"port {port} {reason}; choose another: {NAME} mcp --http --port N") from error


@contextmanager
def _told() -> Iterator[None]:
    """Tell the client, in the error's own line, what the program can explain."""
    try:
        yield
    except ArticleChatError as error:
        raise ToolError(str(error)) from error


def _range(span: Span) -> str:
    return f"#{char_range(span.start, span.end)}"


__all__ = ["ArticleServer", "serve_http", "serve_stdio"]
