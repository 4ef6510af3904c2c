"""The overview of an article on the page, and the route behind it."""

import httpx
import pytest
from fakes import GatedModel
from pages import (
    PATIENCE,
    ask,
    current_mark,
    open_page,
    pipeline_over,
    press,
    serious_violations,
    served,
    shelf_in,
    status_of,
    text_of,
)
from playwright.sync_api import Locator, Page, expect

from rag import Document, Settings

pytestmark = pytest.mark.filterwarnings("ignore::pandas.errors.Pandas4Warning")

TEXT = """\
Ms Okafor 😀 said repairs of the Northern Dam would cost 40 million. The Northern Dam was built in 1911 by Clara Lindt.

Mr Lund said the flood of 12 May 1875 took the old bridge away. A second flood came in 1874, before there was a dam.

Dr Weiss said eels live in the lake behind the dam. Mrs Hale said anglers come for them from far away on Sundays.
"""
BUILT = "The Northern Dam was built in 1911 by Clara Lindt."


@pytest.fixture
def dam() -> Document:
    return Document(id="dam", title="The dam", text=TEXT, source="dam.txt")


def overview(page: Page) -> Locator:
    return page.locator("#overview")


def part(page: Page, name: str) -> Locator:
    return overview(page).locator("section", has=page.get_by_role("heading", name=name, exact=True))


def open_overview(page: Page) -> None:
    page.get_by_text("Overview", exact=True).click()


def complete(page: Page) -> None:
    expect(status_of(page)).to_contain_text("The overview is complete.", timeout=PATIENCE)


def test_each_line_leads_to_its_exact_words(visit, dam: Document) -> None:
    page = visit(dam)
    open_overview(page)
    complete(page)
    for name in ("Summary", "Outline", "Questions", "Timeline"):
        cards = part(page, name).locator(".card")
        assert cards.count() >= 1, name
        for card in cards.all():
            said = text_of(card.locator("blockquote"))
            date = card.locator(".date")
            quote = said.removeprefix(text_of(date)) if date.count() else said
            assert quote in TEXT
            card.get_by_role("button", name="Source").click()
            expect(current_mark(page)).to_be_focused()
            assert text_of(current_mark(page)) == quote
    dates = part(page, "Timeline").locator(".date")
    assert [text_of(date) for date in dates.all()] == ["1874", "12 May 1875", "1911"]
    assert "What did Mr Lund say?" in part(page, "Questions").get_by_role("heading").all_text_contents()


def test_what_was_written_leads_to_the_quotes_that_say_so(visit, dam: Document) -> None:
    model = GatedModel(BUILT)
    model.reads = True
    page = visit(dam, model=model)
    open_overview(page)
    expect(part(page, "Timeline")).to_be_visible(timeout=PATIENCE)
    expect(part(page, "Summary")).to_be_hidden()
    expect(overview(page)).to_contain_text("2 of 9 parts")
    expect(page.get_by_role("progressbar", name="Parts of the overview that are done")).to_have_js_property("value", 2)
    model.gate.set()
    complete(page)
    expect(overview(page).locator(".progress")).to_be_hidden()
    summary = part(page, "Summary")
    expect(summary.locator(".text")).to_have_text(f"{BUILT} Source 1")
    number = summary.locator(".text").get_by_role("button", name="Source 1")
    number.hover()
    expect(page.get_by_role("tooltip")).to_have_text(BUILT)
    number.click()
    expect(current_mark(page)).to_have_text(BUILT)
    summary.get_by_text("The quote", exact=True).click()
    assert text_of(summary.locator("blockquote")) == BUILT


def test_it_is_made_only_when_it_is_opened_and_with_the_keyboard(visit, dam: Document) -> None:
    page = visit(dam)
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.url))
    ask(page, "Who built the Northern Dam?")
    assert not [url for url in sent if "/overview" in url]
    page.get_by_text("Overview", exact=True).focus()
    page.keyboard.press("Enter")
    complete(page)
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")  # past what scrolls
    source = part(page, "Summary").get_by_role("button", name="Source 1")
    source.focus()
    page.keyboard.press("Enter")
    expect(current_mark(page)).to_be_focused()
    page.keyboard.press("Escape")
    expect(source).to_be_focused()
    before = len(sent)
    open_overview(page)
    open_overview(page)
    expect(source).to_be_visible()
    assert [url for url in sent[before:] if "/overview" in url] == []


