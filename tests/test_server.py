import logging
import math
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import pytest
from hubs import running
from servers import Act, FakeServer, breaks_off, pings, refuses, says, sends, waits

from rag.errors import ServerError, SettingsError
from rag.models.llm import LlamaCppModel, Message, Prompt, Token
from rag.models.openai_api import Address, Client
from rag.models.served import running_here
from rag.models.server import ServerModel
from rag.models.writers import addresses, open_writers
from rag.settings import Settings, load_settings

PROMPT = Prompt((Message("system", "Be brief."), Message("user", "Who founded the museum?")))
ARTICLE = Prompt((Message("user", "Article: …"), Message("assistant", "I have read it.")), 2)
FOUNDED = "Clara Lindt founded it."
SECRET = "sk-1234567890abcdef"
Started = Callable[..., tuple[FakeServer, ServerModel]]


def never() -> bool:
    return False


@pytest.fixture
def start() -> Iterator[Started]:
    """Starts a server with a script, and gives a model of it that tries again at once."""
    with ExitStack() as stack:

        def started(
            *script: Act, key: str = "", model: str = "", silence: float = 20.0, **options: Any
        ) -> tuple[FakeServer, ServerModel]:
            server = FakeServer(script, **options)
            stack.enter_context(running(server))
            stack.callback(server.closing.set)
            client = Client(Address(server.url, model, key), pauses=(0.01, 0.02), silence=silence)
            return server, ServerModel(client)

        yield started


def written(model: ServerModel, prompt: Prompt = PROMPT, max_tokens: int = 40) -> list[Token]:
    return list(model.generate(prompt, max_tokens=max_tokens, seconds=60, stopped=never))


def text(model: ServerModel, prompt: Prompt = PROMPT) -> str:
    return "".join(token.text for token in written(model, prompt))


def test_it_asks_the_first_model_for_text_and_streams_its_reply(start: Started) -> None:
    server, model = start(reply=FOUNDED, models=[{"id": "embed-small"}, {"id": "owner/tiny-7b.gguf"}])
    tokens = written(model)
    assert "".join(token.text for token in tokens) == FOUNDED
    assert [token.logprob for token in tokens] == [pytest.approx(math.log(0.9))] * 4
    body = server.completions[0]
    assert body["model"] == "owner/tiny-7b.gguf"
    assert body["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Who founded the museum?"},
    ]
    assert (body["temperature"], body["max_tokens"], body["stream"]) == (0, 40, True)
    assert model.name == f"tiny-7b.gguf at 127.0.0.1:{server.server_address[1]}"


def test_the_named_model_is_asked_even_where_no_models_are_told(start: Started) -> None:
    server, model = start(reply=FOUNDED, model="large")
    del server.told["/v1/models"]
    assert text(model) == FOUNDED
    assert server.completions[0]["model"] == "large"
    server, model = start(reply=FOUNDED)
    server.told["/v1/models"] = {"data": []}
    with pytest.raises(ServerError, match=r"names no model; name one: --llm http://127.0.0.1:\d+/v1#MODEL"):
        text(model)


def test_a_server_that_tells_no_probabilities_still_writes(start: Started) -> None:
    server, model = start(*[says(FOUNDED, logprobs=False)] * 2)
    assert model.likelihood(PROMPT, "No.", stopped=never) is None
    assert [token.logprob for token in written(model)] == [None] * 4
    assert model.likelihood(PROMPT, "No.", stopped=never) is None
    assert len(server.completions) == 2  # it is not asked for what it does not tell


@pytest.mark.parametrize("status", [400, 422, 500])
def test_a_server_that_refuses_to_be_asked_for_probabilities_still_writes(start: Started, status: int) -> None:
    tries = 3 if status == 500 else 1
    server, model = start(*[refuses(status, {"detail": "logprobs"})] * tries, reply=FOUNDED)
    assert text(model) == text(model) == FOUNDED
    assert [body.get("logprobs") for body in server.completions] == [True] * tries + [None] * 2


