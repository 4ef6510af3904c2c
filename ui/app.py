"""The page and its server: `build_app` wires the components, `web_app` puts the guard around them, `serve` runs it."""

from __future__ import annotations

import errno
import logging
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr
import uvicorn
from fastapi import FastAPI, HTTPException
from fastapi.responses import JSONResponse
from starlette.staticfiles import StaticFiles

from rag import Library, Pipeline, Settings, Shelf, UsageError, build_pipeline
from ui.articles import add_article_routes
from ui.chat import Chat, View
from ui.examples import Examples
from ui.owners import Accounts, Owners
from ui.rendering import Exchange, article_json, conversation_html, introduction_html, status_html
from ui.security import Guard, Hosts, is_every_address, is_loopback

ASSETS = Path(__file__).parent / "assets"
HEAD = '<link rel="stylesheet" href="/page/page.css"><script src="/page/page.js" defer></script>'
SHOWN_EXAMPLES = 3
_QUIET: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}


def build_app(pipeline: Pipeline, examples: Examples | None = None) -> gr.Blocks:
    """The page's components and events over the pipeline; example questions appear once `examples` has found them.

    The conversation lives in the server's state of each visit; nothing that the browser sends but the question is used.
    """
    documents = pipeline.index.documents
    titles = [document.title for document in documents.values()]
    chat = Chat(pipeline)
    app: gr.Blocks
    with gr.Blocks(title=f"{titles[0]} · article-chat", analytics_enabled=False, fill_width=True) as app:
        conversation = gr.State(())
        with gr.Row(elem_id="page"):
            with gr.Column(elem_id="talk", min_width=0, scale=6):
                _markdown(introduction_html(titles), elem_id="introduction")
                with gr.Row(elem_id="examples", visible=examples is not None) as example_row:
                    example_buttons = [
                        gr.Button("", visible=False, size="sm", elem_classes="example") for _ in range(SHOWN_EXAMPLES)
                    ]
                answers = _markdown("", elem_id="conversation")
                status = _markdown("", elem_id="status")
                with gr.Row(elem_id="ask"):
                    question = gr.Textbox(
                        label="Your question",
                        placeholder="Why did …?",
                        lines=1,
                        max_lines=4,
                        autofocus=True,
                        scale=8,
                        min_width=0,
                    )
                    ask = gr.Button("Ask", variant="primary", scale=1, min_width=72)
                    stop = gr.Button("Stop", interactive=False, scale=1, min_width=72)
            with gr.Column(elem_id="source", min_width=0, scale=5):
                _markdown('<div id="article" role="region" tabindex="0" title="Article"></div>', elem_id="article-box")

        def answer(text: str, exchanges: tuple[Exchange, ...], request: gr.Request) -> Iterator[dict[Any, Any]]:
            views = chat.ask(text, exchanges, str(request.session_hash))
            for number, view in enumerate(views):
                if view.failed:
                    yield {**show(view), question: text}
                else:
                    yield {**show(view), **(asked if number == 0 else {})}

        def show(view: View) -> dict[Any, Any]:
            shown = {
                answers: conversation_html(view.exchanges, documents),
                status: status_html(view.status),
                stop: gr.Button(interactive=view.running),
            }
            return shown if view.running else {**shown, conversation: view.exchanges}

        asked: dict[Any, Any] = {question: "", example_row: gr.Row(visible=False)}

        outputs = [conversation, answers, status, question, stop, example_row]
        answering: dict[str, Any] = {
            "outputs": outputs,
            "trigger_mode": "once",
            "show_progress": "hidden",
            "concurrency_limit": 1,
            "concurrency_id": "answering",
            "api_visibility": "private",
        }
        gr.on([question.submit, ask.click], answer, [question, conversation], **answering)
        for button in example_buttons:
            button.click(answer, [button, conversation], **answering)

        def stop_answering(request: gr.Request) -> None:
            chat.stop(str(request.session_hash))

        stop.click(stop_answering, **_QUIET)

        if examples is not None:
            clock = gr.Timer(1.0)

            def offer() -> list[Any]:
                found = examples.questions
                if found is None:
                    return [gr.skip()] * (SHOWN_EXAMPLES + 1)
                offered = [gr.Button(text, visible=True) for text in found]
                return [*offered, *[gr.skip()] * (SHOWN_EXAMPLES - len(found)), gr.Timer(active=False)]

            clock.tick(offer, outputs=[*example_buttons, clock], **_QUIET)
            app.load(offer, outputs=[*example_buttons, clock], **_QUIET)
    return app


