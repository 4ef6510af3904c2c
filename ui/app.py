"""The site: `web_app` puts the page, its files and the articles behind the guard, `serve` runs it."""

from __future__ import annotations

import logging
import os
import secrets
import socket
import threading
from pathlib import Path
from typing import Any

import gradio as gr
from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import JSONResponse
from starlette.middleware import Middleware
from starlette.staticfiles import StaticFiles
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from rag import (
    ArticleChatError,
    Digests,
    Examples,
    Library,
    PassageIndex,
    Pipeline,
    Settings,
    Shelf,
    Studies,
    UsageError,
    build_pipeline,
    pages_of,
    reachable,
)
from rag.api import API, Articles, ServedCollection, api_app
from ui.articles import add_article_routes
from ui.chat import Chat
from ui.claims import add_claim_route
from ui.kept import Kept
from ui.keys import Keys
from ui.operations import FRESH, add_operation_routes
from ui.originals import add_page_routes
from ui.overview import add_overview_route
from ui.owners import Accounts, Owners, owner_of
from ui.page import build_app
from ui.paragraphs import article_json
from ui.policy import OnePage
from ui.security import LOOPBACK, Guard, Hosts, is_every_address
from ui.server import listen, server_of, url_of
from ui.sessions import Sessions
from ui.waiting import Loading

log = logging.getLogger(__name__)
ASSETS = Path(__file__).parent / "assets"
ENDING_SECONDS = 30.0
"""Once the server was told to stop, what it still computes has so long to end."""
STYLES = (
    *("theme", "page"),
    *(
        f"conversation/{name}"
        for name in ("toolbar", "history", "claim", "conversation", "citations", "notes", "preview", "examples")
    ),
    *(f"article/{name}" for name in ("panel", "pages", "search", "strip", "overview")),
    *(f"library/{name}" for name in ("library", "choice", "notices", "paste")),
    "print",
)
"""Each beside the script that draws what it styles; the first two and the last are for all."""
HEAD = "".join(f'<link rel="stylesheet" href="/page/{name}.css">' for name in STYLES) + (
    '<script type="module" src="/page/page.js"></script>'
)


