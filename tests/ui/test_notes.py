"""Notes: quotes that are pinned with a remark, found again after a reload and in the article, exported, and printed."""

import json
import re
from contextlib import closing
from pathlib import Path

import pytest
from fakes import ScriptedModel
from pages import PATIENCE, ask, current_mark, open_page, pipeline_over, press, serious_violations, served, text_of
from playwright.sync_api import expect
from pypdfium2 import PdfDocument

from rag import Document

pytestmark = pytest.mark.filterwarnings("ignore::pandas.errors.Pandas4Warning")

FOUNDED = "Clara Lindt founded the maritime museum in 1911."
QUESTION = "Who founded the maritime museum?"
REMARK = "Check the year 🏛\n*Ask* Clara's heirs."


@pytest.fixture
def beyond(article):
    """The article behind characters that JavaScript counts twice."""
    return Document(id=article.id, title=article.title, text=f"🏛🏛 {article.text}", source=article.source)


def menu(page):
    return page.get_by_text(re.compile(r"^Notes \(\d+\)$"))


def pin(page, number=1):
    return page.locator("#conversation").get_by_role("button", name=f"Pin quote {number}", exact=True)


def exported(page, name):
    page.get_by_text("Export", exact=True).click()
    with page.expect_download() as download:
        press(page, name)
    return download.value.suggested_filename, Path(download.value.path()).read_text(encoding="utf-8")


def selectors_of(annotation):
    return {selector["type"]: selector for selector in annotation["target"]["selector"]}


def test_a_pinned_quote_is_there_after_a_reload_leads_to_the_article_and_goes_along(visit, beyond):
    page = visit(beyond)
    sent = []
    page.on("request", lambda request: sent.append((request.method, request.url)))
    ask(page, QUESTION)
    expect(menu(page)).to_be_hidden()
    sent.clear()
    pin(page).click()
    expect(pin(page)).to_have_attribute("aria-pressed", "true")
    expect(current_mark(page)).to_have_count(0)  # the card was not followed
    menu(page).click()
    page.get_by_label("Remark on note 1").fill(REMARK)
    assert [url for method, url in sent if method != "GET"] == []

    page.reload()
    expect(pin(page)).to_have_attribute("aria-pressed", "true", timeout=PATIENCE)
    menu(page).click()
    note = page.locator("#notes .card")
    expect(note.locator("blockquote")).to_have_text(FOUNDED)
    start = beyond.text.index(FOUNDED)
    expect(note.locator(".place")).to_have_text(f"Harbour news, characters {start}–{start + len(FOUNDED)}")
    expect(page.get_by_label("Remark on note 1")).to_have_value(REMARK)
    press(page, "Note 1")
    expect(current_mark(page)).to_be_focused()
    assert text_of(current_mark(page)) == FOUNDED

    name, text = exported(page, "Export as Web Annotations")
    assert name == "Harbour-news.jsonld"
    collection = json.loads(text)
    assert collection["@context"] == "http://www.w3.org/ns/anno.jsonld"
    assert collection["type"] == "AnnotationCollection"
    assert collection["first"]["type"] == "AnnotationPage"
    annotations = collection["first"]["items"]
    assert len({annotation["id"] for annotation in annotations}) == len(annotations) == collection["total"]
    for annotation in annotations:
        assert annotation["target"]["source"]["dc:title"] == "Harbour news"
        position, words = (selectors_of(annotation)[f"Text{kind}Selector"] for kind in ("Position", "Quote"))
        start, end = position["start"], position["end"]
        assert beyond.text[start:end] == words["exact"]
        assert beyond.text[max(0, start - 32) : start] == words.get("prefix", "")
        assert beyond.text[end : end + 32] == words.get("suffix", "")
    (noted,) = [annotation for annotation in annotations if annotation["motivation"] == "bookmarking"]
    assert selectors_of(noted)["TextQuoteSelector"]["exact"] == FOUNDED
    assert [(body["purpose"], body["value"]) for body in noted["body"]] == [
        ("commenting", REMARK),
        ("questioning", QUESTION),
    ]

    (kept,) = json.loads(exported(page, "Export as JSON")[1])["notes"]
    assert beyond.text[kept["start"] : kept["end"]] == kept["quote"] == FOUNDED
    assert kept["remark"] == REMARK
    markdown = exported(page, "Export as Markdown")[1]
    assert "## Notes\n\n> “Clara Lindt" in markdown
    assert "\n\nCheck the year 🏛\n\n\\*Ask\\* Clara's heirs\\.\n" in markdown


def test_an_unpinned_note_is_gone_and_has_its_remark_when_it_is_pinned_again(visit, article):
    page = visit(article)
    ask(page, QUESTION)
    pin(page).click()
    menu(page).click()
    page.get_by_label("Remark on note 1").fill("dubious")
    press(page, "Unpin note 1")
    expect(menu(page)).to_be_hidden()
    expect(page.get_by_label("Your question")).to_be_focused()
    expect(pin(page)).to_have_attribute("aria-pressed", "false")
    other = page.context.new_page()
    open_page(other, page.url)
    expect(pin(other)).to_have_attribute("aria-pressed", "false", timeout=PATIENCE)
    page.bring_to_front()
    pin(page).click()
    expect(pin(other)).to_have_attribute("aria-pressed", "true", timeout=PATIENCE)
    menu(page).click()
    expect(page.get_by_label("Remark on note 1")).to_have_value("dubious")


