"""The articles for other programs, asked by the real client of the Model Context Protocol."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from fakes import OverlapChecker, OverlapReader
from mcp import Client
from mcp.client.stdio import StdioServerParameters
from mcp.shared.exceptions import MCPError
from serving import server_of

import rag
from rag.answer.pipeline import Pipeline
from rag.api.articles import Articles
from rag.api.mcp import MOST_FETCHED, ArticleServer, serve_http, serve_stdio
from rag.api.served import ServedCollection
from rag.errors import UsageError
from rag.library.collections import SEEDS, Library
from rag.settings import Settings
from rag.types import Document

SERVING = Path(__file__).parent / "serving.py"
QUESTION = "Who founded the maritime museum?"
TOOLS = ["ask", "check", "fetch", "list", "search"]


@pytest.fixture
def server(home: Path) -> ArticleServer:
    return server_of(home)


def talk(server: Any, conversation: Callable[[Client], Awaitable[None]]) -> None:
    async def run() -> None:
        async with Client(server, read_timeout_seconds=120) as client:
            await conversation(client)

    anyio.run(run)


async def call(client: Client, tool: str, **arguments: Any) -> Any:
    """What the tool gives, as structured content; the text is the same as JSON."""
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, result.content
    (text,) = result.content
    assert json.loads(text.text) == result.structured_content
    return result.structured_content


async def refusal(client: Client, tool: str, **arguments: Any) -> str:
    result = await client.call_tool(tool, arguments)
    assert result.is_error
    (text,) = result.content
    assert "\n" not in text.text
    return str(text.text)


async def everything(client: Client, article: Document) -> None:
    """Every tool once, and the resources."""
    tools = (await client.list_tools()).tools
    assert sorted(tool.name for tool in tools) == TOOLS
    assert all(tool.description and tool.output_schema and tool.annotations.read_only_hint for tool in tools)

    answer = await call(client, "ask", question=QUESTION)
    assert "Clara Lindt founded" in answer["answer"]
    for citation in answer["citations"]:
        assert article.text[citation["start"] : citation["end"]] == citation["quote"]
    assert (await call(client, "ask", question="Who is the king of France?"))["abstained"]

    checked = await call(client, "check", claim="The museum moved to Basel after the war. It burned down.")
    said, unsaid = checked["sentences"]
    assert (said["verdict"], unsaid["verdict"]) == ("supported", "not said")
    (citation,) = said["citations"]
    assert article.text[citation["start"] : citation["end"]] == citation["quote"]

    found = (await call(client, "search", query="maritime museum"))["results"]
    assert found[0].keys() >= {"id", "title", "url"}
    assert "Clara Lindt" in found[0]["quote"]
    for result in found:
        assert article.text[result["start"] : result["end"]] == result["quote"]
        fetched = await call(client, "fetch", id=result["id"])
        assert set(fetched) == {"id", "title", "text", "url", "metadata"}
        assert (fetched["id"], fetched["url"], fetched["text"]) == (result["id"], result["url"], result["quote"])

    listed = await call(client, "list")
    assert listed == {
        "collection": "seeds",
        "articles": [
            {
                "id": "harbour-news",
                "title": "Harbour news",
                "url": "article://seeds/harbour-news",
                "characters": len(article.text),
            }
        ],
    }
    (resource,) = (await client.list_resources()).resources
    assert (resource.uri, resource.title) == ("article://seeds/harbour-news", "Harbour news")
    (content,) = (await client.read_resource(resource.uri)).contents
    assert content.text == article.text


def test_every_tool_answers_a_client_in_the_same_process(server: ArticleServer, article: Document) -> None:
    talk(server, lambda client: everything(client, article))


def test_every_tool_answers_by_standard_input_and_output(home: Path, article: Document) -> None:
    program = StdioServerParameters(command=sys.executable, args=[str(SERVING), str(home)], env=environment())
    talk(program, lambda client: everything(client, article))


def test_every_tool_answers_by_http_and_no_page_of_a_browser_may_ask(home: Path, article: Document) -> None:
    with serving(home) as url:
        talk(url, lambda client: everything(client, article))
        ask = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
        accepts = {"Accept": "application/json, text/event-stream"}
        for header in ({"Origin": "http://evil.example"}, {"Origin": url}, {"Host": "evil.example"}):
            response = httpx.post(url, json=ask, headers={**accepts, **header})
            assert response.status_code in {403, 421}
        assert httpx.post(url, json=ask, headers=accepts).status_code == 200


@pytest.mark.parametrize("gone", [True, False])
def test_a_client_that_goes_before_its_answer_came_is_no_error_but_others_are(
    server: ArticleServer, monkeypatch: pytest.MonkeyPatch, gone: bool
) -> None:
    async def broken() -> None:
        async with anyio.create_task_group():
            raise BrokenPipeError if gone else ZeroDivisionError

    monkeypatch.setattr(server, "run_stdio_async", broken)  # as writing to a client that was killed breaks it
    with nullcontext() if gone else pytest.raises(ExceptionGroup):
        serve_stdio(server)


def environment() -> dict[str, str]:
    """For a process of its own that imports the project and the tests' modules as this one does."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(rag.__file__).parent.parent), str(SERVING.parent)])}


