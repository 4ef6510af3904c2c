"""llama.cpp's own server, with the packaged language model, through the adapter: also killed in mid-answer."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from fakes import OverlapChecker, OverlapReader

from rag.answer.pipeline import Pipeline
from rag.errors import ServerError
from rag.library.index import PassageIndex
from rag.models.catalogue import PACKAGED, find
from rag.models.llm import LlamaCppModel, Message, Prompt, Token
from rag.models.openai_api import Address, Client
from rag.models.served import served
from rag.models.server import ServerModel
from rag.settings import Settings
from rag.types import NO_ANSWER

pytestmark = pytest.mark.e2e
SCRIPT = Path(__file__).parent / "llama_server.py"
QUESTION = "Who founded the maritime museum?"
RULE = f"Answer from the article only. If it does not say it, answer only: {NO_ANSWER}"
HAMLET = Prompt((Message("system", RULE), Message("user", "Article: Bees fly.\nQuestion: Who wrote Hamlet?")))
TOLD = "In 1911, Clara Lindt founded the maritime museum."  # of its reply no two beginnings are all but as likely
FOUNDED = Prompt((Message("system", RULE), Message("user", f"Article: {TOLD}\nQuestion: {QUESTION}")))


def never() -> bool:
    return False


def model_file() -> Path:
    path = find(PACKAGED, Settings())
    assert path is not None
    return path


Started = tuple[Client, "subprocess.Popen[bytes]"]


@pytest.fixture
def start() -> Iterator[Callable[[], Started]]:
    """Starts a server; it still loads its model then."""
    processes = []

    def started() -> Started:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        command = [sys.executable, str(SCRIPT), str(model_file()), str(port)]
        processes.append(
            subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        )
        client = Client(Address(f"http://127.0.0.1:{port}/v1"), pauses=(1.0,) * 60, silence=120)
        return client, processes[-1]

    yield started
    for process in processes:
        process.kill()
        process.wait()


def test_it_writes_and_tells_what_the_same_model_does_that_runs_here(start: Callable[[], Started]) -> None:
    client, _ = start()
    model, here = ServerModel(client), LlamaCppModel(model_file(), threads=2, context_tokens=2048)

    def reply(writer: ServerModel | LlamaCppModel, prompt: Prompt) -> list[Token]:
        return list(writer.generate(prompt, max_tokens=6, seconds=60, stopped=never))

    for prompt in (HAMLET, FOUNDED):
        tokens, same = reply(model, prompt), reply(here, prompt)
        beginning = "".join(token.text for token in tokens[:3])
        assert beginning == "".join(token.text for token in same[:3])
        assert [t.logprob for t in tokens[:3]] == [pytest.approx(t.logprob, abs=0.5) for t in same[:3]]
        for text in (beginning, NO_ANSWER):
            told, known = (writer.likelihood(prompt, text, stopped=never) for writer in (model, here))
            assert told is not None
            assert known is not None
            assert told > known - 1.5  # what is not among the likeliest counts as the last of them
            assert text != beginning or told == pytest.approx(known, abs=1.5)
    about = served(client, never)
    assert about.context == 4096
    long = Prompt((Message("user", "é" * 9000),), 1)  # more tokens than are reckoned with
    assert reply(model, long) == []
    assert model.study(replace(FOUNDED, lasting=1), lambda *_: None, never)


class Killed(ServerModel):
    """Its server is killed after the second token of a reply."""

    def __init__(self, client: Client, process: subprocess.Popen[bytes]) -> None:
        super().__init__(client)
        self.process = process

    def generate(
        self, prompt: Prompt, *, max_tokens: int, seconds: float, stopped: Callable[[], bool], avoid: str = ""
    ) -> Iterator[Token]:
        options = {"max_tokens": 400, "seconds": seconds, "stopped": stopped}
        for written, token in enumerate(super().generate(prompt, **options)):  # type: ignore[arg-type]
            if written == 1:
                self.process.kill()
                self.process.wait()
            yield token


def test_killed_in_mid_answer_it_is_replaced_by_the_model_that_runs_here(
    start: Callable[[], Started], index: PassageIndex, settings: Settings, home: Path
) -> None:
    client, process = start()
    model = Killed(client, process)
    here = LlamaCppModel(model_file(), threads=2, context_tokens=2048)
    pipeline = Pipeline(
        index, reader=OverlapReader(), checker=OverlapChecker(), model=model, stand_ins=[here], settings=settings
    )
    answer = pipeline.answer(QUESTION)
    assert process.returncode == -9
    assert "Clara Lindt" in answer.text
    assert all(index.documents[citation.document_id].cites(citation) for citation in answer.citations)
    assert answer.model["llm"] == here.name
    assert answer.model["instead_of"].startswith(f"{client} broke off in the middle of a reply")
    with pytest.raises(ServerError, match="broke off"):
        next(iter(model.generate(FOUNDED, max_tokens=1, seconds=1, stopped=never)))
