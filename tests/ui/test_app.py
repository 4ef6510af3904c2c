import base64
import hashlib
import socket
import threading

import httpx
import pytest
from pages import pipeline_over, served

from rag import UsageError
from ui.app import listen, serve
from ui.chat import Chat
from ui.rendering import Exchange
from ui.security import page_policy


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


def test_the_policy_hashes_inline_scripts_and_no_others():
    policy = page_policy(b"<script>one()</script><script src='x.js'></script>")
    digest = base64.b64encode(hashlib.sha256(b"one()").digest()).decode()
    assert f"script-src 'self' 'sha256-{digest}';" in policy


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


def test_a_failing_question_keeps_the_conversation(settings, article, caplog):
    chat = Chat(pipeline_over(settings, article, model=Broken()))
    *_, kept = chat.ask("Which football team won?", (), "visit")
    *_, view = chat.ask("Who founded the maritime museum?", kept.exchanges, "visit")
    assert view.failed
    assert view.exchanges == kept.exchanges
    assert "a question could not be answered" in caplog.text


def test_the_history_is_what_was_shown(settings, article):
    chat = Chat(pipeline_over(settings, article))
    *_, first = chat.ask("Who founded the maritime museum?", (), "visit")
    *_, second = chat.ask("when did she?", first.exchanges, "visit")
    assert second.exchanges[0] == first.exchanges[0] == Exchange(first.exchanges[0].answer)
    assert second.exchanges[1].answer.standalone_question.startswith("Who founded")


def test_stopping_reaches_only_the_visit_that_asked_for_it(settings, article):
    chat = Chat(pipeline_over(settings, article))
    views = chat.ask("Who founded the maritime museum?", (), "mine")
    next(views)
    chat.stop("another")
    *_, last = views
    assert last.status.startswith("Answered")
    chat.stop("mine")  # nothing runs: nothing happens


class Broken:
    name = "broken"

    def generate(self, *_, **__):
        raise RuntimeError(threading.current_thread().name)