def test_a_quote_for_a_claim_is_pinned_too(visit, article):
    page = visit(article)
    page.get_by_text("Check a claim", exact=True).click()
    page.get_by_label("Does the article say this?").fill(FOUNDED)
    press(page, "Check")
    page.locator("#claim").get_by_role("button", name="Pin quote 1").click()
    menu(page).click()
    expect(page.locator("#notes blockquote")).to_have_text(FOUNDED)
    press(page, "Note 1")
    expect(current_mark(page)).to_have_text(FOUNDED)


def test_of_an_article_that_was_changed_or_removed_the_note_is_read_and_leads_nowhere(page, settings, article):
    changed = Document(id=article.id, title=article.title, text=f"Now: {article.text}", source=article.source)
    other = Document(id="owls", title="Owls", text="Seven owls sleep in the mill.", source="owls.txt")
    with served(pipeline_over(settings, article)) as url:
        open_page(page, url)
        ask(page, QUESTION)
        pin(page).click()
        page.goto("about:blank")
    port = int(url.rsplit(":", 1)[1])
    for documents in ([changed], [other]):
        with served(pipeline_over(settings, *documents), port=port):
            open_page(page, url)
            menu(page).click()
            expect(page.locator("#notes blockquote")).to_have_text(FOUNDED)
            expect(page.locator("#notes")).to_contain_text("can no longer be shown")
            expect(page.get_by_role("button", name="Note 1", exact=True)).to_be_disabled()
            page.locator("#notes blockquote").click()
            expect(page.locator("#article mark")).to_have_count(0)
            told = json.loads(exported(page, "Export as Web Annotations")[1])
            markdown = exported(page, "Export as Markdown")[1]
            if documents == [other]:  # what was noted on another article is not for who reads about this one
                assert told["total"] == 0
                assert FOUNDED not in markdown
            else:
                (annotation,) = told["first"]["items"]
                assert set(selectors_of(annotation)) == {"TextQuoteSelector"}
                assert "## Notes" in markdown
            page.goto("about:blank")


def test_what_stands_in_the_storage_is_only_text(visit, article):
    page = visit(article)
    ask(page, QUESTION)
    pin(page).click()
    page.evaluate(
        """hostile => {
            const [note] = JSON.parse(localStorage.getItem("article-chat:notes"));
            const told = { ...note, title: hostile, quote: hostile, remark: hostile };
            const notes = [7, null, { ...note, start: "0" }, told];
            localStorage.setItem("article-chat:notes", JSON.stringify(notes));
        }""",
        "<img src=x onerror=window.hacked=1>",
    )
    page.reload()
    menu(page).click()
    expect(page.locator("#notes .card")).to_have_count(1)
    expect(page.locator("#notes blockquote")).to_contain_text("<img src=x")
    assert page.evaluate("window.hacked") is None


def test_axe_finds_nothing_serious(browser, settings, article):
    with served(pipeline_over(settings, article, model=ScriptedModel([FOUNDED]))) as url:
        context = browser.new_context(viewport={"width": 1280, "height": 800}, bypass_csp=True)
        page = context.new_page()
        open_page(page, url)
        ask(page, QUESTION)
        pin(page).click()
        menu(page).click()
        serious = serious_violations(page, "notes")
        page.set_viewport_size({"width": 390, "height": 844})
        assert page.evaluate("document.documentElement.scrollWidth") == 390
        assert serious + serious_violations(page, "phone") == []
        context.close()


def test_on_paper_the_quotes_are_whole_and_the_notes_come_last_without_anything_to_press(visit, article):
    page = visit(article, model=ScriptedModel([FOUNDED] * 3))
    page.emulate_media(color_scheme="dark")
    folded = ask(page, QUESTION).locator(".card.folded").first
    expect(folded.locator(".place")).to_be_hidden()
    pin(page).click()
    menu(page).click()
    page.get_by_label("Remark on note 1").fill(REMARK)
    page.keyboard.press("Escape")
    expect(page.locator("#notes blockquote")).to_be_hidden()
    with closing(PdfDocument(page.pdf())) as document:
        lines = " ".join(" ".join(sheet.get_textpage().get_text_range() for sheet in document).split())
    start = article.text.index(FOUNDED)
    place = f"characters {start}–{start + len(FOUNDED)}"
    order = (re.escape(QUESTION), rf"{FOUNDED} \[1\]", FOUNDED, place, r"Notes \(1\)", FOUNDED, place, "heirs")
    assert re.search(".*".join(order), lines), lines
    for word in ("Pin", "Copy", "Export", "Ask about", "Search", "Unpin", "ferry to Aland"):
        assert word not in lines
    page.emulate_media(media="print")
    expect(
        page.get_by_role("button").filter(visible=True).filter(has_not_text=re.compile("Source|Quote|Note"))
    ).to_have_count(0)
    expect(page.locator("#article")).to_be_hidden()
    ink, ground = folded.locator("blockquote").evaluate(
        "node => [getComputedStyle(node).color, getComputedStyle(document.body).backgroundColor]"
    )
    assert (ink, ground) == ("rgb(28, 25, 23)", "rgb(255, 255, 255)")
