"""For everybody: nothing serious for axe, by keyboard alone, on a phone, while models load, behind others in line."""

import re
import threading
from dataclasses import replace

import pytest
from fakes import GatedModel
from pages import (
    PATIENCE,
    ask,
    begin,
    current_mark,
    highlighted,
    open_page,
    pipeline_over,
    serious_violations,
    served,
    status_of,
)
from playwright.sync_api import expect

from rag import Document, ModelError
from ui.waiting import LOADING, Loading

pytestmark = pytest.mark.filterwarnings("ignore::pandas.errors.Pandas4Warning")

QUESTION = "Who founded the maritime museum?"


def test_axe_finds_nothing_serious(browser, settings, article):
    with served(pipeline_over(settings, article)) as url:
        context = browser.new_context(
            viewport={"width": 1280, "height": 800},
            bypass_csp=True,  # axe is put into the page
        )
        page = context.new_page()
        open_page(page, url)

        serious: list[tuple[str, str, str, str]] = []

        def check(state: str) -> None:
            serious.extend(serious_violations(page, state))

        check("new")
        ask(page, "Which football team won?")
        page.get_by_text("What the article does say nearby").click()
        check("abstained")
        ask(page, QUESTION).get_by_role("button", name="Source 1").click()
        page.get_by_text("How this was answered").last.click()
        page.get_by_label("Search in the article").fill("museum")
        page.get_by_text("Conversations", exact=True).click()
        check("answered")
        page.set_viewport_size({"width": 390, "height": 844})
        check("phone")
        assert serious == []
        context.close()


def test_everything_is_done_with_the_keyboard(visit, article):
    page = visit(article)
    keyboard = page.keyboard
    box = page.get_by_label("Your question")

    def tab_to(locator) -> None:
        for _ in range(60):
            keyboard.press("Tab")
            if locator.evaluate("node => node === document.activeElement"):
                return
        raise AssertionError(f"Tab does not reach {locator}")

    expect(box).to_be_focused()
    keyboard.type(QUESTION)
    keyboard.press("Enter")
    group = page.get_by_role("group", name=f"Answer to: {QUESTION}", exact=True)
    expect(group).to_have_class(re.compile("answered"), timeout=PATIENCE)
    source = group.get_by_role("button", name="Source 1")
    tab_to(source)
    expect(page.get_by_role("tooltip")).to_be_visible()
    keyboard.press("Enter")
    expect(current_mark(page)).to_be_focused()
    keyboard.press("Escape")
    expect(source).to_be_focused()
    tab_to(page.get_by_text("How this was answered"))
    keyboard.press("Enter")
    expect(group.get_by_role("table")).to_be_visible()
    tab_to(page.get_by_label("Search in the article"))
    keyboard.type("basel")
    expect(page.locator("#search-count")).to_have_text("1 of 1")
    assert highlighted(page, "current-match") == ["Basel"]
    tab_to(page.get_by_role("button", name=re.compile("^(Quote|Passage), ")).first)
    tab_to(page.get_by_text("Conversations", exact=True))
    keyboard.press("Enter")
    expect(page.locator("#history li")).to_have_count(1)
    keyboard.press("Escape")
    expect(page.locator("#history")).to_be_hidden()
    tab_to(group.get_by_role("button", name="Retry", exact=True))
    keyboard.press("Enter")
    expect(group).to_contain_text("nothing else", timeout=PATIENCE)
    tab_to(group.get_by_role("button", name="Edit", exact=True))
    keyboard.press("Enter")
    expect(box).to_be_focused(timeout=PATIENCE)
    expect(box).to_have_value(QUESTION, timeout=PATIENCE)
    keyboard.press("Escape")
    expect(box).to_have_value("", timeout=PATIENCE)


def test_nothing_is_wider_than_a_phone(visit, article):
    page = visit(article)
    page.set_viewport_size({"width": 390, "height": 844})
    group = ask(page, QUESTION)
    group.get_by_text("How this was answered").click()
    group.get_by_role("button", name="Edit", exact=True).click()
    expect(page.get_by_role("button", name="Cancel")).to_be_visible()
    for menu in ("Conversations", "Export"):
        page.get_by_text(menu, exact=True).click()
        assert page.evaluate("document.documentElement.scrollWidth") == 390
    page.keyboard.press("Escape")
    group.get_by_role("button", name="Source 1").click()
    expect(current_mark(page)).to_be_in_viewport(timeout=PATIENCE)


def test_on_a_phone_a_button_leads_back_from_the_quote_to_its_citation(visit, article):
    page = visit(article)
    page.set_viewport_size({"width": 390, "height": 664})  # as much as the browser's bars leave
    back = page.get_by_role("button", name="Back to the answer")
    sources = ask(page, QUESTION).locator(".card .source")
    expect(back).to_have_count(0)
    sources.last.click()
    expect(current_mark(page)).to_be_in_viewport(timeout=PATIENCE)
    expect(sources.last).not_to_be_in_viewport()
    expect(back).to_be_in_viewport(ratio=1)
    back.click()
    expect(sources.last).to_be_focused()
    expect(sources.last).to_be_in_viewport(ratio=1)
    expect(back).not_to_be_in_viewport()

    page.keyboard.press("Enter")
    expect(current_mark(page)).to_be_focused()
    page.evaluate("scrollTo(0, document.body.scrollHeight)")
    current_mark(page).evaluate("mark => mark.scrollIntoView({ block: 'start' })")
    page.keyboard.press("Shift+Tab")  # to the article
    page.keyboard.press("Shift+Tab")
    expect(back).to_be_focused()
    page.keyboard.press("Enter")
    expect(sources.last).to_be_focused()

    page.set_viewport_size({"width": 1280, "height": 800})
    expect(back).to_have_count(0)
    page.set_viewport_size({"width": 390, "height": 664})
    expect(back).to_be_visible()
    ask(page, "When did the museum move to Basel?")
    expect(back).to_be_visible()  # the citation is still there
    page.get_by_role("button", name="New conversation").click()
    expect(page.locator(".exchange")).to_have_count(0)
    expect(back).to_have_count(0)


