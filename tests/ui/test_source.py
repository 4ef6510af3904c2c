"""The source panel: quotes behind their numbers, passages, the strip and the search; in a real browser, over fakes."""

import re
from dataclasses import replace

import pytest
from pages import PATIENCE, FixedReader, ask, current_mark, highlighted, text_of
from playwright.sync_api import expect

from rag import Document

pytestmark = pytest.mark.filterwarnings("ignore::pandas.errors.Pandas4Warning")

QUESTION = "Who founded the maritime museum?"
FOUNDED = "Clara Lindt founded the maritime museum in 1911."


def shown_text(page) -> str:
    return "".join(page.locator("#article p").evaluate_all("ps => ps.map(p => p.textContent)"))


def test_a_number_shows_its_quote_on_hovering_and_on_focus(visit, article):
    page = visit(article)
    source = ask(page, QUESTION).locator(".text").get_by_role("button", name="Source 1")
    peek = page.get_by_role("tooltip")
    source.hover()
    expect(peek).to_have_text(FOUNDED)
    expect(peek).to_be_in_viewport(ratio=1)
    page.mouse.move(0, 0)
    expect(peek).to_have_count(0)
    source.focus()
    expect(peek).to_have_text(FOUNDED)
    expect(source).to_have_accessible_description(FOUNDED)
    page.keyboard.press("Escape")
    expect(peek).to_have_count(0)
    expect(source).to_be_focused()


def test_passages_are_marked_faintly_around_the_quotes(visit, article):
    rain = "\n\n".join(f"Paragraph {i} tells of nothing but rain over the grey sea. " * 5 for i in range(20))
    article = replace(article, text=f"{article.text}\n{rain}")
    page = visit(article)
    group = ask(page, QUESTION)
    faint = "".join(highlighted(page, "passage"))
    assert "late on Monday" in faint
    assert "Clara Lindt" not in faint
    marks = page.locator("#article mark").all_inner_texts()
    for mark in marks:
        assert mark not in faint
    group.get_by_role("button", name="Source 1").click()
    expect(current_mark(page)).to_have_text(FOUNDED)
    assert shown_text(page) == article.text
    ask(page, "Which football team won the championship in Basel?")
    expect(page.locator("#article mark")).to_have_count(0)
    assert "Clara Lindt" in "".join(highlighted(page, "passage"))


def test_passages_that_are_nearly_all_of_a_short_article_are_not_marked(visit, article):
    page = visit(article)
    ask(page, QUESTION)
    expect(page.locator("#article mark")).to_have_count(2)
    assert highlighted(page, "passage") == []
    expect(page.locator("#strip .quote")).to_have_count(2)
    expect(page.locator("#strip .passage")).to_have_count(0)


@pytest.fixture
def megabyte() -> Document:
    """An article of 1 MB, with one sentence about a lighthouse near its end."""
    filler = "The grey sea lay quiet and nobody on the ferry said a word about the weather. "
    paragraphs = [f"Number {i}. {filler * 6}" for i in range(2000)]
    paragraphs[1900] += "Zoë counted 😀 seventeen lighthouses."
    return Document(id="long", title="A long article", text="\n\n".join(paragraphs), source="long.txt")


