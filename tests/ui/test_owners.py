"""Who is let in, and as whom."""

import re

import gradio as gr
import httpx
import pytest
from fastapi import FastAPI, Request
from pages import pipeline_over, running, shelf_in
from starlette.testclient import TestClient

from rag import UsageError
from rag.answer.digest import Digests
from rag.answer.examples import Examples
from rag.answer.studies import Studies
from rag.api import ServedCollection
from ui import owners
from ui.app import protect, web_app
from ui.chat import Chat
from ui.owners import COOKIE, KNOWN_COOKIE, MOST_FAILURES, Accounts, owner_of
from ui.security import is_loopback
from ui.server import listen

HOME = "http://127.0.0.1:7860"
ACCOUNTS = {"ann": "correct horse", "bob": "pa:ss", "zoë": "naïve"}


def site(*, accounts: Accounts | None = None, host: str = "127.0.0.1", public_url: str = "") -> FastAPI:
    """A site that says who asks, behind the same middleware as the page."""
    app = FastAPI()
    protect(app, host=host, public_url=public_url, accounts=accounts)

    @app.api_route("/who", methods=["GET", "POST"])
    def who(request: Request) -> dict[str, str | None]:
        return {"owner": owner_of(request), "login": request.scope["login"], "url": str(request.url)}

    return app


def client(app: FastAPI, base_url: str = HOME) -> TestClient:
    return TestClient(app, base_url=base_url)


def test_without_a_cookie_one_is_set_and_kept():
    ann, bob = client(site()), client(site())
    first = ann.get("/who")
    cookie = first.headers["set-cookie"]
    assert re.fullmatch(
        rf"{COOKIE}=[A-Za-z0-9_-]{{43}}; Path=/; Max-Age=34560000; HttpOnly; SameSite=Lax", cookie
    )  # 43 characters of 6 bits: 256 bits
    again = ann.get("/who")
    assert "set-cookie" not in again.headers
    assert again.json() == first.json()
    assert re.fullmatch("[0-9a-f]{32}", first.json()["owner"])
    assert first.json()["login"] is None
    assert bob.get("/who").json()["owner"] != first.json()["owner"]
    assert (
        ann.get("/who", headers={"Accept": "text/html"}).headers["set-cookie"] == cookie
    )  # begins anew, stays the same


@pytest.mark.parametrize("forged", ["", "x", "a" * 42, "a" * 44, "../../seeds" + "a" * 32, "a" * 42 + "%0a", "ä" * 43])
def test_a_cookie_that_is_not_of_ours_is_replaced(forged):
    response = client(site()).get("/who", headers={"Cookie": f"{COOKIE}={forged}".encode()})
    token = re.match(rf"{COOKIE}=([^;]+)", response.headers["set-cookie"])[1]
    assert token != forged
    assert re.fullmatch("[0-9a-f]{32}", response.json()["owner"])


def test_an_owner_cannot_be_named_by_the_client():
    ann = client(site()).get("/who").json()["owner"]
    bob = client(site())
    claims = {"X-Owner": ann, "Owner": ann, "Authorization": "Basic YW5uOng=", "Remote-User": "ann"}
    answer = bob.get(f"/who?owner={ann}&login=ann", headers=claims).json()
    assert answer["owner"] != ann
    assert answer["login"] is None
    bob.cookies.set(COOKIE, ann)
    assert bob.get("/who").json()["owner"] != ann


@pytest.mark.parametrize("name", ACCOUNTS)
def test_with_accounts_the_name_is_the_owner(name):
    app = site(accounts=Accounts(ACCOUNTS))
    password = ACCOUNTS[name]
    one = client(app).get("/who", auth=(name.encode(), password.encode()))
    other = client(app).get("/who", auth=(name.encode(), password.encode()))
    assert one.json()["login"] == name
    assert one.json()["owner"] == other.json()["owner"]
    assert COOKIE not in one.headers["set-cookie"]


def test_spellings_of_a_letter_are_one_name():
    app = site(accounts=Accounts(ACCOUNTS))
    assert client(app).get("/who", auth=("zoe\u0308".encode(), "nai\u0308ve".encode())).json()["login"] == "zoë"


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "Basic",
        "Basic !!!",
        "Basic /w==",
        "Basic YW5uOndyb25n",  # ann:wrong
        "Basic bm9ib2R5OmNvcnJlY3QgaG9yc2U=",  # nobody:correct horse
        "Bearer YW5uOmNvcnJlY3QgaG9yc2U=",  # ann:correct horse
        "Basic YW5uOg==",  # ann:
        "Basic Og==",
    ],
)
def test_nobody_else_is_let_in(authorization):
    headers = {"Authorization": authorization} if authorization is not None else {}
    response = client(site(accounts=Accounts(ACCOUNTS))).get("/who", headers=headers)
    assert response.status_code == 401
    assert response.headers["www-authenticate"].startswith("Basic ")
    assert "owner" not in response.text


