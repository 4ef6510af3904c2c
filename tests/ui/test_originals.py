"""The pages of PDF articles: their routes behind the real middleware, and the panel that shows them in a browser."""

import base64
import re
import threading
from dataclasses import replace

import pytest
from fastapi import FastAPI
from files import PARAGRAPHS, columns, pages
from pages import (
    PATIENCE,
    FixedReader,
    ask,
    current_mark,
    open_page,
    pipeline_over,
    press,
    serious_violations,
    served,
    shelf_in,
    text_of,
)
from playwright.sync_api import expect
from starlette.testclient import TestClient

from rag import Shelf, read_document
from rag.api import Metrics
from ui import originals
from ui.articles import add_article_routes
from ui.originals import MOST_RANGES, add_page_routes
from ui.owners import Owners
from ui.security import Guard, Hosts

pytestmark = pytest.mark.filterwarnings("ignore::pandas.errors.Pandas4Warning")

HOME = "http://127.0.0.1:7860"
OWLS = "The vault under the mill holds seven owls."


@pytest.fixture
def visitor(library, settings, home):
    """Opens the page anew, as somebody whom the server has never seen; the shared articles are those of `seeds/`."""
    (home / "seeds" / "owls.pdf").write_bytes(pages(OWLS))
    shelf = Shelf(library, settings)
    app = FastAPI()
    app.add_middleware(Owners, accounts=None)
    app.add_middleware(Guard, hosts=Hosts("127.0.0.1"))
    add_article_routes(app, shelf, Metrics())
    index = library.open()
    add_page_routes(app, shelf, lambda: index)
    return lambda: TestClient(app, base_url=HOME)


def added(client, data):
    response = client.post("/own/articles", params={"name": "owls.pdf"}, content=data)
    (own,) = client.get("/own/articles").json()["articles"]
    assert response.status_code == 200
    return f"/own/articles/{own['id']}"


def test_a_page_is_a_picture_and_marks_for_its_owner_alone(visitor):
    ann, bob = visitor(), visitor()
    path = added(ann, pages("Nothing here.", OWLS))
    article = ann.get(path).json()
    assert article["pages"] == 2
    start = "".join(article["paragraphs"]).index("seven")
    ranges = [f"{start}-{start + 5}", "0-7"]
    response = ann.get(f"{path}/pages/2", params={"width": 200, "range": ranges})
    assert (response.status_code, response.headers["cache-control"]) == (200, "no-store")
    found = response.json()
    assert base64.b64decode(found["picture"].removeprefix("data:image/png;base64,"))[:4] == b"\x89PNG"
    ((left, top, width, height),), elsewhere = found["marks"]
    assert 0 < left < left + width < 1
    assert 0 < top < top + height < 0.1
    assert elsewhere == []
    assert bob.get(f"{path}/pages/1").status_code == 404
    ann.delete(path)
    assert ann.get(f"{path}/pages/1").status_code == 404


def test_what_is_no_page_or_range_is_refused_in_a_line(visitor):
    client = visitor()
    path = added(client, pages(OWLS))
    wide = client.get(f"{path}/pages/1", params={"width": 10**8}).json()["picture"]
    assert base64.b64decode(wide.partition(",")[2])[16:20] == originals.WIDEST.to_bytes(4)
    for asked, status in (
        ("0", 404),
        ("2", 404),
        ("one", 400),
        ("-1", 400),
        ("1?width=x", 400),
        ("1?range=5-5", 400),
        ("1?range=5", 400),
        ("1?" + "&".join(["range=0-1"] * (MOST_RANGES + 1)), 400),
    ):
        response = client.get(f"{path}/pages/{asked}")
        assert response.status_code == status, asked
        assert "\n" not in response.json()["message"]
    text = client.post("/own/articles", params={"name": "owls.txt"}, content=b"An owl.").text
    own = re.findall(r'"article": \{"id": "(\w+)"', text)[-1]
    assert client.get(f"/own/articles/{own}").json()["pages"] == 0
    assert client.get(f"/own/articles/{own}/pages/1").status_code == 404


def test_a_shared_article_has_its_pages_too(visitor):
    client = visitor()
    assert client.get("/articles/owls/pages/1").json()["picture"]
    for path in ("/articles/owls/pages/2", "/articles/harbour-news/pages/1", "/articles/none/pages/1"):
        assert client.get(path).status_code == 404


