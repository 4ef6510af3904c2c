"""Several articles in one conversation: choosing them, whose words each citation has, and what they were asked."""

import re

import pytest
from fakes import ScriptedModel
from pages import PATIENCE, ask, current_mark, open_page, pipeline_over, press, served, shelf_in, status_of, text_of
from playwright.sync_api import expect

from rag import NONE_SAYS

pytestmark = pytest.mark.filterwarnings("ignore::pandas.errors.Pandas4Warning")

OWLS = "The vault under the mill holds seven owls."
TOADS = "Forty toads sleep under the stones of the old well."
QUESTION = "How many owls does the vault under the mill hold?"
LIST = "Search the list of articles"


@pytest.fixture
def library(page, settings, article):
    """The page about the served article, with the visitor's owls and toads beside it."""
    model = ScriptedModel([OWLS] * 3)
    with served(pipeline_over(settings, article, model=model), shelf=shelf_in(settings)) as url:
        open_page(page, url)
        add(page, {"owls.txt": OWLS, "toads.txt": TOADS})
        expect_heading(page, "Toads")
        yield page
        page.goto("about:blank")


def add(page, texts):
    files = [{"name": name, "mimeType": "text/plain", "buffer": text.encode()} for name, text in texts.items()]
    page.get_by_label("Add an article").set_input_files(files)


def expect_heading(page, title):
    expect(page.get_by_role("heading", level=1)).to_have_text(title, timeout=PATIENCE)


def opener(page):
    return page.get_by_role("button", name=re.compile("^Choose articles: "))


def choose(page, *titles):
    """Tick exactly these, and ask them together."""
    opener(page).click()
    for box in page.get_by_role("checkbox").all():
        box.set_checked(box.get_attribute("aria-label").removeprefix("Include ") in titles)
    press(page, f"Ask these {len(titles)}")


def test_a_citation_names_its_article_and_opens_it_at_the_exact_words(library):
    page = library
    choose(page, "Harbour news", "Owls")
    expect_heading(page, "Harbour news and 1 more")
    expect(page.get_by_label("Your question")).to_be_focused()
    expect(page.get_by_role("region", name="Article: Harbour news")).to_be_visible(timeout=PATIENCE)
    group = ask(page, QUESTION)
    expect(group.locator(".card.folded .of")).to_have_text(["Owls"])
    source = group.get_by_role("button", name="Source 1", exact=True)
    source.focus()
    expect(page.get_by_role("tooltip")).to_have_text(f"Owls{OWLS}")
    shown = page.get_by_label("Article shown")
    shown.select_option("Harbour news")
    expect(page.get_by_role("region", name="Article: Harbour news")).to_be_visible(timeout=PATIENCE)
    source.click()
    expect(page.get_by_role("region", name="Article: Owls")).to_be_visible(timeout=PATIENCE)
    expect(current_mark(page)).to_be_focused()
    assert text_of(current_mark(page)) == OWLS
    assert shown.evaluate("list => list.selectedOptions[0].text") == "Owls"

    silent = ask(page, "Where do forty toads sleep?")
    expect(silent.locator(".text")).to_have_text(NONE_SAYS)
    expect(status_of(page)).to_contain_text(NONE_SAYS)
    silent.get_by_text("What the articles do say nearby").click()
    expect(silent.locator(".card .place").first).to_be_visible()
    expect(page.locator("#conversation")).not_to_contain_text(TOADS)
    assert page.locator('#conversation [name="record"]').last.input_value().count('"document_id"') > 0


def test_what_was_asked_of_the_same_articles_is_one_conversation(library):
    page = library
    choose(page, "Owls", "Toads")
    expect_heading(page, "Owls and 1 more")
    group = ask(page, QUESTION)
    choose(page, "Harbour news", "Owls", "Toads")
    expect_heading(page, "Harbour news and 2 more")
    expect(page.locator(".exchange")).to_have_count(0)
    opener(page).click()
    press(page, "Owls")
    expect_heading(page, "Owls")
    expect(page.locator(".exchange")).to_have_count(0)
    choose(page, "Owls", "Toads")
    expect(group).to_be_visible(timeout=PATIENCE)
    page.reload()
    expect_heading(page, "Owls and 1 more")
    expect(group).to_be_visible(timeout=PATIENCE)
    opener(page).click()
    press(page, "Toads")
    expect_heading(page, "Toads")
    press(page, "Remove")
    press(page, "Remove it")
    expect_heading(page, "Harbour news")
    page.get_by_text("Conversations", exact=True).click()
    expect(page.locator("#history .date")).to_contain_text("Owls and 1 more (removed)")
    page.locator("#history .open").first.click()
    expect_heading(page, "One of these articles is gone")
    expect(group.locator("blockquote").first).to_have_text(OWLS)
    expect(page.locator("#article mark")).to_have_count(0)


def test_a_long_list_is_searched_and_a_text_that_is_there_is_told(library):
    page, keyboard = library, library.keyboard
    opener(page).click()
    expect(page.get_by_label(LIST)).to_be_hidden()
    keyboard.press("Escape")
    expect(opener(page)).to_be_focused()
    add(page, {f"{bird}.txt": f"A {bird} sings." for bird in ("robin", "wren", "raven", "swift", "crane", "finch")})
    expect_heading(page, "Finch")
    add(page, {"again.txt": OWLS})
    expect_heading(page, "Owls")
    expect(status_of(page)).to_have_text("“Owls” is among your articles already. Ask about it.")
    opener(page).click()
    expect(page.get_by_label(LIST)).to_be_focused()
    keyboard.type("RA")
    expect(page.locator("#articles li:visible button")).to_have_text(["Raven", "Crane"])
    expect(page.locator("#articles .count")).to_have_text("2 of 9")
    keyboard.press("ArrowDown")
    keyboard.press("ArrowDown")
    keyboard.press("Shift+Tab")
    keyboard.press("Space")
    keyboard.press("ArrowUp")
    keyboard.press("Space")
    expect(page.get_by_role("checkbox", name="Include Raven")).to_be_checked()
    press(page, "Ask these 2")
    expect_heading(page, "Raven and 1 more")
    opener(page).click()
    press(page, "Ask all 9")
    expect_heading(page, "Harbour news and 8 more")
    opener(page).click()
    keyboard.type("finch")
    keyboard.press("Enter")
    expect_heading(page, "Finch")
    expect(opener(page)).to_be_focused()