@contextmanager
def serving(home: Path) -> Iterator[str]:
    """The address at which the home folder's articles are served by HTTP; Ctrl-C ends it once it serves, also where it
    was started in the background of a shell, which has programs ignore Ctrl-C.
    """
    command = [sys.executable, str(SERVING), str(home), "--http"]
    with subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            url = process.stdout.readline().strip()
            httpx.options(url, timeout=60)
            yield url
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(60)


def test_what_cannot_be_done_is_one_line_that_says_why(server: ArticleServer) -> None:
    async def ask(client: Client) -> None:
        assert "there is no question" in await refusal(client, "ask", question=" ")
        assert "there is no claim" in await refusal(client, "check", claim="")
        assert "there is no question" in await refusal(client, "search", query="")
        assert "there is no article 'nowhere'; there is harbour-news" in await refusal(client, "fetch", id="nowhere")
        for place in ("harbour-news#char=5,5", "harbour-news#char=0,999999", "harbour-news#char=9,3"):
            assert "'harbour-news' has the characters 0 to" in await refusal(client, "fetch", id=place)
        assert "there is no article" in await refusal(client, "fetch", id="harbour-news#page=1")
        with pytest.raises(MCPError, match="nowhere"):
            await client.read_resource("article://seeds/nowhere")

    talk(server, ask)


def test_a_follow_up_is_understood_from_the_history(server: ArticleServer) -> None:
    async def ask(client: Client) -> None:
        earlier = [{"question": QUESTION, "answer": "Clara Lindt founded it."}]
        answer = await call(client, "ask", question="and when?", history=earlier)
        assert QUESTION in answer["standalone_question"]

    talk(server, ask)


def test_a_long_article_is_fetched_part_by_part(home: Path) -> None:
    text = "The lake froze over in March. " * 4000
    (home / "seeds" / "long.txt").write_text(text, encoding="utf-8")

    async def read(client: Client) -> None:
        parts, place = [], "long"
        while place:
            part = await call(client, "fetch", id=place)
            parts.append(part["text"])
            assert len(part["text"]) <= MOST_FETCHED
            place = part["metadata"]["next"]
        assert len(parts) == 3
        assert "".join(parts) == text

    talk(server_of(home), read)


def test_what_is_indexed_while_it_runs_is_there_with_the_next_call(home: Path) -> None:
    async def ask(client: Client) -> None:
        assert len((await call(client, "list"))["articles"]) == 1
        (home / "seeds" / "dam.txt").write_text("The dam holds nine lakes of water.\n", encoding="utf-8")
        server_of(home)  # another process that opens the collection
        assert [article["id"] for article in (await call(client, "list"))["articles"]] == ["harbour-news", "dam"]
        assert "nine lakes" in (await call(client, "ask", question="How many lakes does the dam hold?"))["answer"]

    talk(server_of(home), ask)


def test_it_says_which_articles_are_used_and_that_they_are_gone(library: Library, settings: Settings) -> None:
    pipeline = Pipeline(library.open(), reader=OverlapReader(), checker=OverlapChecker(), settings=settings)
    used: list[Pipeline] = []
    server = ArticleServer(Articles(ServedCollection(pipeline, SEEDS, library), library=library), SEEDS, used.append)

    async def ask(client: Client) -> None:
        await call(client, "ask", question=QUESTION)
        assert used == [pipeline]
        library.remove(SEEDS)
        for tool, arguments in (("list", {}), ("ask", {"question": QUESTION}), ("fetch", {"id": "harbour-news"})):
            assert "there is nothing called 'seeds' to ask" in await refusal(client, tool, **arguments)

    talk(server, ask)


def test_a_taken_port_is_said_in_one_line(server: ArticleServer, home: Path) -> None:
    with serving(home) as url, pytest.raises(UsageError, match="is taken; choose another: article-chat mcp --http"):
        serve_http(server, int(url.split(":")[2].split("/")[0]))


@pytest.mark.e2e
def test_the_command_answers_with_the_real_models(home: Path, article: Document) -> None:
    arguments = ["-m", "rag", "--home", str(home), "--llm", "packaged", "mcp"]
    program = StdioServerParameters(command=sys.executable, args=arguments, env=environment())
    talk(program, lambda client: everything(client, article))