def web_app(
    pipeline: Pipeline,
    examples: Examples | None = None,
    *,
    host: str = "127.0.0.1",
    public_url: str = "",
    accounts: Accounts | None = None,
    shelf: Shelf | None = None,
) -> FastAPI:
    """The whole site: the page, its script and style, the articles as JSON, behind the guard and for known owners."""
    closed: dict[str, Any] = {"openapi_url": None, "docs_url": None, "redoc_url": None}
    site = FastAPI(**closed)
    site.add_middleware(Owners, accounts=accounts)
    site.add_middleware(Guard, hosts=Hosts(host), public_url=public_url)
    site.mount("/page", StaticFiles(directory=ASSETS))
    index = pipeline.index
    if shelf is not None:
        add_article_routes(site, shelf)

    @site.get("/articles")
    def articles() -> JSONResponse:
        return JSONResponse([{"id": document.id, "title": document.title} for document in index.documents.values()])

    @site.get("/articles/{document_id}")
    def article(document_id: str) -> JSONResponse:
        document = index.documents.get(document_id)
        if document is None:
            raise HTTPException(404)
        starts = [passage.span.start for passage in index.passages if passage.document_id == document_id]
        return JSONResponse(article_json(document, starts))

    mounted: FastAPI = gr.mount_gradio_app(
        site,
        build_app(pipeline, examples),
        path="/",
        head=HEAD,
        theme=gr.themes.Default(font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"]),
        footer_links=[],
        run_history=False,
        enable_monitoring=False,
        pwa=False,
        max_file_size=0,
        app_kwargs=closed,
    )
    return mounted


def serve(
    library: Library,
    settings: Settings,
    *,
    collection: str,
    host: str,
    port: int,
    accounts: Accounts | None = None,
    public_url: str = "",
) -> None:
    """Serve the page about the collection until Ctrl-C or SIGTERM; its URL is printed once it answers.

    Raises UsageError where the port is taken, or where others could reach the page and there are no accounts.
    """
    if public_url and accounts is None:
        raise UsageError("--public-url lets others reach the page, so it needs accounts: add --auth NAME:PASSWORD")
    listener = listen(host, port, open_to_others=accounts is not None)
    with listener:
        os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
        pipeline = build_pipeline(library.open(collection), settings)
        document = next(iter(pipeline.index.documents.values()))
        pipeline.warm_up()
        examples = Examples(pipeline, document)
        shelf = Shelf(library, settings)
        name = socket.gethostname() if is_every_address(host) else _in_url(host)
        url = public_url or f"http://{name}:{listener.getsockname()[1]}"
        site = web_app(pipeline, examples, host=host, public_url=public_url, accounts=accounts, shelf=shelf)
        server = server_of(site, url)
        examples.start()
        try:
            server.run(sockets=[listener])
        except KeyboardInterrupt:
            pass  # uvicorn raises the signal again once it has shut down
        finally:
            shelf.close()
            examples.stop()


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
        return _bind(host, port)
    except PermissionError as error:
        raise UsageError(f"port {port} is not allowed; choose another: article-chat serve --port 7860") from error
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise UsageError(f"cannot serve on {host} port {port}: {error.strerror or error}") from error
        raise UsageError(
            f"port {port} is taken; choose another: article-chat serve --port {_free_port_after(host, port)}"
        ) from error


def server_of(site: FastAPI, url: str) -> uvicorn.Server:
    """A server that prints the URL as soon as it answers, and stops within about a second."""
    config = uvicorn.Config(
        site, log_level="warning", timeout_graceful_shutdown=1, server_header=False, proxy_headers=False
    )
    return _Server(config, url)


class _Server(uvicorn.Server):
    """Prints its URL once it answers, and says nothing while it stops."""

    def __init__(self, config: uvicorn.Config, url: str) -> None:
        super().__init__(config)
        self._url = url

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            print(self._url, flush=True)  # noqa: T201

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Close what open tabs still listen to, without a traceback for each."""
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
        await super().shutdown(sockets)


def _markdown(value: str, *, elem_id: str) -> gr.Markdown:
    return gr.Markdown(value, elem_id=elem_id, latex_delimiters=[], container=False)


def _bind(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as a server that was just stopped leaves it
        bound.bind((host, port))
        bound.listen()  # or a second server could bind it, too, while this one loads its models
    except BaseException:
        bound.close()
        raise
    return bound


def _free_port_after(host: str, port: int) -> int:
    for other in range(port + 1, min(port + 20, 65536)):
        try:
            _bind(host, other).close()
        except OSError:
            continue
        return other
    return 7860


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host
