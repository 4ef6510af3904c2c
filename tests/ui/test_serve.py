"""The command's way to the page: the real models, a process of its own, a real browser."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest
from files import PARAGRAPHS, pages
from pages import PATIENCE, ask, begin, current_mark, event_of, open_page, press, status_of, text_of
from playwright.sync_api import expect

from ui.server import listen

SERVE = """
import sys
from pathlib import Path
from rag import Library, load_settings
from ui.app import serve
settings = load_settings(flags={"home": Path(sys.argv[1]), "threads": 1})
serve(Library(settings), settings, collection="seeds", host="127.0.0.1", port=int(sys.argv[2]))
"""


def wait_for(url: str) -> None:
    """Until the server answers, which it does before its models are loaded."""
    deadline = time.monotonic() + PATIENCE / 1000
    while time.monotonic() < deadline:
        try:
            httpx.get(url, timeout=PATIENCE / 1000)
        except httpx.TransportError:
            time.sleep(0.1)
        else:
            return
    raise TimeoutError(url)


@pytest.mark.e2e
def test_the_real_models_answer_and_the_server_stops_cleanly(page, home, article):
    with listen("127.0.0.1", 0) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-c", SERVE, str(home), str(port)]
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "HF_HUB_OFFLINE": "1"},
    ) as server:
        try:
            url = f"http://127.0.0.1:{port}"
            wait_for(f"{url}/alive")
            open_page(page, url)
            group = begin(page, "Who founded the maritime museum?")
            assert server.stdout.readline() == f"{url}\n"
            expect(status_of(page)).to_contain_text("Answered", timeout=PATIENCE)
            group.get_by_role("button", name="Source 1").click()
            expect(current_mark(page)).to_be_in_viewport(timeout=PATIENCE)
            quote = text_of(current_mark(page))
            assert quote in article.text
            assert "Lindt" in group.inner_text()
            press(page, "Retry")
            expect(group.locator("blockquote").filter(has_text=quote)).to_have_count(0, timeout=PATIENCE)
            expect(group).to_have_class(re.compile("answered|abstained"), timeout=PATIENCE)
            page.reload()
            page.locator(".exchange > details").evaluate("node => { node.open = true }")
            earlier = page.get_by_role("group", name="Earlier answer to: Who founded the maritime museum?")
            earlier.get_by_role("button", name="Source 1").click()
            expect(current_mark(page)).to_have_text(quote, timeout=PATIENCE)
            file = {"name": "ice.pdf", "mimeType": "application/pdf", "buffer": pages(*PARAGRAPHS)}
            page.get_by_label("Add an article").set_input_files(file)
            expect(status_of(page)).to_contain_text("was added", timeout=PATIENCE)
            group = ask(page, "How much will the repairs to the northern dam cost?")
            group.get_by_role("button", name="Source 1").click()
            expect(current_mark(page)).to_contain_text("40 million crowns", timeout=PATIENCE)
            assert text_of(current_mark(page)) in PARAGRAPHS[2]
            expect(group.locator(".place").first).to_contain_text(" · page 3 · ")
            page.goto("about:blank")
        finally:
            server.send_signal(signal.SIGTERM)
        stdout, stderr = server.communicate(timeout=PATIENCE / 1000)
    assert stdout == ""
    assert "Traceback" not in stderr


@pytest.mark.e2e
def test_the_server_stops_cleanly_while_an_article_is_indexed(home):
    with listen("127.0.0.1", 0) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-c", SERVE, str(home), str(port)]
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "ARTICLE_CHAT_LLM": "none"}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as server:
        try:
            url = server.stdout.readline().strip()  # once its models are loaded
            text = "the mill burned down and nobody was hurt " * 20_000
            pasted = httpx.stream(
                "POST", f"{url}/own/articles/paste", json={"text": text, "title": ""}, headers={"Origin": url}
            )
            with pasted as answer:
                lines = answer.iter_lines()
                assert [json.loads(next(lines))["stage"] for _ in range(2)] == ["reading", "indexing"]
                server.send_signal(signal.SIGINT)
                stdout, stderr = server.communicate(timeout=PATIENCE / 1000)
        finally:
            server.kill()
    assert (server.returncode, stdout, stderr) == (0, "", "")


DEAF = """
import sys, threading
from dataclasses import replace
from pathlib import Path
sys.path[:0] = [sys.argv[3], sys.argv[3] + "/ui"]
from fakes import FakeEmbedder, OverlapChecker, OverlapReader, ScriptedModel
from rag import Library, Pipeline, load_settings
from ui import app, watch

def hang(when):
    if sys.argv[4] == when:
        threading.Event().wait()

class Model(ScriptedModel):
    def generate(self, *arguments, **options):
        hang("while it answers")
        yield from super().generate(*arguments, **options)

class Embedder(FakeEmbedder):
    def embed(self, texts, *, query=False, progress=None):
        if query:  # first when the models are warmed up
            hang("while it loads")
        return super().embed(texts, query=query, progress=progress)

def build(index, settings):
    return Pipeline(index, reader=OverlapReader(), checker=OverlapChecker(), model=Model(), settings=settings)

settings = load_settings(flags={"home": Path(sys.argv[1]), "threads": 1, "answer_seconds": 1.0})
watch.GRACE_SECONDS = app.ENDING_SECONDS = 1.0
app.build_pipeline = build
app.serve(Library(settings, Embedder()), settings, collection="seeds", host="127.0.0.1", port=int(sys.argv[2]))
"""


@pytest.mark.parametrize("when", ["while it loads", "while it answers"])
def test_the_server_stops_and_serves_meanwhile_though_its_model_does_not_respond(home, when):
    with listen("127.0.0.1", 0) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-c", DEAF, str(home), str(port), str(Path(__file__).parents[1]), when]
    url = f"http://127.0.0.1:{port}"
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as server:
        try:
            wait_for(f"{url}/alive")
            if when == "while it answers":
                assert server.stdout.readline() == f"{url}\n"
                with httpx.Client(base_url=url, timeout=60) as client:
                    client.get("/alive")
                    asked = [
                        ("Who founded the maritime museum?", None, None),
                        ("And who founded the museum?", None, None),
                    ]
                    told = [answered(client, question) for question in asked]
                assert "the model does not respond" in told[0]
                assert "The language model does not respond, so these are quotes alone." in told[1]
            server.send_signal(signal.SIGINT)
            _, stderr = server.communicate(timeout=PATIENCE / 1000)
        finally:
            server.kill()
    assert server.returncode == 1
    assert "Traceback" not in stderr


def answered(client, data):
    """All that the page is told of the question."""
    event = event_of(client, "Your question", kind="submit")
    body = {"session_hash": "chosen", "fn_index": event, "data": list(data)}
    assert client.post("/gradio_api/queue/join", json=body).is_success
    return client.get("/gradio_api/queue/data", params={"session_hash": "chosen"}).text