def test_the_strip_and_the_search_lead_through_a_long_article(visit, megabyte):
    quote = "Zoë counted 😀 seventeen lighthouses."
    start = megabyte.text.index(quote)
    page = visit(megabyte, reader=FixedReader((start, start + len(quote))))
    group = ask(page, "Who counted the lighthouses?")
    mark = page.locator("#article mark")
    expect(mark).to_be_in_viewport(timeout=PATIENCE)
    page.locator("#article").evaluate("box => box.scrollTo(0, 0)")
    expect(mark).not_to_be_in_viewport()

    strip = page.get_by_role("toolbar", name="Where the quotes and passages lie")
    stops = strip.get_by_role("button")
    assert stops.count() > 1
    stops.first.focus()
    page.keyboard.press("End")
    page.keyboard.press("Home")
    strip.get_by_role("button", name=re.compile("^Quote, 95 % in")).focus()
    page.keyboard.press("Enter")
    expect(mark).to_be_in_viewport(timeout=PATIENCE)
    strip.click(position={"x": 7, "y": 3})
    expect(mark).not_to_be_in_viewport(timeout=PATIENCE)

    find = page.get_by_label("Search in the article")
    page.locator("#article").evaluate("box => box.scrollTo(0, 0)")  # it begins with the first match that is in view
    find.fill("number 1")
    expect(page.locator("#search-count")).to_have_text("1 of 1,111")
    assert len(highlighted(page, "match")) > 100
    find.press("Enter")
    expect(page.locator("#search-count")).to_have_text("2 of 1,111")
    assert highlighted(page, "current-match") == ["Number 1"]
    find.press("Shift+Enter")
    find.press("Shift+Enter")
    expect(page.locator("#search-count")).to_have_text("1,111 of 1,111")
    find.fill("zoë  COUNTED")
    expect(page.locator("#search-count")).to_have_text("1 of 1")
    expect(mark).to_be_in_viewport(timeout=PATIENCE)
    assert highlighted(page, "current-match") == ["Zoë counted"]
    group.get_by_role("button", name="Source 1").click()
    expect(current_mark(page)).to_have_count(1)
    assert text_of(current_mark(page)) == quote
    assert highlighted(page, "current-match") == ["Zoë counted"]
    find.fill("no such words (")
    expect(page.locator("#search-count")).to_have_text("none")
    expect(page.get_by_role("button", name="Next match")).to_be_disabled()
    find.press("Escape")
    expect(find).to_have_value("")
    assert highlighted(page, "match") == highlighted(page, "current-match") == []
    assert shown_text(page) == megabyte.text


def test_the_search_finds_letters_with_their_accents_for_who_has_no_such_key(visit):
    text = "Zoë mange à l'École. ZOE DINE. Die Müllerin singt. שָׁלוֹם לכולם."
    page = visit(Document(id="mixed", title="Mixed", text=text, source="mixed.txt"))
    words, count = page.get_by_label("Search in the article"), page.locator("#search-count")
    expect(page.get_by_role("button", name="Next match")).to_be_hidden()
    for typed, found in (("zoe", "Zoë"), ("ecole", "École"), ("mullerin", "Müllerin"), ("שלום", "שָׁלוֹם")):
        words.fill(typed)
        expect(count).to_contain_text("1 of")
        assert highlighted(page, "current-match") == [found]
    words.fill("zoë")
    expect(count).to_have_text("1 of 1")
    words.fill("müllerin [")
    expect(count).to_have_text("none")


def test_a_heading_in_markdown_is_one_without_its_sign_and_not_a_character_less(visit):
    text = "# Mills\n\nOne mill stands.\n\n## The wheel\n\nClara Lindt turns it.\n\n#1 is no heading.\n\n# two\nlines"
    page = visit(Document(id="mills", title="Mills", text=text, source="mills.md"))
    shown = page.locator("#article").get_by_role("heading")
    assert shown.all_inner_texts() == ["Mills", "The wheel"]
    assert shown_text(page) == text
    ask(page, "Who turns it, Clara?").get_by_role("button", name="Source 1").click()
    assert text_of(current_mark(page)) == "Clara Lindt turns it."
    assert shown_text(page) == text


def test_an_article_in_another_language_says_that_its_quotes_need_a_look(visit, article):
    text = (
        "Die Mühle am Weiher dreht sich seit dem Frühjahr wieder, und im Herbst soll ein Backhaus dazukommen. "
        "Johanna Kerbel hat das Handwerk von ihrem Großvater gelernt."
    )
    page = visit(article, Document(id="mill", title="Mühle", text=text, source="mill.txt"))
    panel, note = page.locator("#article"), page.locator("#article").get_by_role("note")
    expect(note).to_have_count(0)
    expect(panel).to_have_attribute("lang", "en")
    page.get_by_label("Article shown").select_option("Mühle")
    expect(note).to_contain_text("does not seem to be in English")
    expect(panel).to_have_attribute("lang", "")
    assert shown_text(page) == text
