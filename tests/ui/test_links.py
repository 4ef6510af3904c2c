"""Links to the words on the web page that an article was: in exports, and above the article; in a real browser."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from pages import ask, open_page, pipeline_over, press, serious_violations, served
from playwright.sync_api import expect

pytestmark = pytest.mark.filterwarnings("ignore::pandas.errors.Pandas4Warning")

ADDRESS = "https://news.example/harbour?id=1&x=(a)"
FOUNDED = "Clara Lindt founded the maritime museum in 1911."
TEXT = """\
Well-known, they say: the ferry & the pier. The ferry came late.

The ferry came late. On Monday, a spokeswoman said that the harbour pilot had fallen ill and that nobody knew when.

- Dogs, cats & co. stay outside

Year | Visitors
1990 | 12000
"""


def test_a_fragment_names_the_words_by_the_rules_for_directives(visit, article):
    quotes = {
        "Well-known, they say: the ferry & the pier.": (
            "Well%2Dknown%2C%20they%20say%3A%20the%20ferry%20%26%20the%20pier."
        ),
        "On Monday, a spokeswoman said that the harbour pilot had fallen ill and that nobody knew when.": (
            "On%20Monday%2C%20a%20spokeswoman%20said,and%20that%20nobody%20knew%20when."
        ),
        "ferry came late.": "The-,ferry%20came%20late.,-On%20Monday%2C%20a%20spokeswoman%20said",
        "- Dogs, cats & co. stay outside": "Dogs%2C%20cats%20%26%20co.%20stay%20outside",
        "stay outside\n\nYear | Visitors\n1990 | 12000": "stay%20outside,12000",
    }
    ranges = [(TEXT.rindex(quote), TEXT.rindex(quote) + len(quote)) for quote in quotes]
    found = visit(article).evaluate(
        """async ([text, ranges]) => {
            const { textFragment } = await import("/page/conversation/links.js");
            return ranges.map(([start, end]) => textFragment(text, { start, end }));
        }""",
        [TEXT, ranges],
    )
    assert found == [f":~:text={directive}" for directive in quotes.values()]


def test_what_is_cited_of_a_web_page_has_a_link_to_its_words(visit, article):
    page = visit(replace(article, source=ADDRESS))
    link = page.locator("#article").get_by_role("link", name=ADDRESS)
    expect(link).to_have_attribute("href", ADDRESS)
    expect(link).to_have_attribute("rel", "noopener noreferrer")
    ask(page, "Who founded the maritime museum?")

    def exported(name):
        page.get_by_text("Export", exact=True).click()
        with page.expect_download() as download:
            press(page, name)
        return Path(download.value.path()).read_text(encoding="utf-8")

    to_words = f"{ADDRESS}#:~:text=Clara%20Lindt%20founded%20the%20maritime%20museum%20in%201911."
    (answer,) = json.loads(exported("Export as JSON"))["answers"]
    assert {cited["quote"]: cited["link"] for cited in answer["citations"]}[FOUNDED] == to_words
    assert f"](<{to_words}>)" in exported("Export as Markdown")
    annotations = json.loads(exported("Export as Web Annotations"))["first"]["items"]
    targets = [annotation["target"] for annotation in annotations]
    assert {target["source"]["id"] for target in targets} == {ADDRESS}
    values = [one["value"] for target in targets for one in target["selector"] if one["type"] == "FragmentSelector"]
    assert to_words.partition("#")[2] in values


def test_axe_finds_nothing_serious(browser, settings, article):
    with served(pipeline_over(settings, replace(article, source=ADDRESS))) as url:
        page = browser.new_page(bypass_csp=True)
        open_page(page, url)
        expect(page.locator("#article .address")).to_be_visible()
        press(page, "Paste text")
        assert serious_violations(page, "address") == []
        page.close()


def test_what_is_no_web_page_has_no_link(visit, article):
    page = visit(article)
    ask(page, "Who founded the maritime museum?")
    expect(page.locator("#article a")).to_have_count(0)
    page.get_by_text("Export", exact=True).click()
    with page.expect_download() as download:
        press(page, "Export as JSON")
    (answer,) = json.loads(Path(download.value.path()).read_text(encoding="utf-8"))["answers"]
    assert [cited for cited in answer["citations"] if "link" in cited] == []
