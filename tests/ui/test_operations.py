"""What whoever runs the server sees of it: its health, its figures and its log."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from fakes import GatedModel, ScriptedModel
from pages import PATIENCE, DeafModel, pipeline_over, served, shelf_in
from starlette.testclient import TestClient

from rag import ModelError
from rag.answer.digest import Digests
from rag.answer.examples import Examples
from rag.answer.studies import Studies
from rag.api import ServedCollection
from ui import watch
from ui.app import web_app
from ui.chat import Chat
from ui.exchanges import Conversation
from ui.owners import Accounts
from ui.server import listen
from ui.waiting import MOST_OF_ONE, Loading

QUESTION = "Who founded the maritime museum?"


def ask(url, question=QUESTION, **options):
    body = {"model": "seeds", "messages": [{"role": "user", "content": question}]}
    return httpx.post(f"{url}/v1/chat/completions", json=body, timeout=PATIENCE / 1000, **options)


def figures(url):
    """The figures by name, with labels as they are written."""
    response = httpx.get(f"{url}/metrics")
    assert response.headers["content-type"].startswith("text/plain; version=")
    lines = [line for line in response.text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}


class Loads:
    """Loads what is to be loaded once `let` is set, and then raises the error, if there is one."""

    def __init__(self, error=None):
        self.let = threading.Event()
        self.loading = Loading(self.load)
        self.over = threading.Event()
        self.error = error

    def load(self):
        assert self.let.wait(60)
        if self.error is not None:
            raise self.error

    def start(self):
        self.loading.start(self.over.set)

    def finish(self):
        self.let.set()
        assert self.over.wait(60)


@pytest.mark.parametrize(("error", "status", "state"), [(None, 200, "ready"), (ModelError("no"), 503, "failed")])
def test_the_server_is_healthy_once_its_models_are_loaded(settings, article, error, status, state):
    loads = Loads(error)
    with served(pipeline_over(settings, article), loading=loads.loading) as url:
        loads.start()
        before = httpx.get(f"{url}/health")
        assert before.status_code == 503
        assert before.json()["status"] == "loading"
        assert figures(url)["article_chat_models_loaded"] == 0
        loads.finish()
        after = httpx.get(f"{url}/health")
        assert after.status_code == status
        assert after.json() == {
            "status": state,
            "collection": "seeds",
            "articles": 1,
            "models": {"embedder": "fake-bag-of-words", "reader": "overlap", "llm": "none"},
        }
        assert figures(url)["article_chat_models_loaded"] == (error is None)
        assert "set-cookie" not in httpx.get(f"{url}/health", cookies={"article_chat_owner": "a" * 43}).headers


def test_health_and_figures_are_told_while_the_model_writes(settings, article):
    model = GatedModel("Clara Lindt founded the maritime museum.")
    with served(pipeline_over(settings, article, model=model)) as url:
        answers = []
        threads = [threading.Thread(target=lambda: answers.append(ask(url))) for _ in range(2)]
        for thread in threads:
            thread.start()
        assert model.begun.wait(60)
        while figures(url)["article_chat_questions_waiting"] < 1:
            pass
        assert httpx.get(f"{url}/health").json()["status"] == "ready"
        assert figures(url)["article_chat_questions_running"] == 1
        model.gate.set()
        for thread in threads:
            thread.join()
        assert [answer.status_code for answer in answers] == [200, 200]
        now = figures(url)
        assert now["article_chat_questions_running"] == now["article_chat_questions_waiting"] == 0
        assert now['article_chat_questions_total{outcome="answered"}'] == 2
        assert now["article_chat_answer_seconds_count"] == now["article_chat_first_quote_seconds_count"] == 2


def test_each_end_of_a_question_is_counted_and_nothing_of_it_is_told(settings, article):
    chat = Chat()
    with served(pipeline_over(settings, article), chat=chat) as url:
        ask(url)
        ask(url, "Who is the king of Zanzibar?")
        for _ in range(MOST_OF_ONE):
            chat._line.join("somebody")
        with pytest.raises(Exception, match="waiting already"), chat.place("somebody"):
            pass
        text = httpx.get(f"{url}/metrics").text
    assert 'article_chat_questions_total{outcome="answered"} 1.0' in text
    assert 'article_chat_questions_total{outcome="not_said"} 1.0' in text
    assert 'article_chat_questions_total{outcome="busy"} 1.0' in text
    assert "process_resident_memory_bytes" in text or sys.platform != "linux"
    assert not re.search("zanzibar|museum|lindt|harbour", text, re.IGNORECASE)


class FailingModel(ScriptedModel):
    """Fails with what it was asked on its lips."""

    def generate(self, prompt, **options):
        raise RuntimeError(prompt.messages[-1].content)


def outcomes(chat):
    told = re.findall(r'article_chat_questions_total\{outcome="(\w+)"\} (\d)\.0', chat.metrics.text().decode())
    assert len(told) == 6  # also those of which there is none yet
    return {outcome: int(number) for outcome, number in told if number != "0"}


def test_the_page_counts_its_questions_too(settings, article):
    chat = Chat()
    views = list(chat.ask(pipeline_over(settings, article), QUESTION, Conversation(), "visit"))
    assert not views[-1].running
    list(chat.ask(pipeline_over(settings, article, model=FailingModel()), QUESTION, Conversation(), "visit"))
    left = chat.ask(pipeline_over(settings, article), QUESTION, Conversation(), "visit")
    next(left)
    left.close()
    list(chat.ask(pipeline_over(settings, article), "", Conversation(), "visit"))  # is no question
    assert outcomes(chat) == {"answered": 1, "failed": 1, "stopped": 1}


def test_an_article_that_arrives_is_counted(settings, article, tmp_path):
    with served(pipeline_over(settings, article)) as url, httpx.Client(base_url=url, headers={"Origin": url}) as client:
        client.post("/own/articles/paste", json={"text": "The vault holds seven owls.", "title": "Owls"})
        client.post("/own/articles", params={"name": "owls.pdf"}, content=b"no such thing")
        now = figures(url)
    assert now['article_chat_articles_total{outcome="done"}'] == 1
    assert now['article_chat_articles_total{outcome="failed"}'] == 1
    assert now["article_chat_articles_arriving"] == 0


def test_a_model_that_hangs_is_told_of(settings, article, monkeypatch):
    monkeypatch.setattr(watch, "GRACE_SECONDS", 0.1)
    model = DeafModel("Clara Lindt.")
    chat = Chat(seconds=0.1)
    with served(pipeline_over(settings, article), chat=chat) as url:
        list(chat.ask(pipeline_over(settings, article, model=model), QUESTION, Conversation(), "visit"))
        response = httpx.get(f"{url}/health")
        assert (response.status_code, response.json()["status"]) == (503, "unresponsive")
        assert figures(url)["article_chat_unresponsive"] == 1
        model.let.set()
        while httpx.get(f"{url}/health").status_code != 200:  # until the thread has ended
            pass
        assert figures(url)["article_chat_unresponsive"] == 0


@pytest.mark.parametrize("hangs_up", [False, True], ids=["of who waits", "of who hung up"])
def test_a_model_that_hangs_in_an_answer_of_the_api_is_told_of_and_keeps_nobody_from_quotes(
    settings, article, monkeypatch, hangs_up
):
    monkeypatch.setattr(watch, "GRACE_SECONDS", 0.1)
    model = DeafModel("Clara Lindt.")
    brief = replace(settings, answer_seconds=600 if hangs_up else 2)
    with served(pipeline_over(settings, article, model=model), shelf=shelf_in(brief)) as url:
        if hangs_up:
            body = {"model": "seeds", "messages": [{"role": "user", "content": QUESTION}], "stream": True}
            with httpx.stream("POST", f"{url}/v1/chat/completions", json=body, timeout=PATIENCE / 1000):
                assert model.begun.wait(60)
        else:
            assert ask(url).status_code == 504
        for _ in range(2):
            quoted = ask(url)
            assert quoted.status_code == 200
            assert quoted.json()["citations"]
        response = httpx.get(f"{url}/health")
        assert (response.status_code, response.json()["status"]) == (503, "unresponsive")
        assert figures(url)["article_chat_unresponsive"] == 1
        model.let.set()
        while httpx.get(f"{url}/health").status_code != 200:  # until the thread has ended
            pass
        assert figures(url)["article_chat_unresponsive"] == 0


@pytest.fixture
def site(settings, article):
    """Makes the site, and a client of it at an address."""
    with contextlib.ExitStack() as stack:

        def site(address="127.0.0.1", base="http://127.0.0.1:7860", **options):
            chat, studies = Chat(), Studies()
            examples = Examples(chat.is_busy)
            stack.callback(examples.stop)
            stack.callback(studies.stop)
            served = ServedCollection(pipeline_over(settings, article), "seeds")
            app = web_app(served, shelf_in(settings), chat, examples, studies, digests=Digests(), **options)
            return TestClient(app, base_url=base, client=(address, 50000))

        yield site


ANN = {"accounts": Accounts({"ann": "secret"}), "host": "0.0.0.0"}


def test_without_a_login_only_the_state_is_told(site):
    client = site("203.0.113.9", **ANN)
    assert client.get("/health").json() == {"status": "ready"}
    assert client.get("/health", auth=("ann", "wrong")).status_code == 401
    assert client.get("/health", auth=("ann", "secret")).json()["collection"] == "seeds"
    assert client.get("/alive").status_code == 401


def test_the_figures_are_for_this_computer_alone_unless_they_are_opened(site):
    assert site(**ANN).get("/metrics").status_code == 200
    assert site("::1", **ANN).get("/metrics").status_code == 200
    others = site("203.0.113.9", **ANN)
    assert others.get("/metrics").status_code == 403
    assert others.get("/metrics", auth=("ann", "secret")).status_code == 403
    opened = site("203.0.113.9", **ANN, open_metrics=True)
    assert opened.get("/metrics").status_code == 403
    assert opened.get("/metrics", auth=("ann", "wrong")).status_code == 401
    assert "article_chat_questions" in opened.get("/metrics", auth=("ann", "secret")).text


def test_who_comes_by_way_of_the_proxy_is_a_stranger(site):
    """Also where the proxy does not say for whom it asks, or a stranger claims to be here."""
    public = {"accounts": ANN["accounts"], "public_url": "https://chat.example.org"}
    assert site(**public).get("/metrics").status_code == 200
    proxied = site(base="http://chat.example.org", **public)
    assert proxied.get("/metrics").status_code == 403
    assert proxied.get("/metrics", headers={"X-Forwarded-For": "127.0.0.1, 203.0.113.9"}).status_code == 403
    rewritten = site(**public)
    assert rewritten.get("/metrics", headers={"X-Forwarded-For": "127.0.0.1, 203.0.113.9"}).status_code == 403
    assert site("203.0.113.9", **ANN).get("/metrics", headers={"X-Forwarded-For": "127.0.0.1"}).status_code == 403


SERVE = """
import sys
sys.path[:0] = [sys.argv[3], sys.argv[3] + "/ui"]
from fakes import FakeEmbedder, OverlapChecker, OverlapReader, ScriptedModel
from rag import Pipeline
from rag.cli import main
from ui import app

