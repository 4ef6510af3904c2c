"""The routes of private articles, behind the real middleware, over fakes in place of the models."""

import asyncio
import contextlib
import json
import queue
import tempfile
import threading
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from fakes import FakeEmbedder, GatedEmbedder
from fastapi import FastAPI
from files import PAGE, PARAGRAPHS, pages, paper, scan, zipped
from hubs import running
from pages import pipeline_over, served
from sites import Site, leads_to, sends
from starlette.requests import ClientDisconnect
from starlette.testclient import TestClient

from rag import Library, Shelf
from rag.answer.digest import Digests
from rag.answer.examples import Examples
from rag.answer.studies import Studies
from rag.api import Metrics, ServedCollection, bodies
from ui import articles
from ui.app import web_app
from ui.articles import add_article_routes
from ui.chat import Chat
from ui.intake import MOST_AT_ONCE
from ui.owners import COOKIE, Accounts, Owners
from ui.security import Guard, Hosts

HOME = "http://127.0.0.1:7860"
TEXT = "The vault under the mill holds seven owls."


def site(shelf, accounts=None, **options):
    app = FastAPI()
    app.add_middleware(Owners, accounts=accounts)
    app.add_middleware(Guard, hosts=Hosts("127.0.0.1"))
    add_article_routes(app, shelf, Metrics(), **options)
    return app


@pytest.fixture
def shelf(library, settings):
    return Shelf(library, settings)


@pytest.fixture
def visitor(shelf):
    """Opens the page anew, as somebody whom the server has never seen."""
    app = site(shelf)
    return lambda: TestClient(app, base_url=HOME)


def events(response):
    assert response.status_code == 200, response.text
    assert response.headers["content-type"].startswith("application/x-ndjson")
    return [json.loads(line) for line in response.text.splitlines()]


def add(client, data=TEXT, name="owls.txt"):
    """The article that was added."""
    last = events(client.post("/own/articles", params={"name": name}, content=data))[-1]
    assert last["stage"] == "done", last
    return last["article"]


def listed(client):
    return client.get("/own/articles").json()["articles"]


def places(home, text="seven owls"):
    return [path for path in home.rglob("*") if path.is_file() and text.encode() in path.read_bytes()]


@pytest.mark.parametrize(
    ("data", "name", "title", "page_count"),
    [
        (TEXT.encode(), "the-owls.txt", "The owls", 0),
        (b"# About owls\n\nThey sleep.", "x.md", "About owls", 0),
        (PAGE.format(charset="utf-8").encode(), "saved.html", "Harbour museum reopens", 0),
        (paper(PARAGRAPHS * 8), "ice.pdf", "Ice in the harbour", 2),
    ],
    ids=["txt", "md", "html", "pdf"],
)
def test_an_article_of_each_format_is_added_listed_read_and_removed(visitor, home, data, name, title, page_count):
    client = visitor()
    lines = events(client.post("/own/articles", params={"name": name}, content=data))
    assert [line["stage"] for line in lines[:-1]] == ["reading", *["indexing"] * (len(lines) - 2)]
    assert lines[-2]["done"] == lines[-2]["total"] > 0
    article = lines[-1]["article"]
    assert (article["title"], article["source"], article["pages"]) == (title, name, page_count)
    assert listed(client) == [article]
    read = client.get(f"/own/articles/{article['id']}").json()
    assert sum(map(len, read["paragraphs"])) == article["characters"]
    assert (read["id"], read["title"], len(read["places"])) == (article["id"], title, page_count)
    assert client.delete(f"/own/articles/{article['id']}").status_code == 204
    assert listed(client) == []
    assert [path for path in (home / "indexes" / "_owners").rglob("*") if path.is_file()] == []


@pytest.mark.usefixtures("nothing_to_collect")
def test_pasted_text_is_an_article(visitor):
    client = visitor()
    last = events(client.post("/own/articles/paste", json={"title": "Ow\u202els", "text": TEXT}))[-1]
    assert last["article"]["title"] == "Ow ls"
    assert "".join(client.get(f"/own/articles/{last['article']['id']}").json()["paragraphs"]) == TEXT
    assert events(client.post("/own/articles/paste", json={"text": " \n"}))[-1]["stage"] == "failed"
    for body in ("[]", "no JSON", '{"text": 1}', '{"title": "x"}', "[" * 100_000):
        assert client.post("/own/articles/paste", content=body).status_code == 400