def test_how_likely_a_reply_is_follows_it_token_by_token(start: Started) -> None:
    server, model = start(reply="The ferry", models=[{"id": "tiny", "owned_by": "llamacpp"}])
    sure = math.log(0.9)
    assert model.likelihood(PROMPT, "The ferry", stopped=never) == pytest.approx(2 * sure)
    server.script = [says("The ferry sank."), says(" sank.")]
    assert model.likelihood(PROMPT, "The ship sank.", stopped=never) == pytest.approx(2 * sure - 4.0)
    assert server.completions[-1]["messages"][-1] == {"role": "assistant", "content": "The ship"}
    server.script = [says("Clara did."), says(" end.")]
    told = model.likelihood(PROMPT, "The article does not say.", stopped=never)
    assert told == pytest.approx(-3.0 - 4.0)  # " article" is at most as likely as the last that is told


def test_what_a_server_cannot_go_on_from_is_not_guessed(start: Started) -> None:
    server, model = start(reply="The ferry sank.")
    assert model.likelihood(PROMPT, "The ship sank.", stopped=never) is None
    assert model.likelihood(PROMPT, "Bananas are blue.", stopped=never) == pytest.approx(-4.0)
    assert model.likelihood(PROMPT, "The ferry sank.", stopped=never) == pytest.approx(3 * math.log(0.9))
    assert all(body["messages"][-1]["role"] == "user" for body in server.completions)


@pytest.mark.parametrize("act", [refuses(429, Retry_After="0"), refuses(500), refuses(503)])
def test_what_passes_is_tried_again(start: Started, act: Act) -> None:
    server, model = start(act, act, reply=FOUNDED)
    assert text(model) == FOUNDED
    assert len(server.completions) == 3


def test_a_server_that_loads_its_model_is_waited_for(start: Started) -> None:
    server, model = start(*[refuses(503, {"error": {"message": "Loading model"}})] * 6, reply=FOUNDED)
    assert text(model) == FOUNDED
    assert len(server.completions) == 7


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ([refuses(429, Retry_After="3600")], r"answers 429 \(not now\)"),
        ([refuses(502, "<html><h1>Bad</h1> gateway</html>")] * 3, r"answers 502 \(Bad gateway\)"),
        ([refuses(404, {"error": "model 'tiny' not found"})], r"answers 404 \(model 'tiny' not found\)"),
        ([refuses(401)], r"does not take the key \(401\); set ARTICLE_CHAT_LLM_KEY"),
        ([refuses(307, "", Location="http://elsewhere.invalid/")], "answers 307"),
        ([breaks_off("Clara Lindt founded")], "broke off in the middle of a reply"),
        ([sends("<html>hello</html>")], "does not answer as an OpenAI-compatible server does"),
        ([sends("data: {not json")], "does not answer as an OpenAI-compatible server does"),
        ([sends('data: ["a list"]')], "does not answer as an OpenAI-compatible server does"),
        ([sends('data: {"choices": [{"delta": "a text"}]}')], "does not answer as an OpenAI-compatible server does"),
        ([sends('data: {"error": {"message": "out of memory"}}')], r"failed: out of memory"),
        ([says("Hm, let me see.", field="reasoning_content")], "thinks aloud before it answers; name another"),
    ],
)
def test_a_server_that_fails_is_one_line_and_then_left_alone(start: Started, script: list[Act], why: str) -> None:
    server, model = start(*script, reply=FOUNDED)
    with pytest.raises(ServerError, match=rf"^the model server {server.url} .*{why}"):
        text(model)
    asked = len(server.requests)
    with pytest.raises(ServerError, match=why):  # a question does not wait for it again
        text(model)
    with pytest.raises(ServerError, match=why):
        model.likelihood(PROMPT, "No.", stopped=never)
    assert len(server.requests) == asked


def test_nobody_there_is_one_line() -> None:
    server = FakeServer()
    url = server.url
    server.server_close()
    with pytest.raises(ServerError, match=rf"^the model server {url} does not answer \("):
        text(ServerModel(Client(Address(url), pauses=(0.01,))))


