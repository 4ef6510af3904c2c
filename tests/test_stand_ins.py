"""A model server that fails while it is needed, and who writes instead."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from fakes import FakeEmbedder, OverlapChecker, OverlapReader, ScriptedModel
from hubs import running
from servers import Act, FakeServer, breaks_off, refuses, says

from rag.answer.pipeline import Pipeline
from rag.cli import main
from rag.errors import ServerError
from rag.library.index import PassageIndex
from rag.models.llm import Token
from rag.models.openai_api import Address, Client
from rag.models.server import ServerModel
from rag.settings import Settings
from rag.types import NO_ANSWER, Answer

QUESTION = "Who founded the maritime museum?"
FOUNDED = "The maritime museum was founded by Clara Lindt in 1911."
BROKEN = "The maritime museum was founded by"
Start = Callable[..., tuple[FakeServer, ServerModel]]


@pytest.fixture
def start() -> Iterator[Start]:
    with ExitStack() as stack:

        def started(*script: Act, reply: str = "") -> tuple[FakeServer, ServerModel]:
            server = FakeServer(script, reply=reply)
            stack.enter_context(running(server))
            return server, ServerModel(Client(Address(server.url), pauses=(0.01,)))

        yield started


def pipeline_of(index: PassageIndex, settings: Settings, *models: ServerModel | ScriptedModel) -> Pipeline:
    return Pipeline(
        index,
        reader=OverlapReader(),
        checker=OverlapChecker(),
        model=models[0],
        stand_ins=models[1:],
        settings=settings,
    )


def is_exact(answer: Answer, index: PassageIndex) -> bool:
    return all(index.documents[citation.document_id].cites(citation) for citation in answer.citations)


def test_a_server_writes_and_each_sentence_is_attributed_and_checked(
    start: Start, index: PassageIndex, settings: Settings
) -> None:
    server, model = start(reply=FOUNDED)
    pipeline = pipeline_of(index, settings, model, ScriptedModel())
    answer = pipeline.answer(QUESTION)
    assert answer.text == f"{FOUNDED} [1]"
    assert is_exact(answer, index)
    assert answer.model["llm"] == f"tiny at 127.0.0.1:{server.server_address[1]}"
    assert "instead_of" not in answer.model
    server.reply = "Otto Brandt founded the maritime museum in 1920."
    assert "Otto" not in pipeline.answer(QUESTION).text


class GoneAfterOne(ScriptedModel):
    """Replies once, and never again."""

    def generate(self, *arguments: Any, **options: Any) -> Iterator[Token]:
        if self.prompts:
            raise ServerError("the model server is gone")
        return super().generate(*arguments, **options)


def test_where_the_only_writer_fails_while_it_writes_once_more_the_quote_is_shown(
    index: PassageIndex, settings: Settings
) -> None:
    model = GoneAfterOne(["Otto Brandt founded the maritime museum in 1911."], reads=True)
    answer = pipeline_of(index, settings, model).answer(QUESTION)
    assert [statement.verbatim for statement in answer.statements] == [True]
    assert answer.model["instead_of"] == "the model server is gone"


@pytest.mark.parametrize("logprobs", [True, False])
def test_prompts_begin_alike_so_that_the_server_reads_the_article_once(
    start: Start, index: PassageIndex, settings: Settings, logprobs: bool
) -> None:
    server, model = start(*[says(FOUNDED, logprobs=logprobs)] * 9)
    pipeline = pipeline_of(index, settings, model)
    assert pipeline.study()
    pipeline.answer(QUESTION)
    pipeline.answer("What will the repairs cost?")
    studied, *asked = ([m["content"] for m in body["messages"]] for body in server.completions)
    lasting = studied[:-1]  # the last message only opens the question
    assert "two hours late" in lasting[-2]
    behind_it = [messages for messages in asked if messages[: len(lasting)] == lasting]
    assert len(behind_it) >= 2
    assert all(len(messages) == len(lasting) + 1 for messages in behind_it)
    assert all("two hours late" not in " ".join(messages) for messages in asked if messages not in behind_it)


@pytest.mark.parametrize(
    "script",
    [
        [says("Yes."), breaks_off(BROKEN)],
        [breaks_off("The")],
        [refuses(500)] * 4,
        [refuses(404)],
    ],
)
def test_where_a_server_fails_the_next_one_writes_the_whole_answer(
    start: Start, index: PassageIndex, settings: Settings, script: list[Act], caplog: pytest.LogCaptureFixture
) -> None:
    first, model = start(*script)
    second, other = start(reply=FOUNDED)
    pipeline = pipeline_of(index, settings, model, other, ScriptedModel())
    *_, last = pipeline.stream(QUESTION)
    assert last.answer.text == f"{FOUNDED} [1]"
    assert is_exact(last.answer, index)
    assert last.answer.model["llm"] == f"tiny at 127.0.0.1:{second.server_address[1]}"
    assert last.answer.model["instead_of"].startswith(f"the model server {first.url} ")
    assert first.url in caplog.text
    asked = len(first.requests)
    assert pipeline.answer(QUESTION).text == f"{FOUNDED} [1]"
    assert len(first.requests) == asked  # it is left alone for a while


def test_the_last_to_write_is_the_model_that_runs_here_in_its_own_way(
    start: Start, index: PassageIndex, settings: Settings
) -> None:
    _, model = start(says("Yes."), breaks_off(BROKEN))
    small = ScriptedModel(["Clara Lindt founded the maritime museum in 1911."], "small")
    answer = pipeline_of(index, settings, model, small).answer(QUESTION)
    assert answer.text == "Clara Lindt founded the maritime museum in 1911. [1]"
    assert answer.model["llm"] == "small"
    assert small.prompts[0].messages[-1].content.startswith(f"Question: {QUESTION}\nAnswer: ")  # it rewords a quote


def test_without_anybody_to_write_the_quote_is_shown(start: Start, index: PassageIndex, settings: Settings) -> None:
    _, model = start(refuses(404))
    answer = pipeline_of(index, settings, model).answer(QUESTION)
    assert answer.statements[0].verbatim
    assert is_exact(answer, index)
    assert (answer.model["llm"], "answers 404" in answer.model["instead_of"]) == ("none", True)
    assert pipeline_of(index, settings, model).answer("Who stole the moon?").text == NO_ANSWER


def test_who_stands_in_warms_up_and_reads_the_article(start: Start, index: PassageIndex, settings: Settings) -> None:
    _, model = start(*[refuses(404)] * 9)
    here = ScriptedModel(reads=True)
    pipeline = pipeline_of(index, settings, model, here)
    pipeline.warm_up()
    assert len(here.prompts) == 1
    assert pipeline.study()
    assert len(here.studied) == 1
    assert not pipeline_of(index, settings, model).study()


def test_the_command_line_says_who_wrote_and_instead_of_whom(
    start: Start, home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rag.answer.pipeline.SpanReader", OverlapReader)
    monkeypatch.setattr("rag.answer.pipeline.NeuralChecker", OverlapChecker)
    read = (refuses(404), says("Yes."))  # the article, before it is asked about
    server, _ = start(*read, says("Yes."), says(FOUNDED))
    llm = f"{server.url}#first, {server.url}#second, none"
    code = main(["ask", QUESTION, "--json", "--home", str(home), "--llm", llm], embedder=FakeEmbedder())
    told = capsys.readouterr()
    assert code == 0
    shown = json.loads(told.out)
    assert shown["answer"] == f"{FOUNDED} [1]"
    assert shown["model"]["llm"] == f"second at 127.0.0.1:{server.server_address[1]}"
    assert shown["model"]["instead_of"] == f"the model server {server.url} answers 404 (not now)"
    assert f"article-chat: warning: the model server {server.url} answers 404" in told.err


def test_servers_that_run_here_are_listed_and_not_used(
    start: Start, home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    server, _ = start()
    ports = (server.server_address[1],)
    monkeypatch.setattr("rag.models.served.running_here.__defaults__", (ports,))
    assert main(["servers", "--home", str(home)], embedder=FakeEmbedder()) == 0
    told = capsys.readouterr().out
    assert told == f"{server.url}  tiny\nLet one write: article-chat serve --llm {server.url}#MODEL\n"
    assert [path for path, _ in server.requests] == ["/v1/models"]
    monkeypatch.setattr("rag.models.served.running_here.__defaults__", ((1,),))
    assert main(["servers", "--home", str(home)], embedder=FakeEmbedder()) == 0
    assert "No model server answers on the ports" in capsys.readouterr().out