def test_a_web_page_is_an_article_that_knows_its_address(shelf):
    with running(web := Site()):
        web.pages["/a"] = leads_to("/news")
        web.pages["/news"] = sends(PAGE.format(charset="utf-8").encode())
        ann, bob = (TestClient(site(shelf, page=web.load), base_url=HOME) for _ in range(2))
        lines = events(ann.post("/own/articles/address", json={"address": web.at("/a")}))
        assert [line["stage"] for line in lines[:2]] == ["reading", "indexing"]
        article = lines[-1]["article"]
        assert (article["title"], article["source"]) == ("Harbour museum reopens", web.at("/news"))
        assert ann.get(f"/own/articles/{article['id']}").json()["address"] == web.at("/news")
        assert (listed(ann), listed(bob)) == ([article], [])
        assert events(ann.post("/own/articles/address", json={"address": web.at("/news")}))[-1]["added"] == 0
        last = events(ann.post("/own/articles/address", json={"address": web.at("/gone")}))[-1]
        assert last["stage"] == "failed"
        assert last["message"].startswith(f"{web.at('/gone')}: its server answers with status 404; ")
    own = add(ann)
    assert ann.get(f"/own/articles/{own['id']}").json()["address"] == ""


def test_an_address_that_may_not_be_asked_is_told(visitor, shelf, settings):
    client = visitor()
    last = events(client.post("/own/articles/address", json={"address": "http://localhost:9/"}))[-1]
    assert last["message"].startswith("http://localhost:9/: there is no public server of that name; check the address")
    for body in ("[]", "no JSON", '{"address": 1}', "{}", '{"address": "/etc/passwd"}', '{"address": "ftp://a/b"}'):
        assert client.post("/own/articles/address", content=body).status_code == 400
    assert client.post("/own/articles/address", content="x" * 10_001).status_code == 413
    assert client.get("/own/articles").json()["limits"]["web_pages"] is True
    closed = TestClient(site(Shelf(shelf._library, replace(settings, web_pages=False))), base_url=HOME)
    refused = closed.post("/own/articles/address", json={"address": "http://localhost:9/"})
    assert (refused.status_code, closed.get("/own/articles").json()["limits"]["web_pages"]) == (403, False)
    assert refused.json()["message"].startswith("Web pages are not fetched here; ")


def test_pages_count_as_the_script_counts(visitor):
    client = visitor()
    article = add(client, pages("Page one.", "Page two."), "a.pdf")
    read = client.get(f"/own/articles/{article['id']}").json()
    text = "".join(read["paragraphs"])
    assert [(text[start:].split(".")[0], label) for start, label in read["places"]] == [
        ("Page one", "page 1"),
        ("Page two", "page 2"),
    ]


def test_another_visitor_reaches_nothing(visitor, home):
    ann, bob = visitor(), visitor()
    article = add(ann)
    assert listed(bob) == []
    assert bob.get(f"/own/articles/{article['id']}").status_code == 404
    assert bob.delete(f"/own/articles/{article['id']}").status_code == 404
    assert listed(ann) == [article]
    assert places(home)


def test_another_account_reaches_nothing(shelf):
    client = TestClient(site(shelf, Accounts({"ann": "a", "bob": "b"})), base_url=HOME)
    ann, bob = ("ann", "a"), ("bob", "b")
    posted = client.post("/own/articles", params={"name": "owls.txt"}, content=TEXT, auth=ann)
    article = events(posted)[-1]["article"]
    assert client.get("/own/articles", auth=ann).json()["login"] == "ann"
    assert client.get("/own/articles", auth=bob).json()["articles"] == []
    assert client.get(f"/own/articles/{article['id']}", auth=bob).status_code == 404
    assert client.delete(f"/own/articles/{article['id']}", auth=bob).status_code == 404
    assert client.get(f"/own/articles/{article['id']}").status_code == 401
    assert client.get(f"/own/articles/{article['id']}", auth=ann).status_code == 200