@pytest.mark.parametrize("act", [waits, pings])
def test_a_server_that_says_nothing_is_given_up(start: Started, act: Act) -> None:
    _, model = start(act, silence=0.2)
    with pytest.raises(ServerError, match="said nothing for 0 seconds"):
        text(model)


def test_who_waits_for_a_server_can_stop(start: Started) -> None:
    server, model = start(waits, waits, reply=FOUNDED)
    stopped = server.reached.is_set
    assert list(model.generate(PROMPT, max_tokens=9, seconds=60, stopped=stopped)) == []
    server.reached.clear()
    assert model.likelihood(PROMPT, "No.", stopped=stopped) is None
    assert text(model) == FOUNDED  # it has not failed


def test_a_reply_that_nobody_wants_any_more_ends(start: Started) -> None:
    _, model = start(reply="and " * 200)
    tokens = model.generate(PROMPT, max_tokens=300, seconds=60, stopped=never)
    next(tokens)
    tokens.close()  # type: ignore[attr-defined]
    assert len(written(model, max_tokens=300)) == 200
    assert len(written(model, max_tokens=5)) == 5


def context_of(size: int) -> dict[str, Any]:
    return {"id": "tiny", "owned_by": "llamacpp", "meta": {"n_ctx": size}}


@pytest.mark.parametrize(
    ("models", "told"),
    [
        ([context_of(4096)], {}),
        ([{"id": "tiny", "max_model_len": 4096}], {}),
        ([{"id": "tiny", "owned_by": "llamacpp"}], {"/props": {"default_generation_settings": {"n_ctx": 4096}}}),
        ([{"id": "tiny"}], {"/api/v0/models": {"data": [{"id": "tiny", "loaded_context_length": 4096}]}}),
        ([{"id": "tiny"}], {"/api/ps": {"models": [{"name": "tiny:latest", "context_length": 4096}]}}),
        (
            [{"id": "tiny"}],
            {"/api/ps": {"models": []}, "loaded": {"models": [{"name": "tiny", "context_length": 4096}]}},
        ),
        ([{"id": "tiny"}], {"/api/ps": {"models": []}}),
    ],
)
def test_the_context_is_asked_for_and_nothing_longer_is_sent(
    start: Started, models: list[dict[str, Any]], told: dict[str, Any]
) -> None:
    server, model = start(reply=FOUNDED, models=models)
    server.told |= told
    long = Prompt((Message("user", "word " * 3500),), 1)
    assert written(model, long) == []
    assert model.likelihood(long, "No.", stopped=never) is None
    assert not model.study(long, lambda *_: None, never)
    assert server.completions == []
    assert text(model) == FOUNDED


def test_the_context_that_ollama_has_by_default_is_warned_of(start: Started, caplog: pytest.LogCaptureFixture) -> None:
    server, model = start(reply=FOUNDED)
    server.told["/api/ps"] = {"models": [{"name": "tiny", "context_length": 4096}]}
    text(model)
    text(model)
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert "its default is 4,096" in record.getMessage()
    assert "OLLAMA_CONTEXT_LENGTH=8192" in record.getMessage()
    assert server.completions[0]["reasoning_effort"] == "none"


def test_a_prompt_that_the_server_finds_too_long_is_no_failure(start: Started) -> None:
    why = {"error": {"message": "request (9000 tokens) exceeds the available context size (8192 tokens)"}}
    _, model = start(refuses(400, why), refuses(400, why), reply=FOUNDED)
    assert written(model) == []
    assert model.likelihood(PROMPT, "No.", stopped=never) is None
    assert text(model) == FOUNDED


def test_it_reads_what_lasts_beforehand_and_then_knows_it(start: Started) -> None:
    server, model = start(reply=FOUNDED)
    told: list[tuple[int, int]] = []
    assert not model.knows(ARTICLE)
    assert model.study(ARTICLE, lambda done, total: told.append((done, total)), never)
    assert model.knows(replace(ARTICLE, messages=(*ARTICLE.messages, Message("user", "Who?"))))
    assert told[-1][0] == told[-1][1]
    (body,) = server.completions
    assert [message["content"] for message in body["messages"][:2]] == [m.content for m in ARTICLE.messages]
    assert body["max_tokens"] == 1