class Model(ScriptedModel):
    def generate(self, prompt, **options):
        asked = prompt.messages[-1].content
        if "Zanzibar" in asked:
            raise RuntimeError(asked)
        yield from super().generate(prompt, **options)

def build(index, settings):
    return Pipeline(index, reader=OverlapReader(), checker=OverlapChecker(), model=Model(), settings=settings)

app.build_pipeline = build
sys.exit(main(["serve", "--home", sys.argv[1], "--port", sys.argv[2], "--log-format", sys.argv[4]],
              embedder=FakeEmbedder()))
"""


@pytest.mark.parametrize("form", ["json", "text"])
def test_the_log_for_programs_tells_what_happened_and_no_word_of_it(home, form):
    with listen("127.0.0.1", 0) as free:
        port = free.getsockname()[1]
    (home / "seeds" / "Zugspitze.pdf").write_bytes(b"no PDF")
    command = [sys.executable, "-c", SERVE, str(home), str(port), str(Path(__file__).parents[1]), form]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=dict(os.environ)
    ) as server:
        try:
            url = server.stdout.readline().strip()
            assert ask(url).status_code == 200
            assert ask(url, "Who founded the maritime museum in Zanzibar?").status_code == 500
            with httpx.Client(base_url=url, headers={"Origin": url}) as client:
                client.post("/own/articles/paste", json={"text": "Seven owls sleep.", "title": "Zebras"})
                client.post("/own/articles", params={"name": "Zirconium.pdf"}, content=b"no PDF")
            server.send_signal(signal.SIGINT)
            _, stderr = server.communicate(timeout=PATIENCE / 1000)
        finally:
            server.kill()
    assert server.returncode == 0
    if form == "text":  # for people, with all that helps them, and nothing where all is well
        assert stderr.startswith("article-chat: warning: left out: ")
        assert "article-chat: error: a question could not be answered\nTraceback" in stderr
        assert "a question ended" not in stderr
        return
    told = [json.loads(line) for line in stderr.splitlines()]
    assert all({"time", "level", "logger", "event"} <= set(line) for line in told)
    assert not re.search(r"zanzibar|museum|lindt|owls|zebra|zirconium|zugspitze", stderr, re.IGNORECASE)
    ends = [(line["event"], line["outcome"]) for line in told if "outcome" in line]
    assert ends == [
        ("a question ended", "answered"),
        ("a question ended", "failed"),
        ("an article arrived", "done"),
        ("an article arrived", "failed"),
    ]
    assert all(line["seconds"] >= 0 for line in told if "outcome" in line)
    (failure,) = [line for line in told if "error" in line]
    assert (failure["event"], failure["error"]) == ("a question could not be answered", "RuntimeError")
    assert failure["raised"][-1].startswith("__main__:")
    events = {line["event"] for line in told}
    assert {"the server listens", "the models are loaded", "left out: DocumentError"} <= events
