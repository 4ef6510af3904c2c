"""Checking a claim on the page, and the route behind it."""

import json

import httpx
import pytest
from pages import current_mark, open_page, pipeline_over, serious_violations, served, shelf_in, text_of
from playwright.sync_api import Page, expect

from rag import Document, Settings
from ui.claims import MOST_BYTES

pytestmark = pytest.mark.filterwarnings("ignore::pandas.errors.Pandas4Warning")

SAID = "The museum moved to Basel after the war."


def check(page: Page, claim: str) -> None:
    page.get_by_text("Check a claim", exact=True).click()
    page.get_by_label("Does the article say this?").fill(claim)
    page.get_by_role("button", name="Check", exact=True).click()


def test_each_sentence_is_said_with_its_quote_or_not_said_with_the_nearest(visit, article: Document) -> None:
    page = visit(article)
    check(page, f"{SAID} It burned down.")
    expect(page.get_by_text(f"The article says so: {SAID}")).to_be_visible()
    expect(page.get_by_text("Not said: It burned down.")).to_be_visible()
    expect(page.get_by_role("status")).to_contain_text("Checked: the article says 1 of 2 sentences.")
    page.get_by_role("button", name="Source 1").click()
    expect(current_mark(page)).to_be_focused()
    assert text_of(current_mark(page)) == SAID
    nearest = page.get_by_role("button", name="Nearest 2")
    quote = text_of(page.locator("#claim .card", has=nearest).locator("blockquote"))
    nearest.click()
    expect(current_mark(page)).to_have_text(quote)
    assert quote in article.text


def test_it_is_done_with_the_keyboard_and_closed_with_escape(visit, article: Document) -> None:
    page = visit(article)
    page.get_by_text("Check a claim", exact=True).focus()
    page.keyboard.press("Enter")
    expect(page.get_by_label("Does the article say this?")).to_be_focused()
    page.keyboard.type(SAID)
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    source = page.get_by_role("button", name="Source 1")
    expect(source).to_be_visible()
    page.keyboard.press("Tab")
    expect(source).to_be_focused()
    page.keyboard.press("Escape")
    expect(source).to_be_hidden()
    expect(page.get_by_text("Check a claim", exact=True)).to_be_focused()


def test_nothing_is_sent_where_nothing_was_typed(visit, article: Document) -> None:
    page = visit(article)
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.url))
    check(page, " \n ")
    expect(page.get_by_label("Does the article say this?")).to_be_focused()
    assert not [url for url in sent if "/check" in url]
    page.get_by_label("Does the article say this?").fill(SAID)
    page.get_by_role("button", name="Check", exact=True).click()
    expect(page.get_by_role("button", name="Source 1")).to_be_visible()


def test_a_strangers_words_are_only_text(visit) -> None:
    hostile = 'The <img src=x onerror="alert(1)"> <b>ferry</b> was late.'
    page = visit(Document(id="d", title="<i>D</i>", text=f"😀 {hostile}", source="d.txt"))
    check(page, hostile)
    card = page.locator("#claim .card")
    expect(card).to_contain_text("<i>D</i>")
    assert hostile in text_of(card.locator("blockquote"))
    page.get_by_role("button", name="Source 1").click()
    expect(current_mark(page)).to_have_text(text_of(card.locator("blockquote")))


def test_axe_finds_nothing_serious(browser, settings: Settings, article: Document) -> None:
    with served(pipeline_over(settings, article)) as url:
        context = browser.new_context(viewport={"width": 1280, "height": 800}, bypass_csp=True)
        page = context.new_page()
        open_page(page, url)
        check(page, f"{SAID} It burned down.")
        expect(page.get_by_role("button", name="Source 1")).to_be_visible()
        serious = serious_violations(page, "checked")
        page.set_viewport_size({"width": 390, "height": 844})
        assert serious + serious_violations(page, "phone") == []
        context.close()


def test_a_visitors_own_article_is_checked_for_them_alone(settings: Settings, article: Document) -> None:
    shelf = shelf_in(settings)
    with served(pipeline_over(settings, article), shelf=shelf) as url, httpx.Client(base_url=url) as ann:
        with ann.stream(
            "POST", "/own/articles/paste", json={"title": "Own", "text": "The mill stands still."}
        ) as lines:
            own = json.loads(list(lines.iter_lines())[-1])["article"]["id"]
        told = ann.post("/check", params={"about": own}, json={"claim": "The mill stands still."}).json()
        assert told["supported"]
        assert told["sentences"][0]["citations"][0]["title"] == "Own"
        other = httpx.post(f"{url}/check", params={"about": own}, json={"claim": "The mill stands still."})
        assert other.status_code == 404


@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        (b'{"claim": ""}', 400, "There is no claim"),
        (b'{"claim": 1}', 400, 'Send {"claim"} as JSON'),
        (b"[", 400, 'Send {"claim"} as JSON'),
        (b'{"claim": "' + b"a" * MOST_BYTES + b'"}', 413, ""),
    ],
)
def test_a_bad_request_is_refused(settings: Settings, article: Document, body: bytes, status: int, says: str) -> None:
    with served(pipeline_over(settings, article)) as url:
        response = httpx.post(f"{url}/check", content=body)
    assert response.status_code == status
    assert says in response.json()["message"]