def web_app(
    served: ServedCollection,
    shelf: Shelf,
    chat: Chat,
    examples: Examples,
    studies: Studies,
    *,
    digests: Digests,
    host: str = "127.0.0.1",
    public_url: str = "",
    accounts: Accounts | None = None,
    keys: Keys | None = None,
    named: Articles | None = None,
    open_metrics: bool = False,
) -> FastAPI:
    """The whole site: the page, its scripts and style, the articles as JSON, the API, behind the guard and for known
    owners.

    The shared articles are those that are served; the shelf has the visitors' own. What the API can ask
    is `named`; without, what the page shows. The server's figures are for this computer alone, or, with `open_metrics`,
    for who is let in, too.
    """
    closed: dict[str, Any] = {"openapi_url": None, "docs_url": None, "redoc_url": None}
    site = FastAPI(**closed)
    protect(site, host=host, public_url=public_url, accounts=accounts, keys=keys)
    site.mount("/page", StaticFiles(directory=ASSETS))

    def forget(article: str) -> None:
        examples.forget(article)
        studies.forget(article)
        digests.forget(article)

    add_article_routes(site, shelf, chat.metrics, removed=forget)

    def renew(before: PassageIndex, now: PassageIndex | None) -> None:
        for made in (examples, studies, digests):
            made.renew(before, now)
        if now is not None and not chat.loads():
            _prepare(served.over(now), examples, studies)

    served.changed = renew
    add_page_routes(site, shelf, served.index)

    def pipeline_of(request: Any, about: str) -> Pipeline:
        articles = about.split()
        if not articles:
            return served.pipeline()
        return served.over(shelf.together(owner_of(request), articles, served.index()))

    add_claim_route(site, pipeline_of)
    add_overview_route(site, digests, pipeline_of)
    _add_shared_routes(site, served, shelf.settings)

    @site.get("/examples")
    def questions(request: Request, about: str = "") -> JSONResponse:
        """Example questions about the articles with these ids, or the shared ones; null until they are found."""
        try:
            found = examples.of(pipeline_of(request, about))
        except ArticleChatError:
            found = ()  # it was removed meanwhile
        return JSONResponse(found, headers=FRESH)

    @site.get("/reading")
    def reading(request: Request, about: str = "") -> JSONResponse:
        """How much of these articles the language model has read, in [0, 1]; null once it reads no more."""
        try:
            share = None if chat.loads() else studies.of(pipeline_of(request, about))
        except ArticleChatError:
            share = None  # it was removed meanwhile
        return JSONResponse({"share": share, "loads": bool(chat.loads())}, headers=FRESH)

    asked = named or Articles(served, shelf=shelf)
    api = api_app(asked, chat.place, studies.of, seconds=shelf.settings.answer_seconds, metrics=chat.metrics)
    site.mount(API, api)
    add_operation_routes(site, served, chat, public_url=public_url, open_metrics=open_metrics)
    kept = Kept()
    index = served.pipeline().index
    titles = [document.title for document in index.documents.values()]
    page = build_app(pipeline_of, chat, examples, titles, index.version)
    mounted: FastAPI = gr.mount_gradio_app(
        site,
        page,
        path="/",
        head=HEAD,
        theme=gr.themes.Default(font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"]),
        footer_links=[],
        run_history=False,
        enable_monitoring=False,
        pwa=False,
        favicon_path=str(ASSETS / "favicon.svg"),
        max_file_size=0,
        app_kwargs={**closed, "middleware": [Middleware(Sessions, kept=kept), Middleware(OnePage)]},
    )
    kept.set_blocks(page)
    mounts = [getattr(route, "app", None) for route in mounted.routes]
    next(app for app in mounts if isinstance(app, gr.routes.App)).state_holder = kept
    return mounted


def _add_shared_routes(site: FastAPI, served: ServedCollection, settings: Settings) -> None:
    """Add the routes of the articles that are served to all, and of what tells the page that they are others now."""
    run = secrets.token_urlsafe(8)

    @site.get("/alive")
    def alive() -> JSONResponse:
        """By this the page knows that the server answers, that it is still the same run of it, and which version of the
        shared articles is asked now, "" where they were removed.
        """
        index = served.index()
        return JSONResponse({"run": run, "version": index.version if index is not None else ""}, headers=FRESH)

    @site.get("/articles")
    def articles() -> JSONResponse:
        index = served.index()
        documents = index.documents.values() if index is not None else ()
        titles = [{"id": document.id, "title": document.title} for document in documents]
        return JSONResponse(titles, headers=FRESH)

    @site.get("/articles/{document_id}")
    def article(document_id: str) -> JSONResponse:
        index = served.index()
        document = index.documents.get(document_id) if index is not None else None
        if index is None or document is None:
            raise HTTPException(404)
        starts = [passage.span.start for passage in index.passages if passage.document_id == document_id]
        told = article_json(document, starts, pages=pages_of(index, document_id, settings))
        return JSONResponse(told, headers=FRESH)


def _prepare(pipeline: Pipeline, examples: Examples, studies: Studies) -> None:
    """Have found and read, in the background, what whoever opens the page is to see."""
    examples.of(pipeline)
    studies.of(pipeline)


def protect(
    site: FastAPI,
    *,
    host: str = "127.0.0.1",
    public_url: str = "",
    accounts: Accounts | None = None,
    keys: Keys | None = None,
) -> None:
    """Put the site behind the guard and let only owners in; at a public URL, a proxy on this computer says for whom it
    asks (`X-Forwarded-For`).
    """
    site.add_middleware(Owners, accounts=accounts, keys=keys)
    site.add_middleware(Guard, hosts=Hosts(host), public_url=public_url)
    if public_url:
        site.add_middleware(ProxyHeadersMiddleware, trusted_hosts=LOOPBACK)


def serve(
    library: Library,
    settings: Settings,
    *,
    collection: str,
    host: str,
    port: int,
    accounts: Accounts | None = None,
    keys: Keys | None = None,
    public_url: str = "",
    open_metrics: bool = False,
) -> None:
    """Serve the page and the API about the collection until Ctrl-C or SIGTERM; where nobody else is let in, the API is
    about the library's other collections, too.

    The page opens while the models still load; its URL is printed once it can answer. Raises UsageError where the port
    is taken or where others could reach the page and there are no accounts, ModelError where a model cannot be loaded.
    """
    if public_url and accounts is None:
        raise UsageError("--public-url lets others reach the page, so it needs accounts: add --auth NAME:PASSWORD")
    with listen(host, port, open_to_others=accounts is not None) as listener:
        if accounts is not None and (open_to_files := reachable()):
            log.warning("what reads files could reach %s on this system", " and ".join(open_to_files))
        os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
        served = ServedCollection(build_pipeline(library.open(collection), settings), collection, library)
        loading = Loading(served.warm_up)
        chat = Chat(loading, seconds=settings.answer_seconds)
        examples, studies, digests = Examples(chat.is_busy), Studies(chat.is_busy), Digests(chat.is_busy)
        shelf = Shelf(library, settings)
        named = Articles(served, library=library if accounts is None else None, shelf=shelf)
        site = web_app(
            served,
            shelf,
            chat,
            examples,
            studies,
            digests=digests,
            host=host,
            public_url=public_url,
            accounts=accounts,
            keys=keys,
            named=named,
            open_metrics=open_metrics,
        )
        server = server_of(site)

        def ready() -> None:
            if loading.error is not None:
                server.should_exit = True
            elif not server.should_exit:
                if (now := served.now()) is not None:
                    _prepare(now, examples, studies)
                name = socket.gethostname() if is_every_address(host) else host
                print(public_url or url_of(listener, name), flush=True)  # noqa: T201

        port = listener.getsockname()[1]
        articles = len(served.documents)
        log.info("the server listens", extra={"facts": {"port": port, "articles": articles}})
        loading.start(ready)
        try:
            server.run(sockets=[listener])
        except KeyboardInterrupt:
            pass  # uvicorn raises the signal again once it has shut down
        finally:  # a process that ends while native code runs in it crashes; what never ends is not waited for
            impatient = threading.Timer(ENDING_SECONDS, os._exit, [1])
            impatient.daemon = True
            impatient.start()
            shelf.close()
            served.close()
            loading.finished.wait()
            examples.stop()
            studies.stop()
            digests.stop()
            if not chat.responds():
                os._exit(1)
            impatient.cancel()
    if loading.error is not None:
        raise loading.error
