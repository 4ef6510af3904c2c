"""The page while the collection that it shows is changed."""

import httpx
import pytest
from fakes import GatedModel, OverlapChecker, OverlapReader
from pages import PATIENCE, ask, begin, current_mark, open_page, press, served, status_of, text_of
from playwright.sync_api import expect

from rag import Pipeline
from ui.rendering import OUTDATED

pytestmark = pytest.mark.filterwarnings("ignore::pandas.errors.Pandas4Warning")

MAY = "The mill in Ost burned down in May. Ms Okafor said nobody was hurt."
JULY = "A new mill was built. The mill in Ost burned down in July. Mr Lund said a cat was hurt."
WHEN = "When did the mill in Ost burn down?"


@pytest.fixture
def write(library, tmp_path):
    """Puts the text into the collection, as another process does."""

    def write(text, name="mill"):
        file = tmp_path / f"{name}.txt"
        file.write_text(text)
        library.add([file], "mine")

    write(MAY)
    return write


@pytest.fixture
def site(library, settings, write):
    """Serves the collection with the model; its URL."""

    def site(model=None):
        pipeline = Pipeline(
            library.open("mine"), reader=OverlapReader(), checker=OverlapChecker(), model=model, settings=settings
        )
        return served(pipeline, library=library, collection="mine")

    return site


def test_the_page_follows_the_collection(site, page, write, library):
    with site() as url:
        open_page(page, url)
        expect(page.locator("#questions")).to_contain_text("What did Ms Okafor say?", timeout=PATIENCE)
        group = ask(page, WHEN)
        expect(group.locator("blockquote").first).to_contain_text("in May", timeout=PATIENCE)
        page.get_by_text("Overview", exact=True).click()
        expect(page.locator("#overview")).to_contain_text("Okafor", timeout=PATIENCE)

        write(JULY)  # the page looks by itself
        expect(page.locator("#article")).to_contain_text("in July", timeout=PATIENCE)
        expect(status_of(page)).to_contain_text("The article has changed: this is how it is now.", timeout=PATIENCE)
        expect(group).to_contain_text(OUTDATED, timeout=PATIENCE)
        expect(page.locator("#overview")).not_to_contain_text("Okafor")
        expect(page.locator("#questions")).to_contain_text("What did Mr Lund say?", timeout=PATIENCE)
        group = ask(page, "When did it burn down in Ost?")
        group.get_by_role("button", name="Source 1").click()
        expect(current_mark(page)).to_have_text("The mill in Ost burned down in July.", timeout=PATIENCE)

        write("Seven owls sleep in the mill.", "owls")
        expect(page.locator("#article-choice")).to_contain_text("and 1 more", timeout=PATIENCE)
        expect(page.locator("h1")).to_contain_text("and 1 more", timeout=PATIENCE)
        with httpx.Client(base_url=url) as other:
            assert [article["title"] for article in other.get("/articles").json()] == ["Mill", "Owls"]
            assert other.get("/health").json()["articles"] == 2

        library.remove("mine")
        expect(page.locator("h1")).to_have_text("This article is gone", timeout=PATIENCE)
        expect(page.locator("#article")).to_have_text("The text of this article is gone.", timeout=PATIENCE)
        expect(group).to_contain_text("in July")
        begun = page.get_by_label("Your question")
        begun.fill("And then?")
        press(page, "Ask")
        expect(status_of(page)).to_contain_text("The articles that could be asked here were removed", timeout=PATIENCE)

        write(MAY)
        expect(page.locator("#article")).to_contain_text("in May", timeout=PATIENCE)
        page.goto("about:blank")


def test_what_is_being_answered_ends_with_the_article_that_it_began_with(site, page, write):
    model = GatedModel("The mill in Ost burned down in May.")
    model.reads = True
    with site(model) as url:
        open_page(page, url)
        group = begin(page, WHEN)
        expect(status_of(page)).to_contain_text("Writing", timeout=PATIENCE)
        write(JULY)
        expect(page.locator("#article-choice")).to_be_disabled()
        with httpx.Client(base_url=url) as other:
            version = other.get("/alive").json()["version"]
            assert other.get("/articles/mill").json()["paragraphs"] == [JULY]
        expect(page.locator("#article")).to_contain_text("in May")
        assert page.locator('#conversation [name="version"]').input_value() != version
        model.gate.set()
        expect(group).to_contain_text(OUTDATED, timeout=PATIENCE)
        expect(page.locator("#article")).to_contain_text("in July", timeout=PATIENCE)
        assert text_of(page.locator("#article p").first) == JULY
        page.goto("about:blank")


def test_who_opens_the_page_after_a_change_sees_it_as_it_is(site, page, write):
    with site() as url:
        httpx.get(url, headers={"Accept": "text/html"})  # the page is made once
        write("Seven owls sleep in the mill.", "owls")
        open_page(page, url)
        expect(page.locator("h1")).to_have_text("Mill and 1 more", timeout=PATIENCE)
        expect(status_of(page)).not_to_contain_text("changed")
        page.goto("about:blank")