def test_a_question_goes_first_and_what_was_written_is_written_anew(visit, dam: Document) -> None:
    model = GatedModel(BUILT, BUILT)
    model.reads = True
    page = visit(dam, model=model)
    open_overview(page)
    assert model.begun.wait(60)
    page.get_by_label("Your question").fill("Who built the Northern Dam?")
    press(page, "Ask")
    assert model.was_stopped.wait(60)
    model.gate.set()
    expect(page.locator("#conversation .answer.answered")).to_have_count(1, timeout=PATIENCE)
    expect(overview(page).locator(".progress")).to_be_hidden(timeout=PATIENCE)
    expect(part(page, "Summary").locator(".text")).to_have_text(f"{BUILT} Source 1")


def test_it_is_stopped_and_begun_again(visit, dam: Document) -> None:
    model = GatedModel(BUILT)
    model.reads = True
    page = visit(dam, model=model)
    open_overview(page)
    assert model.begun.wait(60)
    overview(page).get_by_role("button", name="Stop", exact=True).click()
    expect(overview(page)).to_contain_text("Stopped.")
    assert model.was_stopped.wait(60)
    model.gate.set()
    overview(page).get_by_role("button", name="Begin again").click()
    complete(page)
    expect(part(page, "Summary").locator(".text")).to_have_text(f"{BUILT} Source 1")


def test_that_of_one_article_is_not_shown_for_another(settings: Settings, dam: Document, page: Page) -> None:
    with served(pipeline_over(settings, dam), shelf=shelf_in(settings)) as url:
        open_page(page, url)
        open_overview(page)
        complete(page)
        press(page, "Paste text")
        form = page.get_by_role("form", name="Paste text")
        form.get_by_label("Title").fill("Mill")
        form.get_by_label("Text").fill("The mill stands still. It was sold in 1850. It was sold again in 1860.")
        press(page, "Add this text")
        expect(page.locator("h1")).to_have_text("Mill", timeout=PATIENCE)
        expect(part(page, "Outline")).to_be_hidden()
        open_overview(page)
        expect(part(page, "Timeline").locator(".card")).to_have_count(2, timeout=PATIENCE)
        assert "Okafor" not in text_of(overview(page))
        page.goto("about:blank")


def test_of_several_articles_each_line_names_its_own_and_shows_it(visit, dam: Document) -> None:
    mill = Document(id="mill", title="The mill", text="Mr Brandt said the mill was sold in 1850.", source="mill.txt")
    page = visit(dam, mill)
    open_overview(page)
    complete(page)
    line = part(page, "Timeline").locator(".card", has_text="The mill · ")
    expect(line.locator(".date")).to_have_text("1850")
    expect(page.get_by_role("region", name="Article: The dam")).to_be_visible()
    line.click()
    expect(page.get_by_role("region", name="Article: The mill")).to_be_visible()
    expect(current_mark(page)).to_have_text(mill.text)


def test_a_strangers_words_are_only_text(visit) -> None:
    hostile = 'Mr Lund said <img src=x onerror="alert(1)"> <b>the ferry</b> was late since 1911.'
    page = visit(Document(id="d", title="<i>D</i>", text=f"{hostile} It sank in 1912.", source="d.txt"))
    open_overview(page)
    complete(page)
    assert hostile in text_of(overview(page))
    assert overview(page).locator("img, b").count() == 0


def test_axe_finds_nothing_serious(browser, settings: Settings, dam: Document) -> None:
    with served(pipeline_over(settings, dam)) as url:
        context = browser.new_context(viewport={"width": 1280, "height": 800}, bypass_csp=True)
        page = context.new_page()
        open_page(page, url)
        open_overview(page)
        complete(page)
        serious = serious_violations(page, "overview")
        page.set_viewport_size({"width": 390, "height": 844})
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        assert serious + serious_violations(page, "phone") == []
        context.close()


def test_a_visitors_own_article_is_summed_up_for_them_alone(settings: Settings, dam: Document) -> None:
    with served(pipeline_over(settings, dam), shelf=shelf_in(settings)) as url, httpx.Client(base_url=url) as ann:
        text = "The mill stands still. It was sold in 1850. It was sold in 1860."
        ann.post("/own/articles/paste", json={"title": "Own", "text": text})
        own = ann.get("/own/articles").json()["articles"][0]["id"]
        told = ann.get("/overview", params={"about": own})
        while not told.json()["complete"]:
            told = ann.get("/overview", params={"about": own})
        assert told.headers["cache-control"] == "no-store"
        assert [line["date"] for line in told.json()["timeline"]] == ["1850", "1860"]
        for method in ("GET", "DELETE"):
            assert httpx.request(method, f"{url}/overview", params={"about": own}).status_code == 404
        assert ann.delete("/overview", params={"about": own}).status_code == 204
        assert ann.delete(f"/own/articles/{own}").status_code == 204
        assert ann.get("/overview", params={"about": own}).status_code == 404
