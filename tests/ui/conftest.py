"""A real browser, and the page over the fakes."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from pages import PATIENCE, open_page, pipeline_over, served
from playwright.sync_api import Browser, Page, sync_playwright

from rag import Document, Settings
from rag.models.llm import LanguageModel
from rag.models.reader.quotes import Reader


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    own = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    with sync_playwright() as playwright:  # without one on the path, Playwright looks for the browser that it fetched
        browser = playwright.chromium.launch(executable_path=own, args=["--no-sandbox", "--headless"])
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A tab of its own, in which nothing may be refused by the page's own policy and no script may fail."""
    context = browser.new_context(viewport={"width": 1280, "height": 800}, reduced_motion="reduce")
    context.set_default_timeout(PATIENCE)
    page = context.new_page()
    wrong: list[str] = []
    # It may look for the server when that is gone already, or goes meanwhile. What the policy refuses says so besides.
    gone = ("CONNECTION_REFUSED", "TypeError: Failed to fetch")
    page.on(
        "console",
        lambda message: (
            wrong.append(message.text)
            if message.type == "error" and not any(told in message.text for told in gone)
            else None
        ),
    )
    page.on("pageerror", lambda error: wrong.append(str(error)))
    yield page
    context.close()
    # Gradio's client aborts its stream where a page is left, and tells nobody to expect that.
    assert [error for error in wrong if not error.startswith("AbortError: signal is aborted without reason")] == []


@pytest.fixture
def visit(page: Page, settings: Settings) -> Iterator[Callable[..., Page]]:
    """Serves the documents with the model and opens the page about them."""
    with ExitStack() as stack:

        def visit(*documents: Document, model: LanguageModel | None = None, reader: Reader | None = None) -> Page:
            pipeline = pipeline_over(settings, *documents, model=model, reader=reader)
            open_page(page, stack.enter_context(served(pipeline)))
            return page

        yield visit
        for tab in page.context.pages:
            tab.goto("about:blank")  # the server waits for whoever still listens