def test_an_owner_has_one_page_drawn_at_a_time(visitor, monkeypatch):
    begun, let = threading.Event(), threading.Event()
    real = originals.page_image

    def slow(*arguments, **options):
        begun.set()
        let.wait(60)
        return real(*arguments, **options)

    monkeypatch.setattr(originals, "page_image", slow)
    ann, bob = visitor(), visitor()
    path = added(ann, pages(OWLS))
    statuses = []
    first = threading.Thread(target=lambda: statuses.append(ann.get(f"{path}/pages/1").status_code))
    first.start()
    begun.wait(60)
    assert ann.get(f"{path}/pages/1").status_code == 429
    let.set()
    first.join()
    assert statuses == [200]
    assert bob.get("/articles/owls/pages/1").status_code == ann.get(f"{path}/pages/1").status_code == 200


def test_who_adds_a_file_that_is_too_large_to_be_kept_is_told_once(page, settings, article):
    tight = replace(settings, max_articles_mb=0.001)
    files = [(f"{name}.pdf", pages(f"{name} sleep.", *[""] * 5)) for name in ("Owls", "Bats", "Cats", "Dogs")]
    with served(pipeline_over(settings, article), shelf=shelf_in(tight)) as url:
        open_page(page, url)
        status = page.locator("#page-message")
        for some, said in (
            (files[:1], "“Owls” was added. Ask about it. Its pages cannot be shown: the file is too large to be kept."),
            (files[:1], "“Owls” is among your articles already. Ask about it."),
            (
                files[1:3],
                (
                    "2 articles were added, the last of them “Cats”. Ask about it. The pages of 2 of them cannot be "
                    "shown: the files are too large to be kept."
                ),
            ),
            (
                [*files[3:], ("no.pdf", b"no PDF")],
                (
                    "1 article was added. Its pages cannot be shown: the file is too large to be kept. no.pdf: the "
                    "file is damaged, or not what its name says; open it in a viewer and save it anew"
                ),
            ),
        ):
            page.get_by_label("Add an article").set_input_files(
                [{"name": name, "mimeType": "application/pdf", "buffer": data} for name, data in some]
            )
            expect(status).to_have_text(said, timeout=PATIENCE)
        expect(page.get_by_role("group", name="Show the article as")).to_be_hidden()
        page.goto("about:blank")


def test_a_quote_is_seen_on_its_page_and_over_the_break(page, settings, article):
    data = columns(PARAGRAPHS * 20)
    document = read_document(data, "ice.pdf", settings)
    at = document.places[1].start
    start = document.text.rindex(" ", 0, at - 60) + 1
    end = document.text.index(" ", at + 60)
    with served(pipeline_over(settings, article, reader=FixedReader((start, end))), shelf=shelf_in(settings)) as url:
        open_page(page, url)
        views = page.get_by_role("group", name="Show the article as")
        expect(views).to_be_hidden()
        page.get_by_label("Add an article").set_input_files(
            {"name": "ice.pdf", "mimeType": "application/pdf", "buffer": data}
        )
        expect(page.get_by_role("heading", level=1)).to_have_text("Ice", timeout=PATIENCE)
        source = ask(page, "Who warned the council?").get_by_role("button", name="Source 1").first
        source.click()
        expect(current_mark(page)).to_be_in_viewport(timeout=PATIENCE)

        press(page, "Page")
        sheet = page.get_by_role("region", name=re.compile("^Page 1 of "))
        picture = sheet.get_by_role("img", name=re.compile("^Page 1 of 2, as it is in the PDF file. Marked on it: “"))
        expect(picture).to_be_visible(timeout=PATIENCE)
        expect(sheet.locator(".mark.current").first).to_be_in_viewport()
        expect(page.locator("#page-note")).to_have_text("The quote goes on on the next page.")
        expect(page.locator("#article")).to_be_hidden()
        assert text_of(current_mark(page)) == document.text[start:end]
        press(page, "Next page")
        expect(page.get_by_role("img", name=re.compile("^Page 2 of 2"))).to_be_visible(timeout=PATIENCE)
        expect(page.locator("#sheet .mark.current").first).to_be_in_viewport()
        expect(page.locator("#page-note")).to_have_text("The quote begins on the page before.")
        expect(page.get_by_role("button", name="Next page")).to_be_disabled()
        assert serious_violations(page, "page") == []

        source.click()  # it stays with pages, and leads to the one where the quote begins
        expect(picture).to_be_visible(timeout=PATIENCE)
        expect(page.locator("#sheet")).to_be_focused()
        page.keyboard.press("Escape")
        expect(source).to_be_focused()
        press(page, "Text")
        expect(page.locator("#sheet")).to_be_hidden()
        expect(current_mark(page)).to_be_in_viewport()
        page.goto("about:blank")