def test_what_is_marked_can_be_read_by_light_and_in_the_dark(visit, article):
    def luminance(colour: str) -> float:
        if colour.startswith("#"):
            parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        else:
            parts = [int(part) / 255 for part in re.findall(r"\d+", colour)[:3]]
        parts = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]

    page = visit(article)
    for look in ("light", "dark"):
        page.emulate_media(color_scheme=look, reduced_motion="reduce")
        expect(page.locator("body")).to_have_class(re.compile("dark") if look == "dark" else re.compile("^(?!.*dark)"))
        colours = page.locator("#article p").first.evaluate(
            """node => [getComputedStyle(node).color, ...["--passage", "--match", "--match-current"].map(
                name => getComputedStyle(node).getPropertyValue(name))]"""
        )
        ink, *grounds = map(luminance, colours)  # of CSS highlights, which axe does not see
        for ground in grounds:
            assert (max(ink, ground) + 0.05) / (min(ink, ground) + 0.05) >= 4.5, (look, colours)


def test_hebrew_is_read_from_the_right(visit):
    text = "שבע ינשופים ישנים במגדל. הם לא אוכלים."
    page = visit(Document(id="owls", title="ינשופים", text=text, source="owls.txt"))
    group = ask(page, "שבע ינשופים ישנים במגדל")
    first_letter = """node => {
        const texts = document.createTreeWalker(node, NodeFilter.SHOW_TEXT);
        while (!texts.nextNode().length);
        const letter = document.createRange();
        letter.setStart(texts.currentNode, 0);
        letter.setEnd(texts.currentNode, 1);
        const [inner, outer] = [letter.getBoundingClientRect(), node.getBoundingClientRect()];
        return [inner.left - outer.left, outer.right - inner.right];
    }"""
    for shown in (page.locator("#article p"), group.locator("blockquote"), group.locator(".text")):
        left, right = shown.first.evaluate(first_letter)
        assert left > 100 > right
    group.get_by_role("button", name="Source 1").click()
    expect(current_mark(page)).to_have_text("שבע ינשופים ישנים במגדל.")
    expect(group.locator(".place")).to_contain_text("ינשופים · 0 % in")


def test_a_long_title_leaves_room_for_the_rest(visit, article):
    title = "An owl 🦉 " * 40
    page = visit(replace(article, title=title.strip()))
    group = ask(page, QUESTION)
    assert page.get_by_role("heading", level=1).bounding_box()["height"] < 120
    place = group.locator(".place").first.inner_text()
    assert place.startswith("An owl 🦉 An owl")
    assert len(place) < 130
    expect(page.locator("#article").get_by_role("heading")).to_have_text(title.strip())


def test_the_page_opens_while_the_models_load(page, settings, article):
    loads = threading.Event()
    loading = Loading(loads.wait)
    loading.start(then=loads.set)
    with served(pipeline_over(settings, article), loading=loading) as url:
        open_page(page, url)
        expect(status_of(page)).to_have_text(LOADING, timeout=PATIENCE)
        other = page.context.new_page()
        open_page(other, url)
        expect(status_of(other)).to_have_text(LOADING, timeout=PATIENCE)
        group = begin(other, QUESTION)
        expect(group).to_have_class(re.compile("running"))
        loads.set()
        expect(group).to_have_class(re.compile("answered"), timeout=PATIENCE)
        expect(status_of(other)).to_contain_text("Answered")
        expect(status_of(page)).to_have_text("", timeout=PATIENCE)
        for tab in (page, other):
            tab.goto("about:blank")


def test_models_that_cannot_be_loaded_are_said_in_the_status(page, settings, article):
    fails = threading.Event()

    def load() -> None:
        fails.wait()
        raise ModelError("the file x.gguf is damaged; fetch it again")

    loading = Loading(load)
    loading.start(then=fails.set)
    with served(pipeline_over(settings, article), loading=loading) as url:
        open_page(page, url)
        begin(page, QUESTION)
        fails.set()
        expect(status_of(page)).to_contain_text("could not be loaded: the file x.gguf is damaged", timeout=PATIENCE)
        expect(page.get_by_label("Your question")).to_have_value(QUESTION)
        page.goto("about:blank")


def test_a_question_is_told_who_is_before_it(visit, article, browser):
    model = GatedModel("Clara Lindt founded the maritime museum.")
    page = visit(article, model=model)
    first = begin(page, QUESTION)
    expect(status_of(page)).to_contain_text("Writing", timeout=PATIENCE)
    context = browser.new_context()
    other = context.new_page()
    open_page(other, page.url)
    second = begin(other, "What will the repairs cost?")
    expect(status_of(other)).to_have_text("1 question is before yours.", timeout=PATIENCE)
    other.get_by_role("button", name="Stop").click()
    expect(other.get_by_label("Your question")).to_have_value("What will the repairs cost?", timeout=PATIENCE)
    begin(other, "What will the repairs cost?")
    expect(status_of(other)).to_have_text("1 question is before yours.", timeout=PATIENCE)
    model.gate.set()
    expect(first).to_have_class(re.compile("answered"), timeout=PATIENCE)
    expect(second).to_have_class(re.compile("answered"), timeout=PATIENCE)
    expect(page.locator(".question")).to_contain_text(QUESTION)
    expect(other.locator(".question")).to_contain_text("What will the repairs cost?")
    context.close()
