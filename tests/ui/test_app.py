import base64
import hashlib
import re
import socket
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from fakes import FakeEmbedder
from pages import pipeline_over, served
from starlette.testclient import TestClient

from rag import Library, ModelError, UsageError
from ui.app import ASSETS, HEAD, serve
from ui.policy import MOST_HOSTS, OnePage, page_policy
from ui.server import listen


@pytest.fixture
def url(settings, article):
    with served(pipeline_over(settings, article)) as url:
        yield url


def test_the_guard_refuses_foreign_hosts_and_origins(url):
    with httpx.Client(base_url=url) as client:
        assert client.get("/").status_code == 200
        assert client.get("/", headers={"Host": "evil.example"}).status_code == 400
        assert client.get("/", headers={"Host": "127.0.0.1.evil.example:7860"}).status_code == 400
        for origin in ("http://evil.example", "null", "http://127.0.0.1:1"):
            assert client.post("/gradio_api/queue/join", json={}, headers={"Origin": origin}).status_code == 403
        cross = {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "no-cors"}
        assert client.get("/articles/harbour-news", headers=cross).status_code == 403
        followed = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
        assert client.get("/", headers=followed).status_code == 200
        assert client.get("/", headers={"Origin": url}).status_code == 200


def test_a_forwarded_host_does_not_reach_the_page(url):
    response = httpx.get(url, headers={"X-Forwarded-Host": "evil.example", "Accept": "text/html"})
    assert "evil.example" not in response.text


def test_every_answer_has_a_policy_and_the_page_only_its_own_scripts(url):
    page = httpx.get(url, headers={"Accept": "text/html"}).headers
    policy = page["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self' 'sha256-")
    assert "unsafe-eval" not in policy
    assert "http" not in policy
    assert page["x-content-type-options"] == "nosniff"
    for path in ("/articles", "/articles/harbour-news", "/page/page.js"):
        assert "sandbox" in httpx.get(url + path).headers["content-security-policy"]


def test_each_style_is_linked_and_served(url):
    styles = re.findall('href="([^"]+)"', HEAD)
    assert sorted(styles) == sorted(f"/page/{path.relative_to(ASSETS).as_posix()}" for path in ASSETS.rglob("*.css"))
    for path in styles:
        assert httpx.get(url + path).headers["content-type"].startswith("text/css")


def test_the_policy_hashes_inline_scripts_and_no_others():
    policy = page_policy(b"<script>one()</script><script src='x.js'></script>")
    digest = base64.b64encode(hashlib.sha256(b"one()").digest()).decode()
    assert f"script-src 'self' 'sha256-{digest}';" in policy


def test_nothing_of_a_request_gets_into_the_page_or_its_policy(url):
    """Gradio writes into its script whether the deep link that a request names exists."""
    headers = {"Accept": "text/html"}
    plain = httpx.get(url, headers=headers)
    brought = {**headers, "Cookie": "access-token=x", "Accept-Language": "de", "User-Agent": "<script>evil()</script>"}
    for query in ("deep_link=%3C/script%3E%3Cscript%3Eevil()", "view=api", "__theme=dark"):
        other = httpx.get(f"{url}/?{query}", headers=brought)
        assert other.text == plain.text
        assert other.headers["content-security-policy"] == plain.headers["content-security-policy"]
    named = httpx.get(url.replace("127.0.0.1", "localhost"), headers=headers)
    assert "http://localhost" in named.text
    assert "http://127.0.0.1" not in named.text
    assert named.headers["content-security-policy"] == page_policy(named.content)


async def echo(scope, receive, send):
    """A page that takes whatever a request says into its script; `asked` counts the requests."""
    echo.asked += 1
    said = b" ".join([scope["query_string"], *(b"=".join(header) for header in scope["headers"])])
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/html")]})
    await send({"type": "http.response.body", "body": b"<script>" + said + b"</script>"})


def test_what_a_request_brings_into_a_script_is_never_allowed_and_pages_are_kept_for_few_hosts():
    echo.asked = 0
    app = OnePage(echo)
    client = TestClient(app, base_url="http://one.example")
    for _ in range(2):
        response = client.get("/?evil()", headers={"X-Said": "evil()"})
        assert response.text == "<script> host=one.example</script>"
        assert response.headers["content-security-policy"] == page_policy(b"<script> host=one.example</script>")
    assert echo.asked == 1
    for number in range(MOST_HOSTS + 5):
        client.get("/", headers={"Host": f"{number}.example"})
    assert len(app._pages) == MOST_HOSTS


def test_there_is_no_description_of_the_interface(url):
    for path in ("/docs", "/redoc", "/openapi.json", "/articles/none", "/articles/..%2F..%2Fpyproject.toml"):
        assert httpx.get(url + path).status_code == 404


def test_the_articles_are_there_for_the_script(url, article):
    assert httpx.get(f"{url}/articles").json() == [{"id": article.id, "title": article.title}]
    assert "".join(httpx.get(f"{url}/articles/{article.id}").json()["paragraphs"]) == article.text


def test_a_taken_port_names_another():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(UsageError, match=rf"^port {port} is taken; choose another: article-chat serve --port \d+$"):
            listen("127.0.0.1", port)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.10", "example.org"])
def test_only_this_computer_is_served(library, settings, host):
    with pytest.raises(UsageError, match=r"--host 127\.0\.0\.1"):
        serve(library, settings, collection="seeds", host=host, port=0)


def test_the_page_has_an_icon_of_its_own(url):
    icon = httpx.get(f"{url}/favicon.ico")
    assert icon.headers["content-type"].startswith("image/svg")
    assert icon.text.startswith("<svg")


def test_each_run_of_the_server_has_a_name_of_its_own(url, settings, article):
    run = httpx.get(f"{url}/alive").json()
    assert run == httpx.get(f"{url}/alive").json()
    with served(pipeline_over(settings, article)) as other:
        assert httpx.get(f"{other}/alive").json() != run


class Unloadable(FakeEmbedder):
    """Embeds articles, and fails on the first question: when the models are warmed up."""

    def embed(self, texts, *, query=False, progress=None):
        if query:
            raise ModelError("the embedding model is damaged")
        return super().embed(texts, query=query, progress=progress)


def test_a_model_that_cannot_be_loaded_ends_the_server_with_the_reason(settings, capsys):
    library = Library(settings, Unloadable())
    with ThreadPoolExecutor(1) as thread:  # in the main one, Playwright leaves its event loop running between tests
        ended = thread.submit(serve, library, settings, collection="seeds", host="127.0.0.1", port=0)
        with pytest.raises(ModelError, match=r"^the embedding model is damaged$"):
            ended.result()
    assert capsys.readouterr().out == ""
