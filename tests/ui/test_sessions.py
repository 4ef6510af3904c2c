"""What Gradio is asked, and in whose session."""

import json
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from fakes import GatedModel
from pages import event_of, pipeline_over, served

from ui.sessions import LONGEST_EVENT

QUESTION = "Who founded the maritime museum?"
ANSWER = "Clara Lindt founded the maritime museum."
HASH = "chosen"


@pytest.fixture
def visitor():
    """Opens the page at the URL anew, as somebody whom the server has never seen."""
    opened = []

    def visitor(url):
        client = httpx.Client(base_url=url, timeout=60, trust_env=False)
        opened.append(client)
        client.get("/own/articles")
        return client

    yield visitor
    for client in opened:
        client.close()


def join(client, event, *data):
    body = {"session_hash": HASH, "fn_index": event, "data": list(data)}
    return client.post("/gradio_api/queue/join", json=body)


def stream(client):
    """All that the session's stream tells, until it ends; there is one once an event was joined."""
    return client.get("/gradio_api/queue/data", params={"session_hash": HASH}).text


def test_who_knows_the_hash_of_anothers_session_reads_and_continues_nothing_of_it(settings, article, visitor):
    model = GatedModel(ANSWER)
    with served(pipeline_over(settings, article, model=model)) as url, ThreadPoolExecutor(1) as thread:
        ann, bob = visitor(url), visitor(url)
        assert join(ann, event_of(ann, "Your question", kind="submit"), QUESTION, None, None).status_code == 200
        with bob.stream("GET", "/gradio_api/queue/data", params={"session_hash": HASH}) as heard:
            assert json.loads(next(heard.iter_lines()).removeprefix("data: "))["session_not_found"]
        assert bob.post(
            "/gradio_api/run/predict",
            json={"session_hash": HASH, "fn_index": event_of(bob, "Stop"), "data": []},
        ).is_success
        told = thread.submit(stream, ann)
        model.gate.set()
        assert ANSWER in told.result()
        assert not model.was_stopped.is_set()
        edit = {"session_hash": HASH, "fn_index": event_of(bob, "Edit"), "data": [None]}
        assert QUESTION in ann.post("/gradio_api/run/predict", json=edit).text
        assert QUESTION not in bob.post("/gradio_api/run/predict", json=edit).text
        retry = event_of(bob, "Retry")
        assert join(bob, retry, None).is_success
        assert QUESTION not in stream(bob)
        assert join(ann, retry, None).is_success
        assert QUESTION in stream(ann)


def test_leaving_with_the_hash_of_anothers_session_ends_nothing_of_it(settings, article, visitor):
    model = GatedModel(ANSWER)
    with served(pipeline_over(settings, article, model=model)) as url, ThreadPoolExecutor(1) as thread:
        ann, bob = visitor(url), visitor(url)
        join(ann, event_of(ann, "Your question", kind="submit"), QUESTION, None, None)
        told = thread.submit(stream, ann)
        with bob.stream("GET", f"/gradio_api/heartbeat/{HASH}") as alive:
            assert "ALIVE" in next(alive.iter_text())
        bob.get("/alive")
        model.gate.set()
        assert ANSWER in told.result()


@pytest.mark.parametrize("route", ["queue/join", "run/predict"])
@pytest.mark.parametrize("declared", [True, False], ids=["of a known length", "streamed"])
def test_an_event_larger_than_any_of_the_pages_is_refused(settings, article, visitor, route, declared):
    body = b'{"session_hash": "chosen", "data": ["' + b"x" * LONGEST_EVENT + b'"]}'
    with served(pipeline_over(settings, article)) as url:
        refused = visitor(url).post(f"/gradio_api/{route}", content=body if declared else iter([body]))
        assert (refused.status_code, refused.text) == (413, "it is larger than the 8 MB allowed; send less")


@pytest.mark.parametrize("body", ["", "[]", "{}", '{"session_hash": 1}', "[" * 100_000, "\xff"])
def test_an_event_without_a_session_is_refused(settings, article, visitor, body):
    with served(pipeline_over(settings, article)) as url:
        for route in ("queue/join", "run/predict"):
            assert visitor(url).post(f"/gradio_api/{route}", content=body.encode("latin-1")).status_code == 400


@pytest.mark.parametrize(
    "path",
    [
        "/gradio_api/file=https://example.org/",
        "/gradio_api/file=http://127.0.0.1:1/",
        "/gradio_api/file/pyproject.toml",
        "/gradio_api/proxy=https://example.org/",
        "/gradio_api/upload_progress?upload_id=x",
        "/gradio_api/call/answer/x",
        "/gradio_api/stream/chosen/1/1/playlist.m3u8",
        "/gradio_api/queue/status",
        "/gradio_api/info",
        "/gradio_api/startup-events",
        "/config",
        "/monitoring/summary",
        "/manifest.json",
        "/none",
    ],
)
def test_of_gradio_there_is_only_what_the_page_reads(settings, article, visitor, path):
    followed = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    with served(pipeline_over(settings, article)) as url:
        for headers in ({}, followed):
            response = visitor(url).get(path, headers=headers)
            assert (response.status_code, response.text) == (404, "Not Found")


@pytest.mark.parametrize(
    "route", ["upload", "call/answer", "call/v2/answer", "api/predict", "run/answer", "cancel", "reset", "stream/x"]
)
def test_of_gradio_there_is_only_what_the_page_sends(settings, article, visitor, route):
    with served(pipeline_over(settings, article)) as url:
        for method in ("POST", "PUT", "DELETE"):
            response = visitor(url).request(method, f"/gradio_api/{route}", json={"session_hash": HASH, "data": []})
            assert response.text == "Not Found"