@pytest.mark.parametrize(
    "headers", [{"Origin": "http://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}]
)
def test_other_sites_post_and_delete_nothing(visitor, home, headers):
    client = visitor()
    article = add(client, b"Mine.", "mine.txt")
    files = {"file": ("owls.txt", TEXT)}
    assert client.post("/own/articles?name=owls.txt", files=files, headers=headers).status_code == 403
    assert client.post("/own/articles?name=owls.txt", content=TEXT, headers=headers).status_code == 403
    assert client.post("/own/articles/paste", json={"text": TEXT}, headers=headers).status_code == 403
    assert client.delete(f"/own/articles/{article['id']}", headers=headers).status_code == 403
    assert listed(client) == [article]
    assert places(home) == []


@pytest.mark.parametrize(
    ("data", "name", "says"),
    [
        (b"", "a.txt", "a.txt: it is empty; there is nothing to ask about"),
        (b"caf\xe9", "a.txt", "a.txt: byte 3 (0xe9) is not valid UTF-8; save the file as UTF-8"),
        (b"text", "a.xlsx", "a.xlsx: only .txt, .md, "),
        (b"text", "a.docx", "a.docx: the file is damaged, or not what its name says; "),
        (b"text", "txt", "txt: only .txt, "),
        (scan(), "a.pdf", "a.pdf: it holds no text, perhaps pictures of pages only; "),
        (pages("x", password="p"), "a.pdf", "a.pdf: the PDF is locked with a password; "),
        (b"%PDF-1.4 rubbish", "a.pdf", "a.pdf: the file is damaged, or not what its name says; "),
        (b"<html></html>", "a.html", "a.html: there is no article in this web page; "),
        (b"word " * 3000, "a.txt", "a.txt: 0.0 MB is more than the 0.01 MB allowed; "),
    ],
)
def test_a_bad_file_is_one_line_and_changes_nothing(library, settings, home, data, name, says):
    client = TestClient(site(Shelf(library, replace(settings, max_document_mb=0.01))), base_url=HOME)
    kept = add(client)
    last = events(client.post("/own/articles", params={"name": name}, content=data))[-1]
    assert last["stage"] == "failed"
    assert last["message"].startswith(says)
    assert "\n" not in last["message"]
    assert listed(client) == [kept]


@pytest.mark.parametrize(
    ("given", "source"),
    [
        ("../../../etc/owls.txt", "owls.txt"),
        ("..\\..\\owls.txt", "owls.txt"),
        ("/owls.txt", "owls.txt"),
        ("ow\x00l\x1b[2J\u202es.txt", "ow l [2J s.txt"),
        ("<img src=x onerror=alert(1)>.txt", "<img src=x onerror=alert(1)>.txt"),
        ("o" * 5000 + ".txt", "o" * 120 + ".txt"),
        ("Eulen über Köln.txt", "Eulen über Köln.txt"),
    ],
)
def test_a_files_name_is_a_name_and_no_path(visitor, home, given, source):
    before = set(home.iterdir())
    article = add(visitor(), name=given)
    assert article["source"] == source
    assert set(home.iterdir()) == before | {home / "indexes"}
    assert all((home / "indexes" / "_owners") in path.parents for path in places(home))


@pytest.mark.parametrize("name", ["", "/", "\x00", " "])
def test_a_file_without_a_name_is_refused(visitor, name):
    response = visitor().post("/own/articles", params={"name": name}, content=TEXT)
    assert response.status_code == 400
    assert response.json()["message"].startswith("The file has no name")


@pytest.mark.parametrize("article", ["..", "%2e%2e", "..%2f..%2fseeds", "seeds", "a" * 300, "%00", "paste"])
def test_what_is_no_id_is_not_found(visitor, home, article):
    client = visitor()
    add(client)
    before = set(home.rglob("*"))
    assert client.get(f"/own/articles/{article}").status_code in {404, 405}
    assert client.delete(f"/own/articles/{article}").status_code in {404, 405}
    assert set(home.rglob("*")) == before


def test_a_form_is_refused(visitor):
    response = visitor().post("/own/articles?name=a.txt", files={"file": ("a.txt", TEXT)})
    assert response.status_code == 415


def test_what_is_too_large_is_refused_while_it_is_read(library, settings, home):
    """The body is never read to its end, and never more of it is on the disk than is allowed."""
    sent = 0
    largest = 0

    async def receive():
        nonlocal sent, largest
        if sent:
            largest = max(largest, sum(path.stat().st_size for path in set(open_temporary_files()) - others))
        sent += 1
        assert sent < 1000
        return {"type": "http.request", "body": b"seven owls" * 100, "more_body": True}

    async def send(message):
        messages.append(message)

    messages = []
    others = set(open_temporary_files())
    app = site(Shelf(library, replace(settings, max_file_mb=0.01, max_document_mb=0.01)))
    headers = [(b"host", b"127.0.0.1")]
    scope = {"type": "http", "method": "POST", "path": "/own/articles", "query_string": b"name=a.txt"}
    asyncio.run(app({**scope, "headers": headers, "scheme": "http", "http_version": "1.1"}, receive, send))
    assert messages[0]["status"] == 413
    assert json.loads(messages[1]["body"])["message"] == "It is larger than the 0.01 MB allowed; send less"
    assert sent < 50
    assert largest <= 10_000
    assert largest > 0 or not Path("/proc/self/fd").is_dir()
    assert places(home) == []


def open_temporary_files():
    """Our files without a name, where the system lets us see them."""
    folder = Path("/proc/self/fd")
    for link in folder.iterdir() if folder.is_dir() else ():
        with contextlib.suppress(OSError):
            target = str(link.readlink())
            if target.startswith(tempfile.gettempdir()) and target.endswith("(deleted)"):
                yield link


def test_there_is_room_for_so_many(library, settings):
    client = TestClient(site(Shelf(library, replace(settings, max_articles=1))), base_url=HOME)
    add(client)
    add(client)  # the same again is no other
    assert events(client.post("/own/articles?name=b.txt", content=TEXT))[-1]["added"] == 0
    last = events(client.post("/own/articles?name=b.txt", content="Another one."))[-1]
    assert last["message"] == "You have 1 articles, and there is room for no more; remove one that you no longer need"


def test_a_file_that_is_too_large_to_be_kept_is_said_to_be_so(library, settings):
    data, large = pages(TEXT), pages("Two owls.", PARAGRAPHS[0], PARAGRAPHS[1])
    shelf = Shelf(library, replace(settings, max_articles_mb=(len(data) + 1000) / 1_000_000))
    client = TestClient(site(shelf), base_url=HOME)
    files = zipped({"a.pdf": data, "b.pdf": large, "c.txt": "Ice."})
    last = events(client.post("/own/articles?name=papers.zip", content=files))[-1]
    assert (last["stage"], last["added"], last["without_pages"]) == ("done", 3, 1)
    kept, unkept, _ = listed(client)
    shown = [client.get(f"/own/articles/{one['id']}").json()["pages"] for one in (kept, unkept)]
    assert shown == [1, 0]
    assert (kept["pages"], unkept["pages"]) == (1, 3)
    for name, again in (("b.pdf", large), ("a.pdf", data), ("d.txt", "Snow.")):
        assert "without_pages" not in events(client.post(f"/own/articles?name={name}", content=again))[-1]


def test_several_at_once_wait_for_each_other_and_too_many_are_refused(settings, article):
    embedder = GatedEmbedder()
    shelf = Shelf(Library(settings, embedder), settings)
    answers = queue.Queue()
    with served(pipeline_over(settings, article), shelf=shelf) as url, httpx.Client(base_url=url, timeout=60) as client:
        client.get("/own/articles")

        def post(number):
            answers.put(client.post("/own/articles?name=a.txt", content=f"Text {number}."))

        threads = [threading.Thread(target=post, args=(number,)) for number in range(MOST_AT_ONCE + 1)]
        for thread in threads:
            thread.start()
        first = answers.get(timeout=60)
        assert first.status_code == 429
        assert first.json()["message"].startswith("Your other articles are still being added")
        embedder.let.set()
        for thread in threads:
            thread.join()
        assert [events(answers.get())[-1]["stage"] for _ in range(MOST_AT_ONCE)] == ["done"] * MOST_AT_ONCE
        assert len(listed(client)) == MOST_AT_ONCE
        add(client, b"Now there is room again.")


class Upload:
    """A request whose body begins, and stops until it is told to end; `status` is what came back."""

    def __init__(self, app, cookie):
        self.app, self.cookie, self.status = app, cookie, None
        self.begun, self.end = asyncio.Event(), asyncio.Event()

    async def send(self, message):
        self.status = self.status or message.get("status")

    async def receive(self):
        if self.begun.is_set():
            await self.end.wait()
            return {"type": "http.disconnect"}
        self.begun.set()
        return {"type": "http.request", "body": b"seven", "more_body": True}

    async def run(self):
        headers = [(b"host", b"127.0.0.1"), (b"cookie", self.cookie)]
        scope = {"type": "http", "method": "POST", "path": "/own/articles", "query_string": b"name=a.txt"}
        scope |= {"headers": headers, "scheme": "http", "http_version": "1.1"}
        with contextlib.suppress(ClientDisconnect):
            await self.app(scope, self.receive, self.send)


def test_an_article_that_is_still_coming_counts_and_one_that_was_given_up_does_not(shelf):
    async def upload(app, cookie):
        stalled = [Upload(app, cookie) for _ in range(MOST_AT_ONCE)]
        tasks = [asyncio.create_task(one.run()) for one in stalled]
        for one in stalled:
            await one.begun.wait()
        refused, other = Upload(app, cookie), Upload(app, f"{COOKIE}={'b' * 43}".encode())
        for one in (refused, other):
            one.end.set()
            await one.run()
        for one in stalled:
            one.end.set()
        await asyncio.gather(*tasks)
        later = Upload(app, cookie)
        later.end.set()
        await later.run()
        return refused, other, later

    refused, other, later = asyncio.run(upload(site(shelf), f"{COOKIE}={'a' * 43}".encode()))
    assert (refused.status, refused.begun.is_set()) == (429, False)
    assert other.begun.is_set()
    assert later.begun.is_set()


def test_an_article_that_stops_coming_is_given_up(shelf, monkeypatch):
    monkeypatch.setattr(bodies, "GRACE_SECONDS", 0.0)
    stalled = Upload(site(shelf), f"{COOKIE}={'a' * 43}".encode())
    asyncio.run(asyncio.wait_for(stalled.run(), 60))
    assert stalled.status == 408


def test_an_article_is_added_also_where_the_tab_is_closed_meanwhile(settings, article):
    embedder = GatedEmbedder()
    shelf = Shelf(Library(settings, embedder), settings)
    with served(pipeline_over(settings, article), shelf=shelf) as url, httpx.Client(base_url=url) as client:
        client.get("/own/articles")
        with client.stream("POST", "/own/articles?name=owls.txt", content=TEXT) as response:
            assert json.loads(next(response.iter_lines()))["stage"] == "reading"
            assert embedder.begun.wait(60)
        embedder.let.set()
        while not (found := client.get("/own/articles").json()["articles"]):
            pass
        assert found[0]["title"] == "Owls"


@contextlib.contextmanager
def coming(client, text, name="owls.txt"):
    """The events of an article that is being added, one by one, after the first; and its id."""
    with client.stream("POST", f"/own/articles?name={name}", content=text) as response:
        events = map(json.loads, response.iter_lines())
        first = next(events)
        assert first["stage"] == "reading"
        yield events, first["id"]


@contextlib.contextmanager
def ann_and_bob(settings, article, embedder=None):
    """An embedder that waits, and two owners who can add articles."""
    embedder = embedder or GatedEmbedder()
    shelf = Shelf(Library(settings, embedder), settings)
    with (
        served(pipeline_over(settings, article), shelf=shelf) as url,
        httpx.Client(base_url=url, timeout=60) as ann,
        httpx.Client(base_url=url, timeout=60) as bob,
    ):
        ann.get("/own/articles")
        bob.get("/own/articles")
        yield embedder, ann, bob


def test_an_article_tells_its_place_in_line_and_owners_take_turns(settings, article):
    with ann_and_bob(settings, article) as (embedder, ann, bob):
        with coming(ann, "Ann's first.") as (first, _):
            assert embedder.begun.wait(60)
            with coming(ann, "Ann's second.") as (second, other):
                assert next(second) == {"stage": "waiting", "id": other, "before": 1}
                with coming(bob, "Bob's first.") as (bobs, his):
                    assert next(bobs) == {"stage": "waiting", "id": his, "before": 1}
                    assert next(second) == {"stage": "waiting", "id": other, "before": 2}
                    arriving = ann.get("/own/articles").json()["arriving"]
                    assert [(one["name"], one["stage"]) for one in arriving] == [
                        ("owls.txt", "indexing"),
                        ("owls.txt", "waiting"),
                    ]
                    assert [one["id"] for one in bob.get("/own/articles").json()["arriving"]] == [his]
                    embedder.let.set()
                    assert [list(events)[-1]["stage"] for events in (first, bobs, second)] == ["done"] * 3
        assert [text for text in embedder.embedded if "'s" in text] == ["Ann's first.", "Bob's first.", "Ann's second."]
        assert ann.get("/own/articles").json()["arriving"] == []


def test_what_is_indexed_and_what_waits_can_be_given_up_by_its_owner_alone(settings, article, home):
    with ann_and_bob(settings, article) as (embedder, ann, bob):
        with coming(ann, TEXT) as (indexed, one), coming(ann, f"{TEXT} Twice.") as (waiting, two):
            assert embedder.begun.wait(60)
            refused = bob.delete(f"/own/arriving/{one}")
            assert (refused.status_code, refused.json()["message"]) == (
                404,
                "This article is not, or no longer, on its way",
            )
            assert ann.delete(f"/own/arriving/{two}").status_code == 204
            assert list(waiting)[-1] == {"stage": "cancelled", "added": 0}  # while the other is still being indexed
            assert ann.delete(f"/own/arriving/{one}").status_code == 204
            embedder.let.set()
            assert list(indexed)[-1] == {"stage": "cancelled", "added": 0}
        assert ann.delete(f"/own/arriving/{one}").status_code == 404
        assert listed(ann) == []
        assert places(home) == []
        add(ann)  # there is room again, and nobody holds the turn


def test_each_article_in_a_zip_file_is_added_and_what_was_not_is_told(visitor):
    client = visitor()
    files = {"a/owls.txt": TEXT, "bee.md": "# The bee\n\nIt visits.", "c.pdf": "no PDF", "d.jpg": "", "e.txt": "Ice."}
    lines = events(client.post("/own/articles", params={"name": "papers.zip"}, content=zipped(files)))
    assert [line["stage"] for line in lines if line["stage"] != "indexing"] == ["reading"] * 5 + ["done"]
    assert [line.get("number", 1) for line in lines if line["stage"] == "reading"] == [1, 2, 3, 4, 5]
    last = lines[-1]
    assert (last["article"]["title"], last["added"]) == ("E", 3)
    assert last["message"].startswith("papers.zip/c.pdf: the file is damaged, or not what its name says; ")
    assert last["message"].endswith(" papers.zip: left out what cannot be read as an article: d.jpg")
    assert [(article["title"], article["source"]) for article in listed(client)] == [
        ("Owls", "papers.zip/a/owls.txt"),
        ("The bee", "papers.zip/bee.md"),
        ("E", "papers.zip/e.txt"),
    ]


def test_an_article_that_is_nearly_another_of_the_same_owner_is_added_and_told(visitor):
    client, stranger = visitor(), visitor()
    text = " ".join(PARAGRAPHS)
    old = add(client, text, "ice.txt")
    files = {"new.txt": text.replace("Oslo", "Bergen"), "owls.txt": TEXT, "same.txt": text, "upper.txt": text.upper()}
    last = events(client.post("/own/articles", params={"name": "papers.zip"}, content=zipped(files)))[-1]
    _, new, _, upper = listed(client)
    assert last["added"] == 3
    like = {"id": old["id"], "title": "Ice"}
    first, second = last["nearly"]
    assert first == {"id": new["id"], "title": "New", "like": like, "percent": first["percent"]}
    assert 80 <= first["percent"] < 100
    assert second == {"id": upper["id"], "title": "Upper", "like": like, "percent": 100}
    again = events(client.post("/own/articles", params={"name": "papers.zip"}, content=zipped(files)))[-1]
    assert (again["added"], "nearly" in again) == (0, False)
    assert "nearly" not in events(stranger.post("/own/articles", params={"name": "x.txt"}, content=text + " "))[-1]


def test_a_zip_file_of_more_articles_than_there_is_room_for_fills_the_room(library, settings):
    client = TestClient(site(Shelf(library, replace(settings, max_articles=3, max_passages=3))), base_url=HOME)
    for n in range(2):
        add(client, f"Before {n}.")
    files = {"0.txt": "The owls sleep. " * 400, **{f"{n}.txt": f"Article {n}." for n in (1, 2, 3)}}
    last = events(client.post("/own/articles", params={"name": "papers.zip"}, content=zipped(files)))[-1]
    assert (last["stage"], last["added"]) == ("done", 1)
    long, full = last["message"].split("max_passages ")
    assert long.startswith("papers.zip/0.txt: this article is too long: 3 passages are allowed")
    assert full == "You have 3 articles, and there is room for no more; remove one that you no longer need"
    assert [article["title"] for article in listed(client)] == ["Owls", "Owls", "1"]


def test_no_more_of_a_zip_file_is_read_than_one_may_have(library, settings):
    client = TestClient(site(Shelf(library, replace(settings, max_articles=2))), base_url=HOME)
    broken = {"1.pdf": "no PDF", "2.pdf": "no PDF", "3.txt": TEXT}
    last = events(client.post("/own/articles", params={"name": "papers.zip"}, content=zipped(broken)))[-1]
    assert last["stage"] == "failed"
    assert last["message"].endswith(" papers.zip: only the first 2 articles in it were read, as nobody may have more")
    whole = zipped({"1.txt": TEXT, "2.txt": "Ice.", "a.jpg": ""})
    last = events(client.post("/own/articles", params={"name": "papers.zip"}, content=whole))[-1]
    assert (last["added"], last["message"]) == (
        2,
        "papers.zip: left out what cannot be read as an article: a.jpg",
    )


def test_a_zip_file_without_articles_is_refused_in_a_line(visitor, home):
    client = visitor()
    for data, says in ((b"PK", "papers.zip: the file is damaged"), (zipped({"../a.txt": TEXT}), "papers.zip: a path")):
        last = events(client.post("/own/articles", params={"name": "papers.zip"}, content=data))[-1]
        assert (last["stage"], last["message"].startswith(says)) == ("failed", True)
    files = {f"{n}.pdf": "no PDF" for n in range(9)}
    last = events(client.post("/own/articles", params={"name": "papers.zip"}, content=zipped(files)))[-1]
    assert last["stage"] == "failed"
    assert last["message"].count("is damaged") == 3
    assert last["message"].endswith(" And so it is with 6 more.")
    assert listed(client) == []
    assert places(home) == []


class SecondGated(GatedEmbedder):
    """Waits with what is called the second."""

    def embed(self, texts, *, query=False, progress=None):
        if any("Second" in text for text in texts):
            return super().embed(texts, query=query, progress=progress)
        return FakeEmbedder.embed(self, texts, query=query, progress=progress)


def test_what_of_a_zip_file_was_added_stays_where_the_rest_is_given_up(settings, article):
    with ann_and_bob(settings, article, SecondGated()) as (embedder, ann, _):
        files = {"a.txt": "First.", "b.txt": "Second.", "c.txt": "Third."}
        with coming(ann, zipped(files), "papers.zip") as (lines, arrival):
            assert embedder.begun.wait(60)
            assert ann.delete(f"/own/arriving/{arrival}").status_code == 204
            embedder.let.set()
            assert list(lines)[-1] == {"stage": "cancelled", "added": 1}
        assert [article["title"] for article in listed(ann)] == ["A"]


def test_an_article_of_too_many_passages_is_refused_in_a_line(library, settings, home):
    client = TestClient(site(Shelf(library, replace(settings, max_passages=3))), base_url=HOME)
    last = events(client.post("/own/articles", params={"name": "long.txt"}, content="The owls sleep. " * 400))[-1]
    assert last == {
        "stage": "failed",
        "message": "This article is too long: 3 passages are allowed, and it has at least 7; split it, or raise the "
        "setting max_passages",
    }
    assert places(home, "owls") == []


def test_an_unexpected_error_is_told_and_logged(shelf, visitor, monkeypatch, caplog):
    monkeypatch.setattr(articles, "read_articles", lambda *_: 1 / 0)
    last = events(visitor().post("/own/articles?name=a.txt", content=TEXT))[-1]
    assert last == {"stage": "failed", "message": "Something went wrong here; the terminal says what."}
    assert "ZeroDivisionError" in caplog.text


def test_the_site_has_the_routes_and_keeps_them_out_of_caches(settings, article, shelf):
    served = ServedCollection(pipeline_over(settings, article), "seeds")
    site = web_app(served, shelf, Chat(), Examples(), Studies(), digests=Digests())
    client = TestClient(site, base_url=HOME)
    response = client.get("/own/articles")
    assert response.headers["cache-control"] == "no-store"
    assert "sandbox" in response.headers["content-security-policy"]
    limits = response.json()["limits"]
    assert limits["suffixes"] == [
        *(".txt", ".md", ".markdown", ".docx", ".epub", ".html", ".htm", ".pdf", ".srt", ".vtt", ".zip"),
    ]
    assert (limits["file_mb"], limits["text_mb"], limits["articles"], limits["articles_mb"]) == (25, 5, 30, 20)
