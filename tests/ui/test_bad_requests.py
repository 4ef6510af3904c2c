"""Whatever is sent to whichever address: no error of the server's own, and no answer without a valid citation."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from hostile import changed
from hypothesis import HealthCheck, given
from hypothesis import settings as profile
from hypothesis import strategies as st
from pages import event_of, pipeline_over, served

from rag import Document, Settings

QUESTION = "Who founded the maritime museum?"
ASKED = [{"role": "user", "content": QUESTION}]
VALID: dict[str, Any] = {
    "/v1/chat/completions": {"model": "seeds", "messages": ASKED, "stream": False, "stream_options": {}},
    "/v1/responses": {"model": "seeds", "input": ASKED, "stream": False, "text": {"format": {"type": "text"}}},
    "/check": {"claim": "Clara Lindt founded the museum."},
    "/own/articles/paste": {"title": "A title", "text": "A text. It has two sentences."},
    "/own/articles/address": {"address": "http://127.0.0.1:9/"},
    "/gradio_api/queue/join": {
        "data": [QUESTION, None, None],
        "event_data": None,
        "fn_index": 0,
        "trigger_id": 1,
        "session_hash": "0123456789",
    },
}
"""What is sent there by those who keep to the rules."""
PATHS = [
    *VALID,
    *("/", "/alive", "/health", "/metrics", "/config", "/theme.css", "/page/page.js", "/examples", "/reading"),
    *("/articles", "/articles/harbour-news", "/own/articles", "/own/articles/0123", "/own/arriving/0123"),
    *("/v1", "/v1/models", "/v1/models/seeds", "/v1/articles/seeds/harbour-news"),
    *("/gradio_api/queue/data", "/gradio_api/info", "/gradio_api/upload"),
]


METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"]


@st.composite
def requests(draw: st.DrawFn) -> dict[str, Any]:
    """To an address that there is, or not, with a body that is right, almost right, or not JSON at all."""
    anywhere = st.sampled_from(PATHS) | st.text(max_size=20).map(lambda text: "/" + quote(text, errors="replace"))
    path = draw(st.sampled_from(sorted(VALID)) if draw(st.integers(0, 2)) else anywhere)
    valid = VALID.get(path, {})
    body = draw(st.just(valid) | changed(valid) | changed(valid) | st.binary(max_size=200))
    names = st.sampled_from(["own", "name", "session_hash", "x"])
    return {
        "method": "POST" if valid and draw(st.integers(0, 5)) else draw(st.sampled_from(METHODS)),
        "url": path,
        "params": draw(st.dictionaries(names, st.text(max_size=20), max_size=2)),
        "content": body if isinstance(body, bytes) else json.dumps(body).encode("utf-8", "surrogatepass"),
        "headers": {
            "Content-Type": draw(st.sampled_from(["application/json", "text/plain", "multipart/form-data", "x; y=?"])),
            **draw(
                st.sampled_from([{}, {"Accept": "text/html"}, {"Authorization": "Basic ?"}, {"Range": "bytes=9-1"}])
            ),
        },
    }


@pytest.fixture
def site(settings: Settings, article: Document) -> Iterator[httpx.Client]:
    with served(pipeline_over(settings, article)) as url, httpx.Client(base_url=url, timeout=60) as client:
        yield client


def test_whatever_is_sent_is_answered_or_refused(
    site: httpx.Client, article: Document, caplog: pytest.LogCaptureFixture
) -> None:
    VALID["/gradio_api/queue/join"]["fn_index"] = event_of(site, "Ask")

    @given(requests())
    @profile(suppress_health_check=[HealthCheck.too_slow])
    def holds(request: dict[str, Any]) -> None:
        path = request["url"]
        with site.stream(**request) as response:
            assert response.status_code < 500, (request, response.read())
            streamed = response.headers.get("Content-Type", "").startswith("text/event-stream")
            body = b"" if streamed and path.startswith("/gradio_api") else response.read()
        if response.status_code == 200 and path in ("/v1/chat/completions", "/v1/responses"):
            check(body)
        if response.status_code >= 400 and path.startswith("/v1/") and request["method"] != "HEAD":
            assert json.loads(body)["error"]["message"]

    def check(body: bytes) -> None:
        said = [json.loads(line[5:]) for line in body.split(b"\n") if line.startswith(b"data: {")] or [json.loads(body)]
        for one in said:
            for cited in one.get("citations", ()):
                assert article.text[cited["start"] : cited["end"]] == cited["quote"]

    holds()
    assert site.get("/alive").status_code == 200
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR] == []
