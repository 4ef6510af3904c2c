"""What can be asked next: under the last answer, one click away, and gone while an answer is made."""

import re
import threading
from contextlib import ExitStack

import pytest
from fakes import GatedModel
from pages import (
    PATIENCE,
    ask,
    open_page,
    pipeline_over,
    press,
    serious_violations,
    served,
    shelf_in,
    status_of,
)
from playwright.sync_api import expect

from rag import Document
from rag.answer.examples import Examples

pytestmark = pytest.mark.filterwarnings("ignore::pandas.errors.Pandas4Warning")

TEXT = (
    "Clara Okafor said the dam was safe. Henrik Lund said the bridge was closed. "
    "Ines Moreau said the school would open. Tomas Berg said the ferry was late."
)
OKAFOR, LUND, MOREAU, BERG = (
    f"What did {name} say?" for name in ("Clara Okafor", "Henrik Lund", "Ines Moreau", "Tomas Berg")
)


@pytest.fixture
def town():
    return Document(id="town", title="Town", text=TEXT, source="town.txt")


def next_of(page):
    return page.get_by_role("group", name="Ask next", exact=True)


def expect_next(page, *questions):
    expect(next_of(page).get_by_role("button")).to_have_text(questions, timeout=PATIENCE)


def expect_answer(page, question):
    group = page.get_by_role("group", name=f"Answer to: {question}", exact=True)
    expect(group).to_have_class(re.compile("answered"), timeout=PATIENCE)


def open_with_examples(page, url):
    """Open the page, and wait until the questions to begin with are there."""
    open_page(page, url)
    expect(page.locator("#questions button")).to_have_count(3, timeout=PATIENCE)


def test_the_nearest_open_questions_are_asked_with_a_click_until_none_is_left(page, settings, town):
    model = GatedModel()
    with served(pipeline_over(settings, town, model=model)) as url:
        open_with_examples(page, url)
        model.gate.set()
        press(page, LUND)
        expect_next(page, OKAFOR, MOREAU)
        model.gate.clear()
        next_of(page).get_by_role("button", name=MOREAU).press("Enter")
        expect(status_of(page)).to_contain_text("Writing", timeout=PATIENCE)
        expect(next_of(page)).to_have_count(0)
        model.gate.set()
        expect_answer(page, MOREAU)
        expect_next(page, BERG, OKAFOR)
        page.reload()
        expect_answer(page, MOREAU)
        expect_next(page, BERG, OKAFOR)

        press(page, "Edit")
        expect(page.get_by_role("button", name="Cancel")).to_be_visible()
        expect(next_of(page)).to_have_count(0)
        press(page, "Cancel")
        next_of(page).get_by_role("button", name=BERG).click()
        expect_next(page, OKAFOR)
        ask(page, "How safe is the dam?")  # answered by what Okafor said
        expect(next_of(page)).to_have_count(0)
        page.goto("about:blank")


def test_what_is_found_after_the_answer_is_offered_then(page, settings, town):
    waits = threading.Event()
    with served(pipeline_over(settings, town), Examples(busy=lambda: not waits.is_set())) as url:
        open_page(page, url)
        ask(page, LUND)
        expect(next_of(page)).to_have_count(0)
        waits.set()
        expect_next(page, OKAFOR, MOREAU)
        page.goto("about:blank")


def test_articles_that_are_asked_together_have_some_of_each(page, settings, town):
    mill = "Vera Sand said the mill was sold."
    with served(pipeline_over(settings, town), shelf=shelf_in(settings)) as url:
        open_page(page, url)
        files = [{"name": "mill.txt", "mimeType": "text/plain", "buffer": mill.encode()}]
        page.get_by_label("Add an article").set_input_files(files)
        expect(page.get_by_role("heading", level=1)).to_have_text("Mill", timeout=PATIENCE)
        page.get_by_role("button", name=re.compile("^Choose articles: ")).click()
        for box in page.get_by_role("checkbox").all():
            box.check()
        press(page, "Ask these 2")
        expect(page.get_by_role("heading", level=1)).to_have_text("Town and 1 more", timeout=PATIENCE)
        expect(page.locator("#questions button")).to_have_count(3, timeout=PATIENCE)
        for question in (LUND, OKAFOR, MOREAU):
            ask(page, question)
        expect_next(page, BERG, "What did Vera Sand say?")
        page.goto("about:blank")


def test_an_article_without_questions_has_none_to_ask_next(visit, article):
    page = visit(article)
    ask(page, "Who founded the maritime museum?")
    expect(next_of(page)).to_have_count(0)


def test_they_fit_a_phone_and_axe_finds_nothing_serious(browser, settings, town):
    with ExitStack() as stack:
        url = stack.enter_context(served(pipeline_over(settings, town)))
        context = browser.new_context(
            viewport={"width": 390, "height": 844}, bypass_csp=True
        )  # axe is put into the page
        stack.callback(context.close)
        page = context.new_page()
        open_with_examples(page, url)
        ask(page, LUND)
        expect_next(page, OKAFOR, MOREAU)
        assert page.evaluate("document.documentElement.scrollWidth") == 390
        assert serious_violations(page, "next") == []
