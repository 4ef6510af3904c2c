"""What the page's tests share: a server in a thread, a model that waits to be told, and steps that a person takes."""

from __future__ import annotations

import contextlib
import json
import re
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import httpx
from axe_playwright_python.sync_playwright import Axe
from fakes import FakeEmbedder, OverlapChecker, OverlapReader, ScriptedModel
from fastapi import FastAPI
from playwright.sync_api import Locator, Page, expect

from rag import Digests, Document, Library, Pipeline, Quote, Reading, RetrievedPassage, Settings, Shelf, Span
from rag.answer.examples import Examples
from rag.answer.studies import Studies
from rag.api import ServedCollection
from rag.library.index import Chunking, PassageIndex
from rag.models.embeddings import Embedder
from rag.models.llm import LanguageModel, Prompt, Token
from rag.models.reader.quotes import Reader
from ui.app import web_app
from ui.chat import Chat
from ui.keys import Keys
from ui.owners import Accounts
from ui.server import listen, server_of, url_of
from ui.waiting import Loading

PATIENCE = 60_000
"""Milliseconds that a slow machine may take for anything."""


class DeafModel(ScriptedModel):
    """Neither writes nor looks whether it was stopped until `let` is set; `begun` is set once it is asked to write."""

    def __init__(self, *replies: str) -> None:
        super().__init__(replies, name="deaf")
        self.begun, self.let = threading.Event(), threading.Event()

    def generate(
        self, prompt: Prompt, *, max_tokens: int, seconds: float, stopped: Callable[[], bool], avoid: str = ""
    ) -> Iterator[Token]:
        self.begun.set()
        self.let.wait(120)
        yield from super().generate(prompt, max_tokens=max_tokens, seconds=seconds, stopped=stopped, avoid=avoid)


class FixedReader:
    """Finds the same ranges of the first document whatever the question."""

    name = "fixed"

    def __init__(self, *ranges: tuple[int, int]) -> None:
        self.spans = [Span(start, end) for start, end in ranges]

    def read(
        self, question: str, documents: Mapping[str, Document], passages: Sequence[RetrievedPassage], *, max_quotes: int
    ) -> Reading:
        first = next(iter(documents.values()))
        return Reading(tuple(Quote(first.id, s, first.text[s.start : s.end], 1.0) for s in self.spans), 1.0)


def pipeline_over(
    settings: Settings, *documents: Document, model: LanguageModel | None = None, reader: Reader | None = None
) -> Pipeline:
    index = PassageIndex.build(documents, embedder=FakeEmbedder(), chunking=Chunking(40, 15))
    return Pipeline(index, reader=reader or OverlapReader(), checker=OverlapChecker(), model=model, settings=settings)


def shelf_in(settings: Settings, embedder: Embedder | None = None) -> Shelf:
    return Shelf(Library(settings, embedder or FakeEmbedder()), settings)


@contextlib.contextmanager
def served(
    pipeline: Pipeline,
    examples: Examples | None = None,
    loading: Loading | None = None,
    *,
    port: int = 0,
    shelf: Shelf | None = None,
    accounts: Accounts | None = None,
    keys: Keys | None = None,
    chat: Chat | None = None,
    library: Library | None = None,
    collection: str = "seeds",
) -> Iterator[str]:
    """The page's URL while it is served; without a shelf, with one that is gone afterwards. With a library, of
    which the pipeline is over the collection, it follows that.
    """
    with tempfile.TemporaryDirectory() as home:
        chat = chat or Chat(loading)
        examples = examples or Examples(chat.is_busy)
        studies, digests = Studies(), Digests(chat.is_busy)
        shelf = shelf or shelf_in(Settings(home=Path(home), llm="none", threads=1))
        try:
            site = web_app(
                ServedCollection(pipeline, collection, library),
                shelf,
                chat,
                examples,
                studies,
                digests=digests,
                accounts=accounts,
                keys=keys,
            )
            with running(site, port=port) as url:
                yield url
        finally:
            shelf.close()
            examples.stop()
            studies.stop()
            digests.stop()


@contextlib.contextmanager
def running(site: FastAPI, *, port: int = 0) -> Iterator[str]:
    """The site's URL while a server in a thread serves it."""
    with listen("127.0.0.1", port) as listener:
        server = server_of(site)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        while not server.started and thread.is_alive():
            time.sleep(0.01)
        try:
            yield url_of(listener, "127.0.0.1")
        finally:
            server.should_exit = True
            thread.join()


def open_page(page: Page, url: str) -> None:
    page.goto(url)
    expect(page.locator("#article p").first).to_be_visible(timeout=PATIENCE)
    expect(status_of(page)).to_have_count(1, timeout=PATIENCE)


def event_of(client: httpx.Client, name: str, *, kind: str = "click") -> int:
    """The number of the page's event on the button or box of that name."""
    html = client.get("/", headers={"Accept": "text/html"}).text
    config = json.loads(re.search(r"window\.gradio_config = (\{.*?\});</script>", html)[1])
    ids = [c["id"] for c in config["components"] if name in (c["props"].get("value"), c["props"].get("label"))]
    return next(d["id"] for d in config["dependencies"] if any(list(t) == [ids[0], kind] for t in d["targets"]))


def status_of(page: Page) -> Locator:
    return page.get_by_role("status")


def begin(page: Page, question: str) -> Locator:
    """Ask; the group of the answer, which need not be complete."""
    page.get_by_label("Your question").fill(question)
    page.get_by_role("button", name="Ask", exact=True).click()
    group = page.get_by_role("group", name=f"Answer to: {question}", exact=True)
    expect(group).to_be_attached(timeout=PATIENCE)
    return group


def ask(page: Page, question: str) -> Locator:
    """Ask, and wait for the complete answer."""
    group = begin(page, question)
    expect(group).to_have_class(re.compile("answered|abstained"), timeout=PATIENCE)
    return group


def serious_violations(page: Page, state: str) -> list[tuple[str, str, str, str]]:
    """What axe finds serious or critical, as (state, look, rule, HTML); the page must bypass its policy (CSP)."""
    serious = []
    for look in ("light", "dark"):
        page.emulate_media(color_scheme=look, reduced_motion="reduce")
        expect(page.locator("body")).to_have_class(re.compile("dark") if look == "dark" else re.compile("^(?!.*dark)"))
        found = Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]
        for violation in (v for v in found if v["impact"] in ("serious", "critical")):
            serious += [(state, look, violation["id"], node["html"]) for node in violation["nodes"]]
    return serious


def current_mark(page: Page) -> Locator:
    return page.locator('#article mark[aria-current="true"]')


def text_of(locator: Locator) -> str:
    return str(locator.evaluate("node => node.textContent"))


def press(page: Page, name: str) -> None:
    """Click the button, of which there is one."""
    page.get_by_role("button", name=name, exact=True).click()


def highlighted(page: Page, name: str) -> list[str]:
    """The words under the CSS highlight, piece by piece, in the order of the article."""
    return [str(piece) for piece in page.evaluate(_HIGHLIGHTED, name)]


_HIGHLIGHTED = """name => [...(CSS.highlights.get(name) ?? [])].map(
    ({ startContainer, startOffset, endOffset }) => startContainer.data.slice(startOffset, endOffset))"""
