"""Which sessions are kept in memory, and what of each."""

import json

import gradio as gr
import httpx
import pytest
from pages import event_of, pipeline_over, served

from rag import Answer, Citation, Statement
from ui import kept as sessions
from ui.exchanges import Conversation, Exchange, record
from ui.kept import MOST_OF_ONE, MOST_SESSIONS, Kept

ANN, BOB = "a" * 16, "b" * 16


@pytest.fixture
def kept():
    kept = Kept()
    with gr.Blocks() as blocks:
        gr.State()
    kept.set_blocks(blocks)
    return kept


@pytest.fixture
def url(settings, article, kept, monkeypatch):
    """The page's URL, whose sessions are in `kept`."""
    monkeypatch.setattr("ui.app.Kept", lambda: kept)
    with served(pipeline_over(settings, article)) as url:
        yield url


@pytest.fixture
def client(url):
    with httpx.Client(base_url=url, timeout=60, trust_env=False) as client:
        client.get("/own/articles")
        yield client


def send(client, name, session, *data):
    body = {"session_hash": session, "fn_index": event_of(client, name), "data": list(data)}
    response = client.post("/gradio_api/run/predict", json=body)
    assert response.is_success
    return response.text


def conversation(article, question="Who founded the maritime museum?", length=1):
    """A conversation as a browser keeps it."""
    start = article.text.index("Clara")
    quote = article.text[start : article.text.index("1911.") + 5]
    citation = Citation(1, article.id, article.title, start, start + len(quote), quote, 1.0)
    answer = Answer(question, question, (Statement(quote, (1,), verbatim=True),), citations=(citation,))
    return json.dumps({"id": "kept", "article": "", "exchanges": [record(Exchange(answer))] * length})


def test_an_owner_has_so_many_sessions_and_all_have_so_many(kept):
    for number in range(MOST_OF_ONE + 5):
        kept[f"{ANN}{number}"]
    assert list(kept.session_data) == [f"{ANN}{number}" for number in range(5, MOST_OF_ONE + 5)]
    kept[f"{BOB}0"]
    assert len(kept.session_data) == MOST_OF_ONE + 1
    for number in range(MOST_SESSIONS):
        kept[f"{number:016}"]
    assert len(kept.session_data) == MOST_SESSIONS
    assert len(kept._used) == MOST_SESSIONS


def test_the_sessions_of_closed_tabs_go_first_and_the_one_in_use_last(kept):
    with kept.open(f"{ANN}0"), kept.open(f"{ANN}1"):
        for number in range(MOST_OF_ONE + 1):
            kept[f"{ANN}{number}"]
        assert {f"{ANN}0", f"{ANN}1"} <= kept.session_data.keys()
        assert f"{ANN}2" not in kept.session_data
    for number in range(MOST_OF_ONE + 1, MOST_OF_ONE + 20):
        kept[f"{ANN}{number}"]
    assert f"{ANN}0" in kept.session_data  # its tab was closed last
    kept[f"{ANN}new"]
    assert f"{ANN}0" not in kept.session_data


def test_a_session_ends_some_time_after_its_tab(kept, monkeypatch):
    monkeypatch.setattr(sessions, "KEPT_SECONDS", -1.0)
    with kept.open("tab"):
        kept["tab"]
        kept["closed"]
        kept.delete_all_expired_state()
        assert list(kept.session_data) == ["tab"]
    kept.delete_all_expired_state()
    assert not kept.session_data
    assert not kept._used
    assert not kept._open


def test_an_open_tab_keeps_its_conversation_whatever_else_its_owner_and_others_begin(client, kept, article):
    with client.stream("GET", "/gradio_api/heartbeat/tab") as alive:
        beats = alive.iter_text()  # held, or httpx would close the stream with it
        next(beats)
        send(client, "Restore", "tab", conversation(article))
        for number in range(MOST_OF_ONE + 5):
            send(client, "Edit", f"other {number}", None)
        assert len(kept.session_data) == MOST_OF_ONE
        assert "Who founded" in send(client, "Edit", "tab", None)


def test_a_session_keeps_neither_what_its_browser_sent_nor_what_it_shows(client, kept, article):
    text = conversation(article, length=100)
    assert "Clara Lindt" in send(client, "Restore", "tab", text)
    (session,) = kept.session_data.values()
    assert isinstance(next(value for value in session.state_data.values() if value), Conversation)
    shown = [getattr(block, "value", None) for block in session.blocks_config.blocks.values()]
    assert max(map(len, strings([session.state_data, session.config_values, shown]))) < 10_000 < len(text)


def strings(thing, seen=None):
    """Every text that can be reached from the thing."""
    seen = set() if seen is None else seen
    if isinstance(thing, str):
        yield thing
    elif id(thing) not in seen:
        seen.add(id(thing))
        if isinstance(thing, dict):
            for key, value in thing.items():
                yield from strings(key, seen)
                yield from strings(value, seen)
        elif isinstance(thing, list | tuple | set):
            for value in thing:
                yield from strings(value, seen)
        elif hasattr(thing, "__dict__"):
            yield from strings(vars(thing), seen)
        elif hasattr(thing, "__slots__"):
            for name in thing.__slots__:
                yield from strings(getattr(thing, name, None), seen)
