"""What holds a connection, and how long."""

import socket
from urllib.parse import urlsplit

import httpx
import pytest
from pages import pipeline_over, served

from ui import server


@pytest.fixture
def url(settings, article):
    with served(pipeline_over(settings, article)) as url:
        yield url


def connected(url):
    parts = urlsplit(url)
    return socket.create_connection((parts.hostname, parts.port), timeout=30)


def ended(connection):
    """Whether the server closes the connection, which the socket's time-out waits for."""
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True


def test_a_request_that_is_half_sent_is_not_waited_for(url, monkeypatch):
    monkeypatch.setattr(server, "HEADER_SECONDS", 0.1)
    with connected(url) as silent, connected(url) as half, connected(url) as second:
        half.sendall(b"GET /alive HTTP/1.1\r\nHost: 127.0.0.1\r\n")
        second.sendall(b"GET /alive HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        answer = b""
        while not answer.endswith(b"}"):
            answer += second.recv(1000)
        second.sendall(b"GET /alive")
        assert ended(silent)
        assert ended(half)
        assert ended(second)


def test_a_complete_request_may_take_as_long_as_it_does(url, monkeypatch):
    monkeypatch.setattr(server, "HEADER_SECONDS", 0.1)
    with httpx.stream("GET", f"{url}/gradio_api/heartbeat/x") as alive, connected(url) as half:
        assert "ALIVE" in next(alive.iter_text())
        assert ended(half)  # later than the other would have been
        assert httpx.get(f"{url}/alive").is_success
        assert not alive.is_closed


def test_there_are_so_many_connections_and_no_more(url, monkeypatch):
    monkeypatch.setattr(server, "MOST_CONNECTIONS", 2)
    with connected(url) as one, connected(url), connected(url) as third:
        assert ended(third)
        one.sendall(b"GET /alive HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
        assert one.recv(12) == b"HTTP/1.1 200"