def guess(visitor: TestClient, name: str = "ann", **headers: str) -> int:
    """The status after as many wrong passwords as are looked at."""
    for _ in range(MOST_FAILURES):
        assert visitor.get("/who", auth=(name, "wrong"), headers=headers).status_code == 401
    return visitor.get("/who", auth=(name, "wrong"), headers=headers).status_code


def test_after_many_wrong_passwords_for_a_name_none_is_looked_at_for_a_while(monkeypatch):
    app = site(accounts=Accounts(ACCOUNTS))
    visitor = client(app)
    assert guess(visitor) == 429
    refused = visitor.get("/who", auth=("ann", "correct horse"))  # or a guesser would see that it is right
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "60")
    assert visitor.get("/who", auth=("bob", "pa:ss")).status_code == 200
    elsewhere = TestClient(app, base_url=HOME, client=("10.0.0.2", 1))
    assert elsewhere.get("/who", auth=("ann", "correct horse")).status_code == 200
    now = owners.time.monotonic()
    monkeypatch.setattr(owners.time, "monotonic", lambda: now + 61)
    assert visitor.get("/who", auth=("ann", "correct horse")).status_code == 200


def test_a_browser_that_was_let_in_before_stays_in_whatever_others_guess_from_the_same_address():
    app = site(accounts=Accounts(ACCOUNTS))
    ann, stranger = client(app), client(app)
    assert ann.get("/who", auth=("ann", "correct horse")).status_code == 200
    stranger.cookies.set(KNOWN_COOKIE, "a" * 64)
    assert guess(stranger) == 429
    assert ann.get("/who", auth=("ann", "correct horse")).json()["login"] == "ann"
    assert guess(ann, "bob") == 429  # known as Ann, and as nobody else
    assert guess(ann) == 429


def test_behind_a_proxy_a_guesser_is_known_by_the_address_that_the_proxy_saw():
    app = site(accounts=Accounts(ACCOUNTS), public_url="https://chat.example.org")
    proxy = TestClient(app, base_url="https://chat.example.org", client=("127.0.0.1", 1))
    assert guess(proxy, **{"X-Forwarded-For": "192.0.2.7, 203.0.113.9"}) == 429
    again = {"X-Forwarded-For": "192.0.2.8, 203.0.113.9"}  # the first is what the guesser claims
    assert proxy.get("/who", auth=("ann", "correct horse"), headers=again).status_code == 429
    ann = {"X-Forwarded-For": "203.0.113.10"}
    assert proxy.get("/who", auth=("ann", "correct horse"), headers=ann).status_code == 200


@pytest.mark.parametrize(("public_url", "peer"), [("", "127.0.0.1"), ("https://chat.example.org", "10.0.0.5")])
def test_nobody_else_may_say_for_whom_it_asks(public_url, peer):
    app = site(accounts=Accounts(ACCOUNTS), public_url=public_url)
    visitor = TestClient(app, base_url=public_url or HOME, client=(peer, 1))
    assert guess(visitor, **{"X-Forwarded-For": "203.0.113.9"}) == 429
    other = {"X-Forwarded-For": "203.0.113.10"}
    assert visitor.get("/who", auth=("ann", "correct horse"), headers=other).status_code == 429


def test_a_guesser_with_a_network_of_addresses_is_one():
    app = site(accounts=Accounts(ACCOUNTS))
    assert guess(TestClient(app, base_url=HOME, client=("2001:db8::1", 1))) == 429
    neighbour = TestClient(app, base_url=HOME, client=("2001:db8::ffff", 1))
    assert neighbour.get("/who", auth=("ann", "correct horse")).status_code == 429


def test_asking_for_the_page_without_a_password_is_no_failure():
    visitor = client(site(accounts=Accounts(ACCOUNTS)))
    for _ in range(2 * MOST_FAILURES):
        assert visitor.get("/who").status_code == 401
    assert visitor.get("/who", auth=("ann", "correct horse")).status_code == 200


def test_every_route_of_the_page_asks_for_the_password(settings, article):
    app = web_app(
        ServedCollection(pipeline_over(settings, article), "seeds"),
        shelf_in(settings),
        Chat(),
        Examples(),
        Studies(),
        digests=Digests(),
        accounts=Accounts(ACCOUNTS),
    )
    paths = (
        "/",
        "/page/page.js",
        "/articles",
        "/articles/harbour-news",
        "/config",
        "/gradio_api/info",
        "/own/articles",
        "/examples",
        "/overview",
    )
    visitor = client(app)
    for path in paths:
        assert visitor.get(path).status_code == 401, path
    for path in ("/gradio_api/queue/join", "/gradio_api/upload", "/gradio_api/run/predict", "/gradio_api/heartbeat/x"):
        assert visitor.post(path, json={}).status_code == 401, path
    assert visitor.get("/", auth=("ann", "correct horse")).status_code == 200