def test_a_question_comes_before_reading_beforehand(start: Started) -> None:
    server, model = start(waits, reply=FOUNDED)
    studied: list[bool] = []
    thread = threading.Thread(target=lambda: studied.append(model.study(ARTICLE, lambda *_: None, never)))
    thread.start()
    assert server.reached.wait(60)
    assert text(model) == FOUNDED  # while the server would not end reading
    thread.join(60)
    assert studied == [True]
    assert model.knows(ARTICLE)


def test_the_key_goes_to_its_server_and_is_never_shown(
    start: Started, caplog: pytest.LogCaptureFixture, settings: Settings
) -> None:
    caplog.set_level(logging.DEBUG)
    server, model = start(*[refuses(400, f"the key {SECRET} is old")] * 2, key=SECRET)
    with pytest.raises(ServerError, match="the key … is old") as raised:
        text(model)
    assert server.keys == [f"Bearer {SECRET}"] * len(server.requests)
    other, _ = start()
    named = load_settings(
        environment={"ARTICLE_CHAT_HOME": str(settings.home), "ARTICLE_CHAT_LLM_KEY": SECRET},
        flags={"llm": f"{server.url}, {other.url}#large, none"},
    )
    first, second = open_writers(named)
    assert list(second.generate(PROMPT, max_tokens=1, seconds=60, stopped=never)) == []
    assert set(other.keys) == {None}
    shown = f"{raised.value} {raised.value.__cause__} {named} {addresses(named)} {first.name} {model} {caplog.text}"
    assert SECRET not in shown
    (settings.home / "article-chat.toml").write_text("llm_key = 1234567890")
    with pytest.raises(SettingsError) as wrong:
        load_settings(environment={"ARTICLE_CHAT_HOME": str(settings.home)})
    assert "1234567890" not in str(wrong.value)


def test_the_setting_names_servers_and_who_stands_in_for_them(settings: Settings) -> None:
    def named(llm: str, key: str = "") -> tuple[list[Address], str]:
        return addresses(replace(settings, llm=llm, llm_key=key))

    assert named("http://a:8080/v1/") == ([Address("http://a:8080/v1")], "auto")
    assert named("http://a:8080") == ([Address("http://a:8080/v1")], "auto")
    assert named("https://a/v1#owner/big, http://b/v1,none", "one,two") == (
        [Address("https://a/v1", "owner/big", "one"), Address("http://b/v1", "", "two")],
        "none",
    )
    assert named("models/a,b.gguf") == ([], "models/a,b.gguf")
    assert open_writers(replace(settings, llm="none")) == ()
    server, here = open_writers(replace(settings, llm="http://a/v1,packaged"))
    assert (server.name, server.reads, type(here)) == ("a", True, LlamaCppModel)


@pytest.mark.parametrize(
    ("llm", "why"),
    [
        ("http://", "give a model server as http://localhost:8080/v1"),
        ("http://a:port/v1", "give a model server as"),
        ("http://a/v1?key=1", "give a model server as"),
        ("http://me:secret@a/v1", "key does not belong in its address; set ARTICLE_CHAT_LLM_KEY"),
    ],
)
def test_an_address_that_is_none_is_one_line(settings: Settings, llm: str, why: str) -> None:
    with pytest.raises(SettingsError, match=why) as raised:
        open_writers(replace(settings, llm=llm))
    assert "secret" not in str(raised.value)


def test_servers_that_run_here_are_found_and_asked_for_nothing_else(start: Started) -> None:
    server, _ = start(models=[{"id": "a"}, {"id": "b"}])
    other, _ = start()
    other.told = {"/v1/models": "no JSON"}
    ports = tuple(running.server_address[1] for running in (other, server))
    assert running_here(ports) == [(Address(server.url), ["a", "b"])]
    assert server.requests == [("/v1/models", {})]