def test_an_event_of_the_page_knows_its_owner():
    """Gradio hands its own request to an event's function, also by way of its queue."""
    with gr.Blocks() as blocks:
        text = gr.Textbox()

        def who(request: gr.Request) -> str:
            return owner_of(request)

        gr.Button().click(who, outputs=text, api_name="who")
    app = gr.mount_gradio_app(site(), blocks, path="/page")
    with running(app) as url, httpx.Client(base_url=url, timeout=60, trust_env=False) as visitor:
        expected = visitor.get("/who").json()["owner"]
        joined = visitor.post("/page/gradio_api/call/who", json={"data": []}).json()["event_id"]
        assert expected in visitor.get(f"/page/gradio_api/call/who/{joined}").text


def test_accounts_are_read_from_pairs_and_a_file(tmp_path):
    file = tmp_path / "accounts.txt"
    file.write_text("bob:b:c\n\n", encoding="utf-8")
    accounts = Accounts.read(["ann:a"], file)
    assert accounts is not None
    assert accounts.are("bob", "b:c")
    assert accounts.are("ann", "a")
    assert not accounts.are("ann", "b:c")
    assert Accounts.read([], None) is None


@pytest.mark.parametrize(
    ("pairs", "lines", "says"),
    [
        (["ann"], None, "--auth: an account is given as NAME:PASSWORD"),
        (["ann:"], None, "--auth: an account is given as NAME:PASSWORD"),
        ([":secret"], None, "--auth: an account is given as NAME:PASSWORD"),
        (["ann:a", "ann:b"], None, "--auth: the name 'ann' is given twice"),
        ([], "ann:a\nsecret", "accounts.txt, line 2: an account is given as NAME:PASSWORD"),
        ([], "", "accounts.txt: there is no account in it"),
    ],
)
def test_what_is_no_account_is_said_without_the_password(tmp_path, pairs, lines, says):
    file = None
    if lines is not None:
        file = tmp_path / "accounts.txt"
        file.write_text(lines)
    with pytest.raises(UsageError, match=re.escape(says)) as caught:
        Accounts.read(pairs, file)
    assert "secret" not in str(caught.value)
    with pytest.raises(UsageError, match="No such file"):
        Accounts.read([], tmp_path / "none.txt")


def test_others_are_let_in_by_account_only():
    with pytest.raises(UsageError, match=r"needs accounts: add --auth NAME:PASSWORD, or .* --host 127\.0\.0\.1"):
        listen("0.0.0.0", 0)
    with listen("0.0.0.0", 0, open_to_others=True) as listener:
        assert listener.getsockname()[1] > 0


@pytest.mark.parametrize(
    ("host", "reached", "status"),
    [
        ("127.0.0.1", "127.0.0.1:7860", 200),
        ("127.0.0.1", "LOCALHOST:7860", 200),
        ("127.0.0.1", "192.168.1.10:7860", 400),
        ("192.168.1.10", "192.168.1.10:7860", 200),
        ("192.168.1.10", "192.168.1.11:7860", 400),
        ("0.0.0.0", "192.168.1.10:7860", 200),
        ("::", "[fd00::1]:7860", 200),
        ("0.0.0.0", "evil.example", 400),
        ("0.0.0.0", "192.168.1.10.evil.example", 400),
        ("box.local", "box.local:7860", 200),
        ("127.0.0.1", "", 400),
    ],
)
def test_a_host_is_one_by_which_people_reach_the_page(host, reached, status):
    assert client(site(host=host)).get("/who", headers={"Host": reached}).status_code == status


def test_behind_a_proxy_the_page_has_its_public_address():
    app = site(accounts=Accounts(ACCOUNTS), public_url="https://chat.example.org")
    visitor = client(app)
    headers = {"Host": "chat.example.org", "Origin": "https://chat.example.org"}
    answer = visitor.post("/who", headers=headers, auth=("ann", "correct horse"))
    assert answer.json()["url"] == "https://chat.example.org/who"
    for origin in ("http://chat.example.org", "https://evil.example", "https://chat.example.org:444"):
        assert visitor.post("/who", headers={**headers, "Origin": origin}).status_code == 403
    assert visitor.get("/who", headers={"Host": "other.example.org"}).status_code == 400


def test_a_cookie_that_came_by_https_stays_there():
    app = site(public_url="https://chat.example.org")
    assert client(app).get("/who", headers={"Host": "chat.example.org"}).headers["set-cookie"].endswith("; Secure")


@pytest.mark.parametrize(
    ("host", "loopback"), [("127.0.0.2", True), ("::1", True), ("localhost", True), ("box", False)]
)
def test_loopback_is_this_computer(host, loopback):
    assert is_loopback(host) == loopback
